// @ts-check
// The package in Node, as built into build/browser: the same verdicts as ring's.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { describe, test } from "node:test";

const built = new URL("../../build/browser/node.js", import.meta.url);
const vectors = new URL("../vectors/verdicts.json", import.meta.url);
const skip = existsSync(built) ? false : "build/browser is not built";

const edgemint = skip ? /** @type {any} */ ({}) : await import(built.href);
const { key_sets, cases } = JSON.parse(await readFile(vectors, "utf8"));

/** @param {Promise<unknown>} call */
const verdict = (call) =>
  call.then(
    () => "accepted",
    (refusal) => refusal.code ?? refusal,
  );

describe("verdicts", { skip }, () => {
  for (const { name, call, token, keys, expected, verdict: wanted } of cases) {
    test(`${name}: ${wanted}`, async () => {
      assert.equal(await verdict(edgemint[call](token, key_sets[keys], expected)), wanted);
    });
  }

  test("a key set may be given as text", async () => {
    const { token, expected } = cases[0];
    const claims = await edgemint.verifyJwt(token, JSON.stringify(key_sets.issuer), expected);
    assert.equal(claims.iss, expected.issuer);
  });

  test("the platform's clock is read when no time is given", async (context) => {
    const { token, expected } = cases[0];
    const { now, ...rest } = expected;
    const clock = (/** @type {number} */ seconds) => {
      context.mock.method(Date, "now", () => seconds * 1000);
      return verdict(edgemint.verifyJwt(token, key_sets.issuer, rest));
    };
    assert.equal(await clock(now), "accepted");
    assert.equal(await clock(now + 310), "expired");
    assert.equal(await clock(now - 61), "not_yet_valid");
  });
});

describe("the authorization request", { skip }, () => {
  const options = {
    metadata: {
      authorization_endpoint: "https://issuer.example/oauth/authorize",
      code_challenge_methods_supported: ["S256"],
    },
    client_id: "spa",
    redirect_uri: "https://spa.example/callback",
    scope: "openid",
  };

  test("a pair's challenge is the hash of its verifier", async () => {
    const { verifier, challenge, method } = await edgemint.pkcePair();
    assert.match(verifier, /^[A-Za-z0-9_-]{43}$/);
    assert.equal(challenge, createHash("sha256").update(verifier).digest("base64url"));
    assert.equal(method, "S256");
  });

  test("a request is fresh each time, and its answer is taken once it fits", async () => {
    const first = await edgemint.authorizationRequest(options);
    const second = await edgemint.authorizationRequest(options);
    for (const name of ["state", "nonce", "verifier"]) assert.notEqual(first[name], second[name]);

    const sent = new URL(first.url).searchParams;
    assert.equal(sent.get("state"), first.state);
    assert.equal(sent.get("nonce"), first.nonce);
    const challenge = createHash("sha256").update(first.verifier).digest("base64url");
    assert.equal(sent.get("code_challenge"), challenge);

    const issuer = "https://issuer.example";
    const expected = { issuer, state: first.state, iss_required: true };
    const callback = new URL(options.redirect_uri);
    callback.search = String(new URLSearchParams({ code: "c", state: first.state, iss: issuer }));
    assert.equal(await edgemint.authorizationResponse(callback.href, expected), "c");
    const parameters = Object.fromEntries(callback.searchParams);
    assert.equal(await edgemint.authorizationResponse(parameters, expected), "c");
    const mixedUp = edgemint.authorizationResponse(callback.href, { ...expected, state: "other" });
    assert.equal(await verdict(mixedUp), "state_mismatch");
  });

  test("a refusal is an error with a code and the server's own words", async () => {
    const call = edgemint.authorizationResponse(
      "?error=access_denied&error_description=no&state=S",
      { issuer: "https://issuer.example", state: "S" },
    );
    await assert.rejects(call, {
      name: "EdgemintError",
      code: "authorization_refused",
      error: "access_denied",
      error_description: "no",
    });
  });

  test("a missing or wrong argument is refused by name", async () => {
    for (const given of [undefined, null, 7, {}, { ...options, client_id: 7 }]) {
      assert.equal(await verdict(edgemint.authorizationRequest(given)), "options_invalid");
    }
  });
});

test("an unverified token is shown as it is", { skip }, async () => {
  const { token } = cases[0];
  const [header, claims] = token.split(".").map((/** @type {string} */ part, /** @type {number} */ n) =>
    n < 2 ? JSON.parse(String(Buffer.from(part, "base64url"))) : part,
  );
  assert.deepEqual(await edgemint.decodeUnverified(token), { header, claims });
});
