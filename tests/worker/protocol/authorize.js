// @ts-check
// Authorization requests and answers, PKCE, redirect URIs, metadata. RFC 6749, 7636, 8414, 9207, OpenID Connect Core.
import assert from "node:assert/strict";
import { VERIFIER, challenge, formOf, read } from "../support.js";
import { NOBODY, REDIRECT } from "../subjects/subject.js";

/** @typedef {import("../subjects/subject.js").Subject} Subject @type {Record<string, (s: Subject) => Promise<unknown>>} */
export const discovery = {
  "the metadata names the issuer that it was read from": async (s) => assert.equal(s.metadata.issuer, s.issuer),
  "the metadata has what OpenID Connect Discovery requires": async ({ metadata }) => {
    for (const name of ["authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"]) assert.ok(new URL(metadata[name]), name);
    assert.ok(metadata.response_types_supported.includes("code"));
    assert.ok(metadata.subject_types_supported.includes("public"));
    assert.ok(metadata.id_token_signing_alg_values_supported.includes("RS256"));
    assert.ok(metadata.scopes_supported.includes("openid"));
  },
  "the metadata promises S256 and no other method": async ({ metadata }) => assert.deepEqual(metadata.code_challenge_methods_supported, ["S256"]),
  "the metadata promises iss in answers": async ({ metadata }) => assert.equal(metadata.authorization_response_iss_parameter_supported, true),
  "the metadata announces no answer with an access token": async ({ metadata }) => {
    const words = metadata.response_types_supported.flatMap((/** @type {string} */ type) => type.split(" "));
    assert.equal(words.includes("token"), false);
  },
  "the metadata does not say that request objects are taken": async ({ metadata }) => {
    assert.notEqual(metadata.request_parameter_supported, true);
    assert.notEqual(metadata.request_uri_parameter_supported, true); // absent means true, for OpenID Connect
  },
  "both metadata documents agree": async (s) => {
    const other = await read(await fetch(`${s.issuer}/.well-known/oauth-authorization-server`));
    assert.deepEqual(other.body, s.metadata);
  },
  "metadata and keys may be read by pages of any origin": async (s) => {
    for (const url of [`${s.issuer}/.well-known/openid-configuration`, s.metadata.jwks_uri]) {
      const { headers } = await fetch(url, { headers: { origin: "https://app.example" } });
      assert.ok(["*", "https://app.example"].includes(headers.get("access-control-allow-origin") ?? ""), url);
    }
  },
  "the keys are public, for signatures, and have names of their own": async (s) => {
    const { keys } = (await read(await fetch(s.metadata.jwks_uri))).body;
    assert.ok(keys.length > 0);
    for (const key of keys) {
      assert.deepEqual(["d", "p", "q", "dp", "dq", "qi", "k"].filter((part) => part in key), []);
      assert.equal(key.use, "sig");
    }
    assert.equal(new Set(keys.map((/** @type {any} */ { kid }) => kid)).size, keys.length);
  },
};

/** @type {Record<string, (s: Subject) => Promise<unknown>>} */
export const answers = {
  "a code comes with the state and the issuer, and with no token": async (s) => {
    const answer = await s.answered();
    assert.deepEqual([...answer.keys()].sort(), ["code", "iss", "state"]);
    assert.deepEqual([answer.get("state"), answer.get("iss")], ["state", s.issuer]);
  },
  "the state comes back as it was sent": async (s) => {
    for (const state of ["s t&=é+%20#?", '"\'<>\\', "0"]) assert.equal((await s.answered({ state })).get("state"), state);
  },
  "no state comes back where none was sent": async (s) => assert.equal((await s.answered({ state: undefined })).has("state"), false),
  "an error comes with the state and the issuer, and with no code": async (s) => {
    const answer = await s.answered({ response_type: "nonsense" });
    assert.deepEqual([answer.get("state"), answer.get("iss"), answer.has("code")], ["state", s.issuer, false]);
    assert.match(answer.get("error_description") ?? "", /^[\x20-\x21\x23-\x5b\x5d-\x7e]*$/);
  },
  "two codes are never equal": async (s) => assert.notEqual(await s.code(), await s.code()),
  "a request by POST is one by GET": async (s) => {
    const { location } = await s.authorize({ state: "by post" }, { post: true });
    assert.equal(location?.searchParams.get("state"), "by post");
    assert.equal((await s.exchange(location?.searchParams.get("code") ?? "")).status, 200);
  },
  "a parameter that nobody knows is ignored": async (s) => assert.ok(await s.code({ nonsense: "1" })),
  "a parameter that nobody knows may come twice": async (s) => assert.ok(await s.code({}, { more: "&nonsense=1&nonsense=2" })),
  "a parameter without a value is one that was not sent": async (s) => {
    assert.ok(await s.code({ prompt: "", max_age: "", nonce: "", claims: "" }));
    assert.equal(await s.refused({ code_challenge: "" }), "invalid_request");
  },
  "a person who says no sends back access_denied": async (s) =>
    assert.equal(await s.refused({}, { client: s.clients.asking, browser: s.open(), deny: true }), "access_denied"),
  "without a response type the request is invalid": async (s) => assert.equal(await s.refused({ response_type: undefined }), "invalid_request"),
  "an unknown response type is unsupported": async (s) => assert.equal(await s.refused({ response_type: "nonsense" }), "unsupported_response_type"),
  "a token is not an answer": async (s) => {
    for (const response_type of ["token", "id_token", "code token", "code id_token"]) {
      const { location } = await s.authorize({ response_type, nonce: "n" });
      const said = new URLSearchParams(location?.search || location?.hash.slice(1));
      assert.ok(["unsupported_response_type", "unauthorized_client"].includes(said.get("error") ?? ""), response_type);
      assert.deepEqual(["access_token", "id_token", "code"].filter((name) => said.has(name)), []);
    }
  },
  "an unknown response mode is refused": async (s) => {
    const { location, last } = await s.authorize({ response_mode: "nonsense" });
    if (location) assert.ok(["invalid_request", "unsupported_response_mode"].includes(location.searchParams.get("error") ?? ""));
    else assert.equal(last.status, 400);
  },
  "response_mode=query is the default": async (s) => assert.ok(await s.code({ response_mode: "query" })),
  "response_mode=fragment has the answer there, an error too": async (s) => {
    for (const [form, name] of /** @type {const} */ ([[{}, "code"], [{ prompt: "none login" }, "error"]])) {
      const { location } = await s.authorize({ response_mode: "fragment", state: "s", ...form });
      assert.equal(location?.search, "");
      const said = new URLSearchParams(location.hash.slice(1));
      assert.ok(said.has(name) && said.get("state") === "s");
    }
  },
  "response_mode=form_post is a page that posts the answer": async (s) => {
    const { location, last } = await s.authorize({ response_mode: "form_post", state: "s" });
    assert.equal(location, undefined);
    assert.equal(last.status, 200);
    const form = formOf(last.text);
    assert.equal(form?.hidden.state, "s");
    assert.equal((await s.exchange(form?.hidden.code ?? "")).status, 200);
  },
  "a state that comes twice is refused": async (s) => assert.equal(await s.refused({}, { more: "&state=other" }), "invalid_request"),
  "a scope that comes twice is refused": async (s) => assert.equal(await s.refused({}, { more: "&scope=profile" }), "invalid_request"),
  "a challenge that comes twice is refused": async (s) => assert.equal(await s.refused({}, { more: `&code_challenge=${challenge("x".repeat(43))}` }), "invalid_request"),
  "a scope that nobody knows is not granted": async (s) => {
    const answer = await s.answered({ scope: "openid nonsense" });
    if (answer.has("error")) return assert.equal(answer.get("error"), "invalid_scope");
    const { body } = await s.exchange(answer.get("code") ?? "");
    assert.equal(body.scope.includes("nonsense"), false);
  },
  "a request object is refused by its own error": async (s) => assert.equal(await s.refused({ request: "e30.e30." }), "request_not_supported"),
  "a request object elsewhere is refused by its own error": async (s) =>
    assert.equal(await s.refused({ request_uri: "https://client.example/request" }), "request_uri_not_supported"),
  "prompt=none without a session is login_required": async (s) => assert.equal(await s.refused({ prompt: "none" }, { browser: s.open() }), "login_required"),
  "prompt=none with a session asks nobody": async (s) => {
    await s.code();
    assert.ok(await s.code({ prompt: "none" }));
  },
  "prompt=none beside another is refused": async (s) => assert.equal(await s.refused({ prompt: "none login" }), "invalid_request"),
  "prompt=login signs in anew": async (s) => {
    const first = claims((await s.tokens({ max_age: "3600" })).id_token);
    const again = claims((await s.tokens({ prompt: "login", max_age: "3600" })).id_token);
    assert.ok(again.auth_time >= first.auth_time);
  },
  "an unknown prompt is refused": async (s) => assert.equal(await s.refused({ prompt: "nonsense" }), "invalid_request"),
  "a max_age that is no number is refused": async (s) => {
    for (const max_age of ["soon", "-1", "1.5"]) assert.equal(await s.refused({ max_age }), "invalid_request", max_age);
  },
  "max_age brings auth_time": async (s) => assert.equal(typeof claims((await s.tokens({ max_age: "3600" })).id_token).auth_time, "number"),
  "a hint that is no token of ours is refused": async (s) => assert.equal(await s.refused({ id_token_hint: "nonsense", prompt: "none" }), "invalid_request"),
  "a hint about who is signed in is taken": async (s) => {
    const { id_token } = await s.tokens();
    assert.ok(await s.code({ id_token_hint: id_token, prompt: "none" }));
  },
};

/** @type {Record<string, (s: Subject) => Promise<unknown>>} */
export const pkce = {
  "no client gets a code without a challenge": async (s) => {
    for (const client of [s.clients.web, s.clients.page]) {
      assert.equal(await s.refused({ code_challenge: undefined, code_challenge_method: undefined }, { client }), "invalid_request");
    }
  },
  "a method without a challenge is refused": async (s) => assert.equal(await s.refused({ code_challenge: undefined }), "invalid_request"),
  "the method plain is refused": async (s) => assert.equal(await s.refused({ code_challenge_method: "plain", code_challenge: VERIFIER }), "invalid_request"),
  "a challenge without a method means plain, and is refused": async (s) => assert.equal(await s.refused({ code_challenge_method: undefined }), "invalid_request"),
  "an unknown method is refused": async (s) => assert.equal(await s.refused({ code_challenge_method: "s256" }), "invalid_request"),
  "a challenge that is too short is refused": async (s) => assert.equal(await s.refused({ code_challenge: "x".repeat(42) }), "invalid_request"),
  "a challenge that is too long is refused": async (s) => assert.equal(await s.refused({ code_challenge: "x".repeat(129) }), "invalid_request"),
  "a challenge with other characters is refused": async (s) => assert.equal(await s.refused({ code_challenge: `${"x".repeat(42)}+` }), "invalid_request"),
  "the longest verifier is as good as the shortest": async (s) => {
    for (const verifier of ["v".repeat(43), "~".repeat(128)]) {
      const code = await s.code({ code_challenge: challenge(verifier) });
      assert.equal((await s.exchange(code, { code_verifier: verifier })).status, 200);
    }
  },
};

/** @type {Record<string, (s: Subject) => Promise<unknown>>} */
export const redirects = {
  "nobody is led anywhere for a client that nobody knows": async (s) => s.notLed({ client_id: NOBODY }),
  "nobody is led anywhere without a client": async (s) => s.notLed({ client_id: undefined }),
  "nobody is led anywhere where the client comes twice": async (s) => s.notLed({}, { more: `&client_id=${s.clients.other.client_id}` }),
  "nobody is led anywhere where the redirect URI comes twice": async (s) => s.notLed({}, { more: `&redirect_uri=${encodeURIComponent(REDIRECT)}` }),
  "an absent redirect URI is refused": async (s) => s.notLed({ redirect_uri: undefined }),
  ...Object.fromEntries(
    Object.entries({
      "another host": "https://evil.example/callback",
      "a slash more": `${REDIRECT}/`,
      "a query more": `${REDIRECT}?x=1`,
      "an empty query": `${REDIRECT}?`,
      "a fragment": `${REDIRECT}#x`,
      "a segment more": `${REDIRECT}/evil`,
      "a dot segment": "https://client.example/x/../callback",
      "a host in capitals": "https://CLIENT.example/callback",
      "a path in capitals": "https://client.example/Callback",
      "an escaped letter": "https://client.example/%63allback",
      "its default port": "https://client.example:443/callback",
      "another scheme": "http://client.example/callback",
      "a user in front": "https://client.example@evil.example/callback",
      "a backslash": "https://client.example\\@evil.example/callback",
      "a blank behind": `${REDIRECT} `,
      "a dot behind the host": "https://client.example./callback",
      "no scheme": "//client.example/callback",
      "a script": "javascript:alert(1)//https://client.example/callback",
    }).map(([name, redirect_uri]) => [`a redirect URI that differs by ${name} is refused, and not led to`, async (/** @type {Subject} */ s) => s.notLed({ redirect_uri })]),
  ),
};

/** @param {string} jwt */
function claims(jwt) {
  return JSON.parse(String(Buffer.from(jwt.split(".")[1], "base64url")));
}
