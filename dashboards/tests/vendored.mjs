/** Resolves what the server maps: `dashboards/static/vendor` is `service/static/vendor`; and .js files are modules. */

const FROM = "/dashboards/static/vendor/";

export async function resolve(specifier, context, next) {
  const url = context.parentURL && specifier.startsWith(".") ? new URL(specifier, context.parentURL).href : specifier;
  return next(url.replace(FROM, "/service/static/vendor/"), context);
}

export async function load(url, context, next) {
  const isOurs = /\/dashboards\/static\/js\/|\/service\/static\/vendor\//.test(url) && url.endsWith(".js");
  return next(url, isOurs ? { ...context, format: "module" } : context);
}
