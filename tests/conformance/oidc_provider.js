// @ts-check
// npm's oidc-provider in this process and in memory, with its own pages for development, as an OP under test.
import { createServer } from "node:http";
// @ts-expect-error: it comes without types
import Provider from "oidc-provider";
import { read } from "../worker/support.js";

const SECURE = "op.example";
const RESPONSE_TYPES = ["code", "id_token", "id_token token", "code id_token", "code token", "code id_token token"];
const CLAIMS = {
  openid: ["sub"],
  profile: [
    ...["name", "given_name", "family_name", "middle_name", "nickname", "profile", "picture", "website", "gender"],
    ...["birthdate", "zoneinfo", "locale", "updated_at", "preferred_username"],
  ],
  email: ["email", "email_verified"],
  address: ["address"],
  phone: ["phone_number", "phone_number_verified"],
};
const PERSON = {
  ...{ name: "Buffy Summers", given_name: "Buffy", family_name: "Summers", middle_name: "Anne", nickname: "Buff" },
  ...{ profile: "https://op.example/buffy", picture: "https://op.example/buffy.png", website: "https://buffy.example/" },
  ...{ gender: "female", birthdate: "1981-01-19", zoneinfo: "America/Los_Angeles", locale: "en-US", updated_at: 1_700_000_000 },
  ...{ preferred_username: "buffy", email: "buffy@op.example", email_verified: true },
  ...{ address: { locality: "Sunnydale" }, phone_number: "+1 555 0100", phone_number_verified: false },
};

// Its clock is ours, which is ahead when time has to pass.
const clock = Date.now.bind(Date);
let ahead = 0;
Date.now = () => clock() + ahead;

/** @returns {Promise<import("./op.js").Started>} */
export async function start() {
  /** @type {import("node:http").RequestListener} */
  let answer = () => {};
  const server = createServer((request, response) => answer(request, response)).unref();
  await new Promise((listening) => server.listen(0, "127.0.0.1", () => listening(undefined)));
  const issuer = `http://127.0.0.1:${/** @type {import("node:net").AddressInfo} */ (server.address()).port}`;
  const provider = quietly(() => new Provider(issuer, configuration()));
  provider.proxy = true;
  answer = provider.callback();
  /** @type {import("./op.js").Started["page"]} */
  function page(_, hidden) {
    if ("xsrf" in hidden) return { name: "logout", typed: { logout: "yes" } };
    return { name: hidden.prompt, typed: hidden.prompt === "login" ? { login: "buffy", password: "any will do" } : {} };
  }

  return {
    name: "oidc-provider",
    issuer,
    pkce: false,
    announced: async () => {
      // The issuer is what it was made with; the rest is as a proxy before it says.
      const headers = { "x-forwarded-proto": "https", "x-forwarded-host": SECURE };
      const secure = quietly(() => new Provider(`https://${SECURE}`, configuration()));
      secure.proxy = true;
      const inner = createServer(secure.callback()).unref();
      await new Promise((listening) => inner.listen(0, "127.0.0.1", () => listening(undefined)));
      const at = `http://127.0.0.1:${/** @type {import("node:net").AddressInfo} */ (inner.address()).port}`;
      return { issuer: `https://${SECURE}`, get: (url) => fetch(at + new URL(url, issuer).pathname, { headers }), stop: () => closed(inner) };
    },
    async register(metadata) {
      const asked = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(metadata) };
      const { status, body, text } = await read(await fetch(`${issuer}/reg`, asked));
      if (status !== 201) throw new Error(`register: ${status} ${text}`);
      return body;
    },
    page,
    async pass(seconds) {
      ahead += 1000 * seconds;
    },
    now: Date.now,
    stop: () => closed(server),
  };
}

/** @param {import("node:http").Server} server */
async function closed(server) {
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
}

function configuration() {
  return {
    claims: CLAIMS,
    scopes: ["openid", "offline_access"],
    responseTypes: RESPONSE_TYPES,
    acrValues: ["1", "2"],
    pkce: { required: () => false },
    enableHttpPostMethods: true, // which wants the cookies of other sites' requests, too
    cookies: { keys: ["a key of the tests"], long: { sameSite: "none" }, short: { sameSite: "none" } },
    findAccount: async (/** @type {any} */ _, /** @type {string} */ sub) => ({ accountId: sub, claims: async () => ({ sub, ...PERSON }) }),
    ttl: { AccessToken: 3600, AuthorizationCode: 60, Grant: 86400, IdToken: 600, Interaction: 900, RefreshToken: 86400, Session: 86400 },
    features: {
      claimsParameter: { enabled: true },
      registration: { enabled: true },
      rpInitiatedLogout: { enabled: true, logoutSource: shown, postLogoutSuccessSource: shown },
    },
    renderError: (/** @type {any} */ context, /** @type {any} */ { error }) => shown(context, error),
  };
}

/** Its own pages but those for development want to be replaced, and say so. @param {any} context @param {string} [form] */
function shown(context, form = "Done.") {
  context.type = "html";
  context.body = form;
}

/**
 * It warns of everything in it that is for development.
 *
 * @template T
 * @param {() => T} make
 * @returns {T}
 */
function quietly(make) {
  const { info, warn } = console;
  Object.assign(console, { info: () => {}, warn: () => {} });
  try {
    return make();
  } finally {
    Object.assign(console, { info, warn });
  }
}
