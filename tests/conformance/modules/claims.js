// @ts-check
// Scopes, the claims parameter, UserInfo.
import assert from "node:assert/strict";
import { checkError, checkStandardClaims } from "../checks.js";
import { skip } from "../run.js";

/** OpenID Connect Core §5.4. @type {Record<string, string[]>} */
const OF_SCOPE = {
  profile: [
    ...["name", "given_name", "family_name", "middle_name", "nickname", "profile", "picture", "website", "gender"],
    ...["birthdate", "zoneinfo", "locale", "updated_at", "preferred_username"],
  ],
  email: ["email", "email_verified"],
  address: ["address"],
  phone: ["phone_number", "phone_number_verified"],
};

/** @typedef {import("../run.js").Run} Run @type {Record<string, (run: Run) => Promise<void>>} */
export const claims = {
  "oidcc-userinfo-get": async (run) => userinfo(run, "get"),

  "oidcc-userinfo-post-header": async (run) => userinfo(run, "post-header"),

  async "oidcc-userinfo-post-body"(run) {
    const { access, claims: said } = await run.signIn(await run.register());
    for (const token of access) {
      const { status, body } = await run.askUserinfo(token, "post-body");
      if (status === 200) assert.equal(body.sub, said.sub);
      else assert.ok(status >= 400 && status < 500, String(status));
      run.warn(status === 200, "UserInfo does not take the token in the body");
    }
  },

  "oidcc-scope-profile": async (run) => scopes(run, ["profile"]),
  "oidcc-scope-email": async (run) => scopes(run, ["email"]),
  "oidcc-scope-address": async (run) => scopes(run, ["address"]),
  "oidcc-scope-phone": async (run) => scopes(run, ["phone"]),
  "oidcc-scope-all": async (run) => scopes(run, ["profile", "email", "address", "phone"]),

  "oidcc-alternate-happy-flow": async (run) => scopes(run, ["email"], true),

  async "oidcc-claims-essential"(run) {
    const place = run.gives.code || run.gives.token ? "userinfo" : "id_token";
    const { access, idTokens } = await run.signIn(await run.register(), { claims: JSON.stringify({ [place]: { name: { essential: true } } }) });
    for (const { claims: said } of idTokens) {
      if (place === "id_token") run.warn("name" in said, "the essential name is not in the ID token");
      else run.warn(!("name" in said), "the ID token has a name that was asked of UserInfo");
    }
    for (const token of access) run.warn("name" in (await run.askUserinfo(token)).body, "the essential name is not in UserInfo");
  },
};

/** @param {Run} run @param {"get" | "post-header"} how */
async function userinfo(run, how) {
  const { access, claims: said } = await run.signIn(await run.register());
  for (const token of access) {
    const { status, headers, body, text } = await run.askUserinfo(token, how);
    assert.equal(status, 200, text);
    assert.match(headers.get("content-type") ?? "", /^application\/json/);
    assert.equal(body.sub, said.sub);
    checkStandardClaims(body);
  }
}

/** @param {Run} run @param {string[]} asked @param {boolean} [reversed] scopes and parameters are the other way round */
async function scopes(run, asked, reversed = false) {
  const missing = asked.filter((scope) => !run.op.metadata.scopes_supported.includes(scope));
  if (missing.length > 0) await unannounced(run, missing);
  const scope = ["openid", ...asked];
  const how = reversed ? { order: (/** @type {[string, string][]} */ query) => query.toReversed() } : {};
  const { access, idTokens } = await run.signIn(await run.register(), { scope: (reversed ? scope.toReversed() : scope).join(" ") }, how);
  const expected = asked.flatMap((each) => OF_SCOPE[each]);
  for (const { claims: said } of idTokens) {
    if (access.length === 0) told(run, said, expected);
    else if (asked.join() === "email") run.warn(!("email" in said), "the ID token tells what UserInfo is for");
  }
  for (const token of access) {
    const { body } = await run.askUserinfo(token);
    checkStandardClaims(body);
    told(run, body, expected);
  }
}

/** A scope that the OP does not have is ignored, or refused by its name. @param {Run} run @param {string[]} missing */
async function unannounced(run, missing) {
  const client = await run.register();
  const { answer } = await run.answered(run.request(client, { scope: ["openid", ...missing].join(" ") }));
  if (answer.has("error")) checkError(answer, ["invalid_scope"]);
  skip(`${missing.join(", ")}: not announced`);
}

/** @param {Run} run @param {Record<string, unknown>} said @param {string[]} expected */
function told(run, said, expected) {
  const untold = expected.filter((name) => !(name in said));
  run.warn(untold.length === 0, `not told: ${untold.join(" ")}`);
}
