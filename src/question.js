// @ts-check
/**
 * What the core is told of a request, as one text: each crossing into the core costs as much as a hash. Each look at a
 * header costs a third of a microsecond, so there are none at what an endpoint does not go by.
 */

/** Endpoints that are told a passphrase; no other is. */
const COPIES = ["export", "import"];
/** What is said by proxies that cannot say `X-Original-URL`. */
const OF_FORWARDER = ["x-forwarded-method", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-uri"];

/**
 * @param {string} id
 * @param {string} endpoint
 * @param {string} method
 * @param {string} path
 * @param {string} query
 * @param {{ cors?: boolean, hidden?: boolean, management?: boolean }} found where it goes
 * @param {Headers} headers
 * @param {string | undefined} body
 * @param {any} env
 */
export function question(id, endpoint, method, path, query, found, headers, body, env) {
  const first = `${id}\n${endpoint}\n${method}\n${path}\n${query}\n${line(headers.get("authorization"))}\n`;
  if (found.hidden) {
    return first + ofProxy(headers);
  }
  const said = found.cors ? ofResource(headers, endpoint) : ofPage(headers, endpoint, found.management);
  return `${first}${said}\n${address(headers, env)}\n${line(body)}`;
}

/**
 * Content type, cookie, origin, `Sec-Fetch-Site`, `X-CSRF-Token`, `User-Agent`, passphrase and `Accept`, for what pages of
 * other origins may call: it looks at no cookie and at nothing that only browsers say.
 *
 * @param {Headers} headers
 * @param {string} endpoint
 */
function ofResource(headers, endpoint) {
  return `${line(headers.get("content-type"))}\n\n\n\n\n\n\n${endpoint === "introspect" ? line(headers.get("accept")) : ""}`;
}

/**
 * The same for everything else.
 *
 * @param {Headers} headers
 * @param {string} endpoint
 * @param {boolean | undefined} managed
 */
function ofPage(headers, endpoint, managed) {
  const given = (/** @type {string} */ name, asked = true) => (asked ? line(headers.get(name)) : "");
  return (
    `${given("content-type")}\n${given("cookie")}\n${given("origin")}\n${given("sec-fetch-site")}\n${given("x-csrf-token")}\n` +
    `${given("user-agent", endpoint === "login")}\n${given("x-export-passphrase", managed === true && COPIES.includes(endpoint))}\n`
  );
}

/**
 * The peer's address: only the platform sets this header, and a local run has none that could be trusted.
 *
 * @param {Headers} headers
 * @param {any} env
 */
function address(headers, env) {
  return env.LOCAL ? "" : line(headers.get("cf-connecting-ip"));
}

/**
 * The same where a proxy asks, and what it says of the request that it asks about. It asks without a body, and the forms
 * behind it are not ours.
 *
 * @param {Headers} headers
 */
function ofProxy(headers) {
  const url = headers.get("x-original-url");
  const method = headers.get("x-original-method");
  const said =
    `\n${line(headers.get("cookie"))}\n${line(headers.get("origin"))}\n\n\n\n\n\n\n${line(headers.get("x-edgemint-proxy"))}\n${line(url)}\n` +
    `${line(method)}\n${line(headers.get("x-requested-with"))}\n${line(headers.get("x-forwarded-for"))}\n`;
  if (url !== null) {
    return method === "OPTIONS" ? said + preflight(headers) : `${said}\n`;
  }
  let lines = said + preflight(headers);
  for (const name of OF_FORWARDER) {
    lines += `${line(headers.get(name))}\n`;
  }
  return lines;
}

/** @param {Headers} headers */
function preflight(headers) {
  return `${line(headers.get("access-control-request-method"))}\n`;
}

/**
 * How the core reads whether something is there.
 *
 * @param {string | null | undefined} value
 */
export function line(value) {
  return value === null || value === undefined ? "" : `=${value}`;
}
