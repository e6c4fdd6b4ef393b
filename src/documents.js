// @ts-check
/**
 * What is the same for everybody and needs no core: the description of the management API, written when
 * the Worker is built, and the page that shows it. The viewer's own files are static, in `www/docs`.
 */
import imported from "../build/openapi.json";

/** It changes with a deployment; nobody is led astray by one of before for so long. */
const DESCRIPTION_CACHE = 300;

/** The viewer sends what people try to where it comes from, and loads nothing from anywhere else. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "form-action 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ");

// The description's place is relative: an issuer may have a path, the static files have none.
const PAGE = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Edgemint: the management API</title>
<link rel="icon" href="/favicon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/docs/swagger-ui/swagger-ui.css">
<link rel="stylesheet" href="/docs/viewer.css">
<script src="/docs/swagger-ui/swagger-ui-bundle.js" defer></script>
<script src="/docs/viewer.js" defer></script>
</head>
<body>
<a class="skip" href="#viewer">Skip to the content</a>
<header class="top"><a href="/">Edgemint</a><a href="v1/openapi.json">openapi.json</a></header>
<main id="viewer" tabindex="-1" data-description="v1/openapi.json"></main>
<noscript><p>This page needs JavaScript; <a href="v1/openapi.json">the description itself</a> does not.</p></noscript>
</body>
</html>
`;

/** Posts the form of an answer in `form_post` mode; whoever has no script finds a button there. */
const FORM_POST = "document.forms[0].submit();\n";

/** A text: `wrangler.toml` says so of the file. */
const description = /** @type {string} */ (/** @type {unknown} */ (imported));

/** @type {{ issuer?: string, text: string }} the description with its server in it */
const served = { text: description };

/** @param {string | undefined} issuer */
function described(issuer) {
  if (issuer && served.issuer !== issuer) {
    const document = JSON.parse(description);
    document.servers[0].url = issuer;
    served.text = JSON.stringify(document);
    served.issuer = issuer;
  }
  return served.text;
}

/**
 * The documents by the words of `routes.js`: a body and its headers.
 *
 * @type {Map<string, (env: any) => [string, Record<string, string>]>}
 */
export const documents = new Map(Object.entries({
  openapi: (env) => [
    described(env.ISSUER),
    {
      "content-type": "application/json",
      "cache-control": `public, max-age=${DESCRIPTION_CACHE}`,
      "access-control-allow-origin": "*",
      "x-content-type-options": "nosniff",
    },
  ],
  form_post_script: () => [
    FORM_POST,
    {
      "content-type": "text/javascript; charset=utf-8",
      "cache-control": `public, max-age=${DESCRIPTION_CACHE}`,
      "x-content-type-options": "nosniff",
    },
  ],
  docs: () => [
    PAGE,
    {
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-store",
      "content-security-policy": POLICY,
      "cross-origin-opener-policy": "same-origin",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
    },
  ],
}));
