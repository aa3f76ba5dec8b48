// Starts Swagger UI on the document of this server. The validator badge would
// ask an outside host, so it is off.
window.ui = SwaggerUIBundle({
  url: "/openapi.json", dom_id: "#ui", deepLinking: true, validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis], persistAuthorization: false,
});
