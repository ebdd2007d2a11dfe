// @ts-check
/** A job's spec written as YAML reads best: for people to look at; the exact content is the JSON beside it. */

const PLAIN = /^[A-Za-z0-9_./][A-Za-z0-9_./ @+*-]*$/;
const SPECIAL = /^(?:true|false|null|yes|no|on|off|y|n|~|[-+.]?\d[\d_.eE+-]*|0[xob].*|.*\s)$/i;

/**
 * @param {unknown} value
 * @returns {string}
 */
export function toYaml(value) {
  if (isScalar(value)) return `${scalar(value)}\n`;
  return `${lines(value, 0).join("\n")}\n`;
}

/** @param {unknown} value @param {number} depth @returns {string[]} */
function lines(value, depth) {
  const indent = "  ".repeat(depth);
  if (Array.isArray(value)) {
    return value.flatMap((item) => {
      if (isScalar(item) || isShort(item)) return [`${indent}- ${inline(item)}`];
      const [first, ...rest] = lines(item, depth + 1);
      return [`${indent}- ${first.trimStart()}`, ...rest];
    });
  }
  return Object.entries(/** @type {object} */ (value)).flatMap(([key, item]) => {
    const name = `${indent}${text(key)}:`;
    if (isScalar(item) || isShort(item)) return [`${name} ${inline(item)}`];
    return [name, ...lines(item, depth + 1)];
  });
}

/** @param {unknown} value */
function isScalar(value) {
  return value === null || typeof value !== "object";
}

/** Whether it stands better on one line: an empty one, or a list of scalars. @param {unknown} value */
function isShort(value) {
  const items = Array.isArray(value) ? value : Object.values(/** @type {object} */ (value));
  return items.length === 0 || (Array.isArray(value) && items.every(isScalar) && inline(value).length <= 90);
}

/** @param {unknown} value @returns {string} */
function inline(value) {
  if (Array.isArray(value)) return `[${value.map(inline).join(", ")}]`;
  return isScalar(value) ? scalar(value) : "{}";
}

/** @param {unknown} value */
function scalar(value) {
  return typeof value === "string" ? text(value) : String(value);
}

/** @param {string} value */
function text(value) {
  return PLAIN.test(value) && !SPECIAL.test(value) ? value : JSON.stringify(value);
}
