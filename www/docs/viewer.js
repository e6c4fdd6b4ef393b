// The viewer of the API's description: Swagger UI, served by ourselves, in the colours that the reader's system has.
/* global SwaggerUIBundle */

const dark = matchMedia("(prefers-color-scheme: dark)");
const colour = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", colour);
colour();

const place = document.getElementById("viewer");
SwaggerUIBundle({
  url: place.dataset.description,
  domNode: place,
  deepLinking: true,
  docExpansion: "list",
  filter: true,
  defaultModelsExpandDepth: 0,
  // None of these is loaded or asked, whatever a description says.
  queryConfigEnabled: false,
  validatorUrl: null,
  // A token that was typed in is gone with the page.
  persistAuthorization: false,
});
