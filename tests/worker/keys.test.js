// @ts-check
// Signing keys over HTTP: made and imported by WebCrypto, judged by node:crypto.
import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync, verify } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { ADMINISTRATOR, BOOTSTRAP_TOKEN, api, browser, code, exchange, introspect, read, register, serve } from "./support.js";

const KEYS = "/api/v1/keys/";
const ALGORITHMS = ["EdDSA", "ES256", "RS256"];
const CACHED_MS = 15 * 60_000;
const PRIVATE = ["d", "p", "q", "dp", "dq", "qi"];

/** @type {string[]} what must be in no answer and no log */
const secrets = [];

/**
 * A key as another library makes it.
 *
 * @param {string} alg
 * @param {object} [options]
 * @returns {Record<string, any>}
 */
function made(alg, options) {
  const pair =
    alg === "EdDSA"
      ? generateKeyPairSync("ed25519")
      : alg === "ES256"
        ? generateKeyPairSync("ec", { namedCurve: "P-256" })
        : generateKeyPairSync("rsa", { modulusLength: 2048, ...options });
  const jwk = pair.privateKey.export({ format: "jwk" });
  for (const name of PRIVATE) if (name in jwk) secrets.push(/** @type {any} */ (jwk)[name]);
  return jwk;
}

/** @param {Record<string, any>} jwk */
const publicOf = (jwk) => Object.fromEntries(Object.entries(jwk).filter(([name]) => !PRIVATE.includes(name)));

describe("keys", () => {
  /** @type {import("./support.js").Server} */
  let server;
  /** @type {Record<string, Record<string, any>>} the first of each algorithm */
  const first = {};
  /** @type {string[]} */
  const answers = [];

  before(async () => (server = await serve({ script: "tests/worker/faulty.js", bindings: { EDGEMINT_LOG: "all" } })));
  after(async () => {
    await server.stop();
    for (const secret of secrets) {
      for (const text of [...answers, ...server.lines]) assert.equal(text.includes(secret), false, "a private part was told");
    }
  });

  /**
   * @param {string} method
   * @param {string} path
   * @param {unknown} [body]
   */
  const call = async (method, path, body) => {
    const answer = await read(
      await fetch(server.url + path, {
        method,
        headers: { authorization: `Bearer ${BOOTSTRAP_TOKEN}`, ...(body ? { "content-type": "application/json" } : {}) },
        body: body && JSON.stringify(body),
      }),
    );
    answers.push(answer.text);
    return answer;
  };
  /** @param {string} [query] @returns {Promise<any[]>} */
  const list = async (query = "page_size=100") => (await call("GET", `${KEYS}?${query}`)).body.results;
  const jwks = async () => /** @type {any[]} */ ((await call("GET", "/.well-known/jwks.json")).body.keys);
  /** @param {number} ahead */
  const clock = (ahead) => fetch(`${server.url}/faults`, { method: "POST", body: JSON.stringify({ ahead }) });

  /** @param {string} alg */
  async function tokens(alg) {
    const client = await register(server, { id_token_signed_response_alg: alg, access_token_format: "jwt" });
    const { body } = await exchange(server, client, await code(server, browser(server), client));
    return { client, ...body };
  }

  /**
   * The `kid` of a JWT, which the key of that name in the JWKS signed, as node:crypto sees it.
   *
   * @param {string} jwt
   * @returns {Promise<string>}
   */
  async function judged(jwt) {
    const [head, payload, signature] = jwt.split(".");
    const { alg, kid } = JSON.parse(Buffer.from(head, "base64url").toString());
    const jwk = (await jwks()).find((key) => key.kid === kid);
    assert.ok(jwk, `${kid} is not published`);
    const key = createPublicKey({ key: jwk, format: "jwk" });
    const how = alg === "ES256" ? /** @type {const} */ ({ key, dsaEncoding: "ieee-p1363" }) : key;
    const digest = alg === "EdDSA" ? null : "sha256";
    assert.ok(verify(digest, Buffer.from(`${head}.${payload}`), how, Buffer.from(signature, "base64url")));
    return kid;
  }

  test("the first key of each algorithm may be one from elsewhere, and signs at once", async () => {
    assert.deepEqual(await list(), []);
    for (const alg of ALGORITHMS) {
      const jwk = made(alg, { modulusLength: 3072 });
      const { status, headers, body } = await call("POST", KEYS, { alg, private_jwk: { ...jwk, kid: "theirs", key_ops: ["sign"], ext: true } });
      assert.deepEqual([status, body.alg, body.use, body.state], [201, alg, "sig", "signing"]);
      assert.equal(headers.get("location"), `${server.url}${KEYS}${body.kid}/`);
      const { kid, use, alg: named, ...numbers } = body.public_jwk;
      assert.deepEqual([numbers, kid, use, named], [publicOf(jwk), body.kid, "sig", alg]);
      assert.match(body.pk, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      assert.deepEqual((await call("GET", `${KEYS}${body.kid}/`)).body, body);
      assert.deepEqual((await call("GET", `${KEYS}${body.pk}/`)).body, body);
      first[alg] = { ...body, jwk };
    }
    assert.equal((await api(server, "/api/v1/first-run", ADMINISTRATOR)).status, 201);
    for (const alg of ALGORITHMS) assert.equal(await judged((await tokens(alg)).id_token), first[alg].kid);
    assert.equal((await list()).length, 3, "none was made besides");
  });

  test("a successor, made here or elsewhere, is published before it signs, and then signs", async () => {
    /** @type {Record<string, any>} */
    const before = {};
    /** @type {Record<string, any>} */
    const next = {};
    for (const alg of ALGORITHMS) {
      before[alg] = await tokens(alg);
      for (const body of [{ alg }, { alg, private_jwk: made(alg) }]) {
        const answer = await call("POST", KEYS, body);
        assert.deepEqual([answer.status, answer.body.state, answer.body.published_until], [201, "waiting", null]);
        assert.ok((await jwks()).some(({ kid }) => kid === answer.body.kid));
        // Both begin in one second, or one after the other: the later one signs in the end.
        next[alg] = answer.body;
      }
      assert.equal(await judged((await tokens(alg)).id_token), first[alg].kid);
    }
    await clock(CACHED_MS + 1_000);
    try {
      for (const alg of ALGORITHMS) {
        const now = await tokens(alg);
        assert.equal(await judged(now.id_token), next[alg].kid);
        const [old] = await list(`kid=${first[alg].kid}`);
        assert.equal(old.state, "published");
        assert.equal((await introspect(server, before[alg].client, before[alg].access_token)).body.active, true);
        assert.equal((await call("DELETE", `${KEYS}${first[alg].pk}/`)).status, 204);
        assert.equal((await jwks()).some(({ kid }) => kid === first[alg].kid), false);
        assert.equal((await introspect(server, before[alg].client, before[alg].access_token)).body.active, false);
        assert.equal((await introspect(server, now.client, now.access_token)).body.active, true);
        assert.equal((await call("DELETE", `${KEYS}${first[alg].pk}/`)).status, 404);
      }
    } finally {
      await clock(0);
    }
  });

  test("a key that waits is taken back, the one that signs is not, and a rotation makes way", async () => {
    const { body: waits } = await call("POST", KEYS, { alg: "ES256" });
    assert.equal((await call("DELETE", `${KEYS}${waits.kid}/`)).status, 204);
    assert.equal((await jwks()).some(({ kid }) => kid === waits.kid), false);
    await clock(CACHED_MS + 1_000);
    try {
      const [signs] = await list("alg=ES256&state=signing");
      const refused = await call("DELETE", `${KEYS}${signs.kid}/`);
      assert.equal(refused.status, 409);
      assert.match(refused.body.detail, /rotate first/);
      assert.equal((await call("POST", "/api/v1/keys/rotate", {})).status, 200);
      await clock(2 * CACHED_MS + 3_000);
      assert.equal((await call("DELETE", `${KEYS}${signs.kid}/`)).status, 204);
      assert.notEqual(await judged((await tokens("ES256")).id_token), signs.kid);
    } finally {
      await clock(0);
    }
  });

  test("what is no private key of its algorithm is refused, and the field named", async () => {
    const known = await list();
    const keys = Object.fromEntries(ALGORITHMS.map((alg) => [alg, made(alg)]));
    const others = Object.fromEntries(ALGORITHMS.map((alg) => [alg, made(alg)]));
    /** @type {[string, unknown][]} */
    const bad = [
      ["RS256", made("RS256", { modulusLength: 1024 })],
      ["RS256", made("RS256", { publicExponent: 3 })],
      ["EdDSA", { kty: "oct", k: Buffer.alloc(32, 7).toString("base64url") }],
      ["EdDSA", generateKeyPairSync("x25519").privateKey.export({ format: "jwk" })],
      ["ES256", generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey.export({ format: "jwk" })],
      ["ES256", "text"],
    ];
    for (const alg of ALGORITHMS) {
      const key = keys[alg];
      for (const other of ALGORITHMS) if (other !== alg) bad.push([alg, keys[other]]);
      bad.push([alg, publicOf(key)]);
      bad.push([alg, { ...key, alg: "HS256" }], [alg, { ...key, use: "enc" }], [alg, { ...key, key_ops: ["verify"] }], [alg, { ...key, colour: "red" }]);
      // Halves of two keys, whichever half is whose.
      for (const name of PRIVATE.filter((name) => name in key)) bad.push([alg, { ...key, [name]: others[alg][name] }]);
      bad.push([alg, { ...others[alg], ...publicOf(key) }]);
    }
    for (const [alg, private_jwk] of bad) {
      const { status, headers, body } = await call("POST", KEYS, { alg, private_jwk });
      const label = `${alg} ${JSON.stringify(private_jwk)}`;
      assert.deepEqual([status, headers.get("content-type")], [400, "application/problem+json"], label);
      assert.deepEqual(body.errors[0].loc, ["body", "private_jwk"], label);
    }
    for (const [body, field] of /** @type {[unknown, string][]} */ ([
      [{}, "alg"],
      [{ alg: "HS256" }, "alg"],
      [{ alg: "ES256", name: "mine" }, "name"],
    ])) {
      const answer = await call("POST", KEYS, body);
      assert.deepEqual([answer.status, answer.body.errors[0].loc], [400, ["body", field]]);
    }
    assert.deepEqual((await list()).map(({ kid }) => kid), known.map(({ kid }) => kid));
    // What was refused for one half takes nothing from the key whose half it was.
    for (const alg of ALGORITHMS) assert.equal((await call("POST", KEYS, { alg, private_jwk: keys[alg] })).status, 201);
  });

  test("of ten that import one key at once, one does", async () => {
    const private_jwk = made("ES256");
    const asked = await Promise.all(Array.from({ length: 10 }, () => call("POST", KEYS, { alg: "ES256", private_jwk })));
    assert.deepEqual(asked.map(({ status }) => status).sort(), [201, ...Array(9).fill(409)]);
  });

  test("who may, and what: every other refusal", async () => {
    const [{ kid }] = await list();
    for (const [method, path, status] of /** @type {[string, string, number][]} */ ([
      ["PUT", KEYS, 405],
      ["DELETE", KEYS, 405],
      ["PATCH", `${KEYS}${kid}/`, 405],
      ["POST", `${KEYS}${kid}/`, 405],
      ["GET", `${KEYS}${kid}`, 404],
      ["GET", `${KEYS}nothing/`, 404],
      ["DELETE", `${KEYS}nothing/`, 404],
      ["GET", `${KEYS}?colour=red`, 400],
    ])) {
      const answer = await call(method, path, method === "GET" || method === "DELETE" ? undefined : {});
      assert.deepEqual([answer.status, answer.headers.get("content-type")], [status, "application/problem+json"], `${method} ${path}`);
      assert.equal(answer.headers.has("allow"), status === 405);
    }
    assert.equal((await call("HEAD", KEYS)).status, 200);
    const stranger = await fetch(server.url + KEYS, { headers: { authorization: "Bearer guess" } });
    assert.equal(stranger.status, 401);
    const person = await tokens("ES256");
    const asPerson = await fetch(server.url + KEYS, { headers: { authorization: `Bearer ${person.access_token}` } });
    assert.equal(asPerson.status, 401);
    await stranger.body?.cancel();
    await asPerson.body?.cancel();
  });

  test("there is a limit, and what it says helps", async () => {
    for (;;) {
      const { status, body } = await call("POST", KEYS, { alg: "ES256" });
      if (status === 201) continue;
      assert.equal(status, 409);
      assert.match(body.detail, /retire one first/);
      break;
    }
    const waiting = await list("state=waiting&alg=ES256&page_size=100");
    assert.equal((await call("DELETE", `${KEYS}${waiting[0].kid}/`)).status, 204);
    assert.equal((await call("POST", KEYS, { alg: "ES256" })).status, 201);
    assert.equal((await call("POST", "/api/v1/keys/rotate", {})).status, 200, "a rotation is never in its way");
  });
});
