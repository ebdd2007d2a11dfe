// Shows the service's own OpenAPI document; nothing is asked of any other host.
window.SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#document",
  deepLinking: true,
  docExpansion: "list",
  filter: true,
  validatorUrl: null, // else the document is sent to a checker elsewhere
  persistAuthorization: false,
  presets: [window.SwaggerUIBundle.presets.apis],
});
