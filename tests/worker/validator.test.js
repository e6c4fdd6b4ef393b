// @ts-check
// `edgemint/validator` as its users have it: in Node, and in a Worker in front of an origin.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { root } from "../../scripts/lib/steps.mjs";
import { BOOTSTRAP_TOKEN, api, ask, read, register, revoke, serveReady } from "./support.js";

const built = join(root, "build/browser");
const { createValidator, refusalResponse } = await import(join(built, "validator-node.js"));

const RESOURCE = "https://resource.example/";
const OWNER = "c-resource-server";
const HOUR = 3_600_000;
const UNAVAILABLE = { active: false, error: "unavailable", status: 503, challenge: null, scope: null };

/** What a Worker of ours is made of, with this entry. @param {string} path */
function package_(path) {
  const elsewhere = /^(index|node|workerd|validator|validator-node|edgemint)\.js$/;
  const names = readdirSync(built).filter((name) => name.endsWith(".js") && !elsewhere.test(name));
  return [
    { type: "ESModule", path: join(built, "entry.js"), contents: readFileSync(join(root, path), "utf8") },
    ...names.map((name) => ({ type: "ESModule", path: join(built, name) })),
    { type: "CompiledWasm", path: join(built, "validation_bg.wasm") },
  ];
}

/** @typedef {{ validate: (authorization: string | null, required?: object) => Promise<any>, validateAll: (authorizations: (string | null)[], required?: object) => Promise<any[]>, asked: (what?: string) => Promise<number> }} Resource */

describe("edgemint/validator", () => {
  /** @type {import("./support.js").Server} */
  let server;
  /** @type {import("./support.js").Client} */
  let owner;
  /** @type {Record<string, import("./support.js").Client>} with either form of tokens */
  const clients = {};
  /** @type {any} */
  let caller;
  /** @type {any} */
  let front;

  before(async () => {
    const binding = /** @type {any} */ ({ name: "edgemint", entrypoint: "Edgemint", props: { client: OWNER } });
    server = await serveReady({
      workers: [
        {
          name: "caller",
          modules: [{ type: "ESModule", path: "caller.js", contents: readFileSync(join(root, "tests/worker/caller.js"), "utf8") }],
          compatibilityDate: "2026-05-03",
          serviceBindings: { OWNER: binding },
        },
        {
          name: "front",
          modulesRoot: built,
          modules: /** @type {any} */ (package_("tests/worker/front.js")),
          compatibilityDate: "2026-05-03",
          serviceBindings: { EDGEMINT: binding, ORIGIN: "origin" },
        },
        {
          name: "origin",
          modules: true,
          script: `export default { fetch: (request) => Response.json(Object.fromEntries(request.headers)) }`,
          compatibilityDate: "2026-05-03",
        },
      ],
    });
    caller = await server.mf.getWorker("caller");
    front = await server.mf.getWorker("front");
    const machine = { redirect_uris: [], grant_types: ["client_credentials"], scope: "a b" };
    owner = await register(server, { ...machine, client_id: OWNER, serves: [RESOURCE] });
    for (const format of ["sealed", "jwt"]) {
      clients[format] = await register(server, { ...machine, access_token_format: format, default_resource: RESOURCE });
    }
  });
  after(() => server?.stop());

  /** @param {string} format @param {string} [resource] */
  async function token(format, resource = RESOURCE) {
    const client = resource === OWNER ? owner : clients[format];
    const { body, text } = await ask(server, "/oauth/token", client, { grant_type: "client_credentials" });
    assert.ok(body.access_token, text);
    return body.access_token;
  }

  const resourceKeys = async () => (await api(server, "/api/v1/resource-keys", { resource: RESOURCE })).body;

  /** @param {unknown[]} values */
  const rpc = async (...values) => (await read(await caller.fetch("http://caller/OWNER/validate", { method: "POST", body: JSON.stringify(values) }))).body;

  const disturbed = { ahead: 0, /** @type {string | null} */ away: null };
  const platform = Date.now;

  /** Clock and network of a place. @type {Record<string, { faults: (faults: { ahead?: number, away?: string | null }) => Promise<void>, make: (options: any) => Promise<Resource> }>} */
  const places = {
    Node: {
      async faults({ ahead = 0, away = null }) {
        Object.assign(disturbed, { ahead, away });
        Date.now = ahead === 0 ? platform : () => platform() + disturbed.ahead;
      },
      async make({ binding, ...options }) {
        /** @type {string[]} */
        const asked = [];
        const validator = createValidator({
          issuer: server.url,
          audience: RESOURCE,
          ...options,
          ...(binding ? { binding: { validate: (/** @type {Request} */ request, /** @type {object} */ required) => rpc(Object.fromEntries(request.headers), required) } } : {}),
          fetch: (/** @type {string} */ url, /** @type {RequestInit} */ init) => {
            asked.push(new URL(url).pathname);
            if (disturbed.away !== null && new URL(url).pathname.includes(disturbed.away)) throw new Error("away");
            return fetch(url, init);
          },
        });
        const validateAll = (/** @type {any[]} */ authorizations, /** @type {any} */ required) => Promise.all(authorizations.map((one) => validator.validate(one, required)));
        return { validate: validator.validate, validateAll, asked: async (what = "jwks") => asked.filter((path) => path.includes(what)).length };
      },
    },
    workerd: {
      faults: async ({ ahead = 0, away = null }) => front.fetch("http://front/faults", { method: "POST", body: JSON.stringify({ ahead, away }) }),
      async make(options) {
        const id = crypto.randomUUID();
        await front.fetch(`http://front/make/${id}`, { method: "POST", body: JSON.stringify({ issuer: server.url, audience: RESOURCE, ...options }) });
        const some = async (/** @type {any[]} */ authorizations, /** @type {any} */ required) => {
          const body = JSON.stringify({ authorizations, required });
          const answer = await front.fetch(`http://front/validate/${id}`, { method: "POST", body });
          assert.equal(answer.status, 200);
          return answer.json();
        };
        // By several requests, as they come.
        const validateAll = async (/** @type {any[]} */ authorizations, /** @type {any} */ required) => {
          const parts = [];
          for (let from = 0; from < authorizations.length; from += 500) parts.push(some(authorizations.slice(from, from + 500), required));
          return (await Promise.all(parts)).flat();
        };
        const asked = async (what = "jwks") =>
          /** @type {string[]} */ (await (await front.fetch(`http://front/asked/${id}`)).json()).filter((path) => path.includes(what)).length;
        return { validate: async (one, required) => (await validateAll([one], required))[0], validateAll, asked };
      },
    },
  };

  const bearer = (/** @type {string} */ text) => `Bearer ${text}`;
  const introspection = () => ({ introspection: { clientId: OWNER, clientSecret: /** @type {string} */ (owner.client_secret) } });
  const polled = (/** @type {number} */ maxAge) => ({ revocations: { token: BOOTSTRAP_TOKEN, maxAge } });
  /** @param {any} verdict what a binding says of it, too */
  const said = (verdict) => {
    if (verdict.active) return verdict;
    const { error, status, challenge } = verdict;
    return { error, status, challenge };
  };

  for (const [name, place] of Object.entries(places)) {
    describe(name, () => {
      after(() => place.faults({}));

      test("one verdict: offline, by binding, by introspection, and the issuer's own", async () => {
        const ways = {
          offline: await place.make({ resourceKeys: await resourceKeys(), ...polled(1) }),
          binding: await place.make({ binding: true, ...polled(1) }),
          introspection: await place.make({ ...introspection(), ...polled(1) }),
        };
        const [sealed, jwt, other, dead] = [await token("sealed"), await token("jwt"), await token("sealed", OWNER), await token("sealed")];
        const deadJwt = await token("jwt");
        assert.equal((await revoke(server, clients.sealed, dead)).status, 200);
        assert.equal((await revoke(server, clients.jwt, deadJwt)).status, 200);
        const [head, body, signature] = jwt.split(".");
        const altered = Buffer.from(JSON.stringify({ ...JSON.parse(String(Buffer.from(body, "base64url"))), sub: "u_x" })).toString("base64url");
        const none = Buffer.from('{"alg":"none","typ":"at+jwt"}').toString("base64url");
        /** @type {[string, string | null, object | undefined, number][]} */
        const cases = [];
        for (const [form, text] of [["sealed", sealed], ["jwt", jwt]]) {
          cases.push([form, bearer(text), undefined, 200], [form, `bEARER ${text}`, { scopes: ["a", "b"] }, 200]);
          cases.push([form, bearer(text), { scopes: ["c", "a"], satisfy: "any" }, 200], [form, bearer(text), { scopes: ["c", "a"] }, 403]);
          cases.push([`${form}, cut`, bearer(text.slice(0, -2)), undefined, 401], [`${form}, longer`, bearer(`${text}AA`), undefined, 401]);
          cases.push([`${form} twice`, `Bearer ${text}, Bearer ${text}`, undefined, 401], [`${form} as Basic`, `Basic ${text}`, undefined, 401]);
        }
        cases.push(["revoked", bearer(dead), undefined, 401], ["revoked JWT", bearer(deadJwt), undefined, 401]);
        cases.push(["nothing", null, undefined, 401], ["empty", "", undefined, 401], ["a word", bearer("nonsense"), undefined, 401]);
        cases.push(["bare prefix", bearer("ema_"), undefined, 401], ["another kind", bearer(sealed.replace("ema_", "emr_")), undefined, 401]);
        cases.push(["altered", bearer(`${head}.${altered}.${signature}`), undefined, 401], ["unsigned", bearer(`${none}.${body}.`), undefined, 401]);
        for (const [what, authorization, required, status] of cases) {
          const own = await rpc(authorization === null ? {} : { authorization }, ...(required ? [required] : []));
          assert.equal(own.status ?? 200, status, `${what}: ${JSON.stringify(own)}`);
          for (const [way, resource] of Object.entries(ways)) {
            assert.deepEqual(said(await resource.validate(authorization, required)), own, `${what}, ${way}`);
          }
        }
        // For the owner itself, which the binding would take, but not for this resource.
        for (const [way, resource] of Object.entries(ways)) {
          const verdict = await resource.validate(bearer(other));
          assert.deepEqual([verdict.error, verdict.status], ["invalid_token", 401], way);
        }
      });

      test("offline asks nobody about a sealed token, and introspection is asked each time", async () => {
        const text = bearer(await token("sealed"));
        const offline = await place.make({ resourceKeys: await resourceKeys() });
        const asking = await place.make(introspection());
        for (let times = 0; times < 3; times += 1) {
          assert.equal((await offline.validate(text)).active, true);
          assert.equal((await asking.validate(text)).active, true);
        }
        assert.deepEqual([await offline.asked(""), await asking.asked("introspect"), await asking.asked("well-known")], [0, 3, 1]);
      });

      test("a sealed token that nobody can open or ask about gets no verdict", async () => {
        const resource = await place.make({});
        assert.deepEqual(await resource.validate(bearer(await token("sealed"))), { ...UNAVAILABLE, cause: "no_resource_keys" });
        assert.equal((await resource.validate(bearer(await token("jwt")))).active, true);
      });

      for (const format of ["sealed", "jwt"]) {
        test(`what was revoked is refused within the bound, and without a copy there is no verdict: ${format}`, async () => {
          const resource = await place.make({ resourceKeys: await resourceKeys(), ...polled(60) });
          const [first, second] = [await token(format), await token(format)];
          assert.equal((await resource.validate(bearer(first))).active, true);
          assert.equal((await revoke(server, clients[format], first)).status, 200);
          // Behind the answer, from half of the bound on.
          await place.faults({ ahead: 31_000 });
          await resource.validate(bearer(second));
          await eventually(async () => (await resource.validate(bearer(first))).cause === "token_revoked");
          assert.equal((await revoke(server, clients[format], second)).status, 200);
          // Before the answer, beyond it.
          await place.faults({ ahead: 92_000 });
          const refused = await resource.validate(bearer(second));
          assert.deepEqual([refused.error, refused.status, refused.cause], ["invalid_token", 401, "token_revoked"]);
          const third = bearer(await token(format));
          await place.faults({ ahead: 160_000, away: "revocations" });
          assert.deepEqual(await resource.validate(third), { ...UNAVAILABLE, cause: "revocations_outdated" });
          await place.faults({ ahead: 170_000 });
          assert.equal((await resource.validate(third)).active, true);
          await place.faults({});
        });
      }

      test("who comes at once shares one reading of keys, of addresses and of what was revoked", async () => {
        const resource = await place.make(polled(60));
        const text = bearer(await token("jwt"));
        const verdicts = await resource.validateAll(Array.from({ length: 50 }, () => text));
        assert.ok(verdicts.every(({ active }) => active));
        assert.deepEqual([await resource.asked("jwks"), await resource.asked("openid"), await resource.asked("revocations")], [1, 1, 1]);
      });

      test("rs_7_10,000 keys that nobody has cause one fetch an interval", async () => {
        const resource = await place.make({});
        const good = bearer(await token("jwt"));
        assert.equal((await resource.validate(good)).active, true);
        const [, body, signature] = good.split(".");
        const flood = async () => {
          const texts = Array.from({ length: 10_000 }, () => {
            const header = { alg: "EdDSA", typ: "at+jwt", kid: crypto.randomUUID() };
            return bearer(`${Buffer.from(JSON.stringify(header)).toString("base64url")}.${body}.${signature}`);
          });
          const verdicts = await resource.validateAll(texts);
          assert.ok(verdicts.every(({ status, error }) => status === 401 && error === "invalid_token"), JSON.stringify(verdicts[0]));
        };
        await flood();
        assert.equal(await resource.asked(), 1);
        await place.faults({ ahead: 31_000 });
        await flood();
        assert.equal(await resource.asked(), 2);
        await flood();
        assert.equal(await resource.asked(), 2);
        assert.equal((await resource.validate(good)).active, true);
        await place.faults({});
      });

      test("a key that was rotated in is fetched when it is first named", async () => {
        const resource = await place.make({});
        assert.equal((await resource.validate(bearer(await token("jwt")))).active, true);
        assert.equal((await api(server, "/api/v1/keys/rotate", { at_once: true })).status, 200);
        const text = bearer(await token("jwt"));
        assert.deepEqual((await resource.validate(text)).cause, "key_unknown");
        await place.faults({ ahead: 31_000, away: "jwks" });
        assert.deepEqual(await resource.validate(text), { ...UNAVAILABLE, cause: "no_keys" });
        await place.faults({ ahead: 62_000 });
        assert.equal((await resource.validate(text)).active, true);
        assert.equal(await resource.asked(), 3);
        await place.faults({});
      });

      test("keys of before go on for an hour while none can be fetched, and then there is no verdict", async () => {
        const resource = await place.make({});
        await place.faults({ away: "well-known" });
        assert.deepEqual(await resource.validate(bearer(await token("jwt"))), { ...UNAVAILABLE, cause: "no_keys" });
        await place.faults({ ahead: 2_000 });
        assert.equal((await resource.validate(bearer(await token("jwt")))).active, true);
        const before = await resource.asked();
        const text = bearer(await token("jwt"));
        await place.faults({ ahead: 59 * 60_000, away: "jwks" });
        assert.equal((await resource.validate(text)).active, true);
        assert.equal((await resource.validate(text)).active, true);
        assert.equal(await resource.asked(), before + 1);
        await place.faults({ ahead: HOUR + 30_000, away: "jwks" });
        assert.deepEqual(await resource.validate(text), { ...UNAVAILABLE, cause: "no_keys" });
        await place.faults({});
      });

      test("without the issuer, binding and introspection give no verdict", async () => {
        const text = bearer(await token("sealed"));
        const resource = await place.make(introspection());
        await place.faults({ away: "introspect" });
        assert.deepEqual(await resource.validate(text), { ...UNAVAILABLE, cause: "issuer_away" });
        await place.faults({});
        const stranger = await place.make({ introspection: { clientId: OWNER, clientSecret: "another" } });
        assert.deepEqual(await stranger.validate(text), { ...UNAVAILABLE, cause: "issuer_away" });
      });

      test("after a new epoch the keys of the resource have to be fetched anew", async () => {
        const before = await resourceKeys();
        const old = bearer(await token("sealed"));
        const offline = await place.make({ resourceKeys: before, ...polled(1) });
        const asking = await place.make({ resourceKeys: before, binding: true, ...polled(1) });
        assert.equal((await offline.validate(old)).active, true);
        assert.equal((await api(server, "/api/v1/epoch", {})).status, 200);
        await place.faults({ ahead: 2_000 });
        assert.equal((await offline.validate(old)).cause, "token_revoked");
        const text = bearer(await token("sealed"));
        assert.deepEqual(await offline.validate(text), { ...UNAVAILABLE, cause: "resource_keys_outdated" });
        assert.equal((await asking.validate(text)).active, true);
        const anew = await place.make({ resourceKeys: JSON.stringify(await resourceKeys()), ...polled(1) });
        assert.equal((await anew.validate(text)).active, true);
        await place.faults({});
      });
    });
  }

  test("a Worker lets through to its origin what is good, and answers the rest itself", async () => {
    const id = crypto.randomUUID();
    const options = { issuer: server.url, audience: RESOURCE, resourceKeys: await resourceKeys(), ...polled(60) };
    await front.fetch(`http://front/make/${id}`, { method: "POST", body: JSON.stringify(options) });
    const go = (/** @type {Record<string, string>} */ headers) => front.fetch(`http://front/origin/${id}`, { headers });
    const good = await go({ authorization: bearer(await token("sealed")), "x-user": "forged" });
    const seen = await good.json();
    assert.deepEqual([good.status, seen["x-user"], seen.authorization], [200, `bot-${clients.sealed.client_id}`.toLowerCase(), undefined]);
    const none = await go({});
    assert.deepEqual([none.status, none.headers.get("www-authenticate"), none.headers.get("cache-control")], [401, 'Bearer realm="edgemint"', "no-store"]);
    const bad = await go({ authorization: bearer("nonsense") });
    assert.deepEqual([bad.status, await bad.json()], [401, { error: "invalid_token" }]);
  });

  describe("in Node alone", () => {
    test("settings that do not fit are refused when it is made", async () => {
      const good = { issuer: "https://id.example", audience: RESOURCE };
      assert.ok(createValidator(good));
      const keys = { ...(await resourceKeys()), issuer: good.issuer };
      assert.ok(createValidator({ ...good, resourceKeys: keys }));
      for (const bad of [
        undefined,
        {},
        { ...good, issuer: "http://id.example" },
        { ...good, issuer: "https://id.example/" },
        { ...good, issuer: "id.example" },
        { ...good, issuer: "https://id.example?x" },
        { ...good, audience: "" },
        { ...good, resourceKeys: "no JSON" },
        { ...good, resourceKeys: {} },
        { ...good, resourceKeys: { ...keys, issuer: "https://other.example" } },
        { ...good, resourceKeys: { ...keys, resource: "https://other.example" } },
        { ...good, resourceKeys: { ...keys, keys: [] } },
        { ...good, resourceKeys: { ...keys, keys: [{ root: "x", key: "y" }] } },
        { ...good, binding: {} },
        { ...good, introspection: { clientId: "x" } },
        { ...good, revocations: { maxAge: 60 } },
        { ...good, revocations: { token: "x" } },
        { ...good, revocations: { token: "x", maxAge: 0 } },
        { ...good, revocations: { token: "x", maxAge: 86_401 } },
        { ...good, fetch: "x" },
      ]) {
        assert.throws(() => createValidator(bad), { code: "options_invalid" }, JSON.stringify(bad));
      }
    });

    test("a scope that is missing does not mean that none is needed", async () => {
      const { validate } = createValidator({ issuer: server.url, audience: RESOURCE, resourceKeys: await resourceKeys() });
      const text = bearer(await token("sealed"));
      for (const required of [{ scopes: [undefined] }, { scopes: [""] }, { scopes: "a" }, { scopes: ["a b"] }, { scopes: null }, { satisfy: "some" }]) {
        await assert.rejects(validate(text, required), { code: "options_invalid" }, JSON.stringify(required));
      }
      await assert.rejects(validate(text, { scopes: Array.from({ length: 65 }, (_, n) => `s${n}`) }), { code: "options_invalid" });
      await assert.rejects(validate({ authorization: text }), { code: "options_invalid" });
      assert.equal((await validate(new Request("https://resource.example/", { headers: { authorization: text } }), { scopes: ["a"] })).active, true);
      assert.equal((await validate(undefined)).cause, "no_token");
    });

    test("what answers in the issuer's place is believed nothing that it may not say", async () => {
      const issuer = "https://id.example";
      const text = bearer(await token("jwt"));
      const keys = await (await fetch(`${server.url}/.well-known/jwks.json`)).text();
      /** @param {Record<string, () => Response>} answers */
      const judged = async (answers) => {
        const asked = (/** @type {string} */ url, /** @type {RequestInit} */ init) => {
          assert.equal(init.redirect, "manual");
          const answer = answers[new URL(url).pathname];
          return Promise.resolve(answer ? answer() : new Response(null, { status: 404 }));
        };
        const { validate } = createValidator({ issuer, audience: RESOURCE, fetch: asked });
        return (await validate(text)).cause;
      };
      const metadata = (/** @type {object} */ other) => () => Response.json({ issuer, jwks_uri: `${issuer}/keys`, ...other });
      const at = "/.well-known/openid-configuration";
      const jwks = () => new Response(keys);
      // The keys are taken; the token is another issuer's.
      assert.equal(await judged({ [at]: metadata({}), "/keys": jwks }), "token_unknown");
      for (const [what, answers] of Object.entries({
        "another issuer": { [at]: metadata({ issuer: `${issuer}/` }), "/keys": jwks },
        "no issuer": { [at]: metadata({ issuer: undefined }), "/keys": jwks },
        "keys in the open": { [at]: metadata({ jwks_uri: "http://id.example/keys" }), "/keys": jwks },
        "keys nowhere": { [at]: metadata({ jwks_uri: undefined }), "/keys": jwks },
        "a secret in the address": { [at]: metadata({ jwks_uri: "https://a:b@id.example/keys" }), "/keys": jwks },
        "no JSON": { [at]: () => new Response("<html>"), "/keys": jwks },
        "long metadata": { [at]: () => new Response(" ".repeat(70_000) + JSON.stringify({ issuer, jwks_uri: `${issuer}/keys` })), "/keys": jwks },
        "long keys": { [at]: metadata({}), "/keys": () => new Response(" ".repeat(70_000) + keys) },
        "a redirect": { [at]: metadata({}), "/keys": () => Response.redirect("https://elsewhere.example/keys") },
        "a private key": { [at]: metadata({}), "/keys": () => Response.json({ keys: [{ kty: "OKP", crv: "Ed25519", x: "AA", d: "AA" }] }) },
        "no keys": { [at]: metadata({}), "/keys": () => Response.json({}) },
      })) {
        assert.equal(await judged(answers), "no_keys", what);
      }
    });

    test("keys are kept as long as max-age says, between five minutes and ten", async () => {
      const text = bearer(await token("jwt"));
      const keys = await (await fetch(`${server.url}/.well-known/jwks.json`)).text();
      for (const [told, minutes] of /** @type {[string | undefined, number][]} */ ([[undefined, 5], ["max-age=1", 5], ["public, max-age=480", 8], ["max-age=86400", 10], ["s-maxage=1", 5], ["max-age=x", 5]])) {
        let fetched = 0;
        const { validate } = createValidator({
          issuer: server.url,
          audience: RESOURCE,
          fetch: (/** @type {string} */ url, /** @type {RequestInit} */ init) => {
            if (!url.endsWith("jwks.json")) return fetch(url, init);
            fetched += 1;
            return Promise.resolve(new Response(keys, { headers: told ? { "cache-control": told } : {} }));
          },
        });
        const start = platform();
        const at = async (/** @type {number} */ elapsed) => {
          Date.now = () => start + elapsed;
          await validate(text);
          return fetched;
        };
        try {
          assert.deepEqual([await at(0), await at(minutes * 60_000 - 1), await at(minutes * 60_000)], [1, 1, 2], String(told));
        } finally {
          Date.now = platform;
        }
      }
    });

    test("what was revoked is asked for with a token that is given each time", async () => {
      let given = 0;
      const reader = await register(server, {
        redirect_uris: [],
        grant_types: ["client_credentials"],
        scope: "revocation:read",
        default_resource: `${server.url}/api/v1`,
      });
      const revocations = {
        maxAge: 1,
        async token() {
          given += 1;
          return (await ask(server, "/oauth/token", reader, { grant_type: "client_credentials" })).body.access_token;
        },
      };
      const { validate } = createValidator({ issuer: server.url, audience: RESOURCE, resourceKeys: await resourceKeys(), revocations });
      const text = bearer(await token("sealed"));
      assert.equal((await validate(text)).active, true);
      await eventually(async () => (await validate(text)).active && given > 1);
      const refused = { ...revocations, token: () => Promise.reject(new Error("no token")) };
      const without = createValidator({ issuer: server.url, audience: RESOURCE, resourceKeys: await resourceKeys(), revocations: refused });
      assert.equal((await without.validate(text)).cause, "revocations_outdated");
    });

    test("a refusal becomes an answer with its challenge, and no verdict one to come back for", async () => {
      const challenge = 'Bearer realm="edgemint"';
      const refused = refusalResponse({ error: "invalid_token", status: 401, challenge });
      assert.deepEqual([refused.status, refused.headers.get("www-authenticate"), refused.headers.get("retry-after")], [401, challenge, null]);
      const away = refusalResponse({ error: "unavailable", status: 503, challenge: null });
      assert.deepEqual([away.status, away.headers.get("www-authenticate"), away.headers.get("retry-after")], [503, null, "1"]);
      assert.deepEqual(await away.json(), { error: "unavailable" });
    });
  });
});

/** @param {() => Promise<boolean>} isIt */
async function eventually(isIt) {
  // As long as the runner lets a file run.
  while (!(await isIt())) await new Promise((done) => setImmediate(done));
}
