// @ts-check
// The configurations of docs/gate.md, as they stand there, in the real proxies in front of a tiny origin.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request as send } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { root } from "../../scripts/lib/steps.mjs";
import { proxyPath } from "../../scripts/proxies.mjs";
import { api, ask, browser, code, register, serveReady } from "./support.js";

const PROXY_SECRET = "proxy-canary-7hq2xw9ncz4kd5vtb8mf3y";
const HOST = "portal.example.org";
const documented = readFileSync(join(root, "docs/gate.md"), "utf8");

/** The example in the documentation. @param {string} language */
function example(language) {
  const found = new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\`$`, "m").exec(documented);
  assert.ok(found, `docs/gate.md has an example in ${language}`);
  return found[1];
}

/** @returns {Promise<number>} */
async function freePort() {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (probe.address());
  probe.close();
  await once(probe, "close");
  return port;
}

/**
 * A service that answers what it was sent, as JSON.
 *
 * @returns {Promise<{ port: number, close: () => void }>}
 */
async function origin() {
  const server = createServer((request, response) => response.end(JSON.stringify(request.headers))).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return { port, close: () => server.close() };
}

/**
 * How to start each proxy: what its configuration needs around it, and with which arguments.
 *
 * @type {Record<string, { name: "nginx" | "caddy", language: string, around: (site: string, folder: string) => string, run: (path: string, folder: string) => string[] }>}
 */
const PROXIES = {
  nginx: {
    name: "nginx",
    language: "nginx",
    around: (site, folder) => {
      const places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `${kind}_temp_path ${folder}/${kind};`);
      return `daemon off; pid ${folder}/pid; error_log stderr; events {} http { access_log off; ${places.join(" ")} ${site} }`;
    },
    run: (path, folder) => ["-p", folder, "-c", path],
  },
  Caddy: {
    name: "caddy",
    language: "caddy",
    around: (site) => `{\n\tadmin off\n\tauto_https off\n\tdefault_bind 127.0.0.1\n}\n${site}`,
    run: (path) => ["run", "--config", path, "--adapter", "caddyfile"],
  },
};

/**
 * A certificate that signs itself, for `localhost`; nothing where there is no `openssl`.
 *
 * @param {string} folder
 * @param {string} name
 * @returns {{ key: Buffer, cert: Buffer, path: string } | undefined}
 */
function certificate(folder, name) {
  const [key, path] = [join(folder, `${name}.key`), join(folder, `${name}.pem`)];
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const made = spawnSync("openssl", ["req", "-x509", ...curve, "-keyout", key, "-out", path, "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]);
  return made.status === 0 ? { key: readFileSync(key), cert: readFileSync(path), path } : undefined;
}

describe("nginx before an issuer with TLS", async () => {
  const program = await proxyPath("nginx");
  const folder = mkdtempSync(join(tmpdir(), "edgemint-proxy-tls-"));
  const [own, other] = [certificate(folder, "own"), certificate(folder, "other")];
  after(() => rmSync(folder, { recursive: true, force: true }));

  for (const [trusted, status] of /** @type {const} */ ([
    ["own", 200],
    ["other", 500],
  ])) {
    const skip = (program === undefined || own === undefined || other === undefined) && "nginx or openssl is not here";
    test(`the issuer is asked by name, and believed if its certificate is trusted: ${trusted}`, { skip }, async () => {
      assert.ok(program && own && other);
      const service = await origin();
      /** @type {[string | false | undefined, string][]} */
      const asked = [];
      const issuer = createSecureServer(own, (request, response) => {
        asked.push([/** @type {import("node:tls").TLSSocket} */ (request.socket).servername, String(request.headers["x-edgemint-proxy"])]);
        response.setHeader("X-Auth-Request-User", "ada").end();
      }).listen(0, "127.0.0.1");
      await once(issuer, "listening");
      const issuerPort = /** @type {import("node:net").AddressInfo} */ (issuer.address()).port;
      const port = await freePort();
      const site = example("nginx")
        .replace("listen 8080;", `listen 127.0.0.1:${port};`)
        .replaceAll("127.0.0.1:9000", `127.0.0.1:${service.port}`)
        .replaceAll("https://id.example.org", `https://localhost:${issuerPort}`)
        .replace("/etc/ssl/certs/ca-certificates.crt", (trusted === "own" ? own : other).path);
      const path = join(folder, trusted);
      writeFileSync(path, PROXIES.nginx.around(site, folder));
      const child = spawn(program, PROXIES.nginx.run(path, folder), { stdio: "ignore" });
      try {
        /** @type {Response | undefined} */
        let answer;
        for (let tries = 0; answer === undefined && tries < 100; tries += 1) {
          answer = await fetch(`http://127.0.0.1:${port}/`).catch(() => pause(50, undefined));
        }
        assert.equal(answer?.status, status);
        if (status === 200) assert.equal((await answer?.json())["x-auth-request-user"], "ada");
        assert.deepEqual(asked, status === 200 ? [["localhost", "PROXY_SECRET"]] : []);
      } finally {
        child.kill("SIGTERM");
        if (child.exitCode === null) await once(child, "exit");
        issuer.close();
        service.close();
      }
    });
  }
});

describe("docs/gate.md", () => {
  /** @type {import("./support.js").Server} */
  let server;
  /** @type {Awaited<ReturnType<typeof origin>>} */
  let service;
  /** @type {string} */
  let token;
  /** @type {string} */
  let elsewhere;
  /** @type {string} */
  let cookie;

  before(async () => {
    service = await origin();
    const worker = (/** @type {string} */ name, /** @type {string} */ contents, /** @type {any} */ serviceBindings) => ({
      name,
      modules: [{ type: /** @type {const} */ ("ESModule"), path: `${name}.js`, contents }],
      compatibilityDate: "2026-05-03",
      serviceBindings,
    });
    const echo = "export default { fetch: (request) => Response.json(Object.fromEntries(request.headers)) };";
    server = await serveReady({
      bindings: { PROXY_SECRET },
      workers: [
        worker("origin", echo, {}),
        worker("portal", example("js"), { EDGEMINT: { name: "edgemint", entrypoint: "Edgemint", props: { client: "portal" } }, ORIGIN: "origin" }),
      ],
    });
    await api(server, "/api/v1/scopes/", { name: "read", value: "read" });
    const issue = async (/** @type {string} */ audience, /** @type {string} */ scope) => {
      const client = await register(server, { redirect_uris: [], grant_types: ["client_credentials"], scope, default_resource: audience });
      const { body } = await ask(server, "/oauth/token", client, { grant_type: "client_credentials" });
      return body.access_token;
    };
    await register(server, { client_id: "portal", redirect_uris: [], grant_types: ["client_credentials"], scope: "read", serves: [`https://${HOST}/`] });
    token = await issue(`https://${HOST}/`, "read");
    elsewhere = await issue("https://other.example.org/", "read");
    const { results } = (await api(server, "/api/v1/users/?username=admin")).body;
    const given = await api(server, `/api/v1/users/${results[0].pk}/`, { scopes: ["admin:token", "read"] }, "PATCH");
    assert.equal(given.status, 200, given.text);
    const visitor = browser(server);
    await code(server, visitor, await register(server));
    cookie = Array.from(visitor.cookies, ([name, value]) => `${name}=${value}`).join("; ");
  });
  after(async () => {
    service.close();
    await server.stop();
  });

  const bearer = (/** @type {string} */ text) => ({ authorization: `Bearer ${text}` });

  for (const [title, { name, language, around, run }] of Object.entries(PROXIES)) {
    describe(title, async () => {
      const program = await proxyPath(name);
      const skip = program === undefined && `${title} is not here, and Debian's package cannot be had`;
      const folder = mkdtempSync(join(tmpdir(), "edgemint-proxy-"));
      /** @type {number} */
      let port;
      /** @type {import("node:child_process").ChildProcess | undefined} */
      let child;

      before(async () => {
        if (program === undefined) return;
        port = await freePort();
        const site = example(language)
          .replace("listen 8080;", `listen 127.0.0.1:${port};`)
          .replaceAll(":8080", `:${port}`)
          .replaceAll("127.0.0.1:9000", `127.0.0.1:${service.port}`)
          .replaceAll("https://id.example.org", server.url)
          // And what is delegated reaches the service.
          .replaceAll("service=portal&scope=read", "delegate_to=portal&delegate_scope=read&scope=read")
          .replaceAll("PROXY_SECRET", PROXY_SECRET);
        const path = join(folder, "configuration");
        mkdirSync(join(folder, "home"));
        writeFileSync(path, around(site, folder));
        child = spawn(program, run(path, folder), { stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, HOME: join(folder, "home") } });
        /** @type {string[]} */
        const said = [];
        child.stderr?.on("data", (chunk) => said.push(String(chunk)));
        for (let tries = 0; ; tries += 1) {
          try {
            await through({});
            break;
          } catch (error) {
            if (tries > 100 || child.exitCode !== null) throw new Error(`${title} does not serve: ${said.join("")}`, { cause: error });
            await pause(50);
          }
        }
      });
      after(async () => {
        if (child && child.exitCode === null) {
          child.kill("SIGTERM");
          await once(child, "exit");
        }
        rmSync(folder, { recursive: true, force: true });
      });

      /**
       * A request through the proxy; what the service was sent, if it was sent anything.
       *
       * @param {Record<string, string | string[]>} headers
       * @param {string} [path]
       * @param {string} [method]
       * @returns {Promise<{ status: number, headers: import("node:http").IncomingHttpHeaders, text: string, sent?: Record<string, string> }>}
       */
      function through(headers, path = "/data?x=1", method = "GET") {
        return new Promise((resolve, reject) => {
          const asked = send({ host: "127.0.0.1", port, path, method, headers: { host: HOST, ...headers } }, (answer) => {
            let text = "";
            answer.setEncoding("utf8");
            answer.on("data", (chunk) => (text += chunk));
            answer.on("end", () => {
              const status = answer.statusCode ?? 0;
              resolve({ status, headers: answer.headers, text, ...(status === 200 && text !== "" ? { sent: JSON.parse(text) } : {}) });
            });
          });
          asked.on("error", reject).end();
        });
      }

      test("a token passes, and the service hears who it is and no more", { skip }, async () => {
        const { status, sent } = await through(bearer(token));
        assert.equal(status, 200);
        assert.match(sent?.["x-auth-request-user"] ?? "", /^bot-/);
        assert.ok(!sent?.authorization, sent?.authorization);
        for (const name of ["x-edgemint-proxy", "x-original-url", "x-original-method"]) assert.ok(!sent?.[name], name);
        const delegated = sent?.["x-auth-request-token"] ?? "";
        assert.match(delegated, /^emt_/);
        const again = await through(bearer(delegated));
        assert.equal(again.sent?.["x-auth-request-user"], sent?.["x-auth-request-user"]);
        assert.equal(again.sent?.["x-auth-request-service"], "portal");
        assert.doesNotMatch(JSON.stringify(sent), /[{]http/);
        assert.ok(!JSON.stringify(sent).includes(token) && !JSON.stringify(sent).includes(PROXY_SECRET));
      });

      test("what a client says of itself does not count", { skip }, async () => {
        const forged = {
          "X-Auth-Request-User": "admin",
          "x-auth-request-email": "admin@example.org",
          "X-AUTH-REQUEST-SERVICE": "tap",
          "x-auth-request-token": "forged",
          "x-auth-request-body-hash": "sha-256=forged",
          "x-edgemint-proxy": "forged",
          "x-original-url": "https://other.example.org/",
          "x-original-method": "OPTIONS",
          "x-forwarded-host": "other.example.org",
          "x-forwarded-proto": "https",
          "x-forwarded-uri": "/",
          "x-forwarded-method": "OPTIONS",
          // As WSGI and CGI read it, one name.
          X_Auth_Request_Email: "admin@example.org",
          "X-Auth_Request-User": "admin",
          x_auth_request_service: "tap",
          X_Edgemint_Proxy: "forged",
        };
        const { status, sent } = await through({ ...bearer(token), ...forged });
        assert.equal(status, 200);
        assert.match(sent?.["x-auth-request-user"] ?? "", /^bot-/);
        for (const name of ["x-auth-request-email", "x-auth-request-service", "x-auth-request-body-hash", "x-edgemint-proxy", "x-original-url"]) assert.ok(!sent?.[name], name);
        assert.match(sent?.["x-auth-request-token"] ?? "", /^emt_/);
        assert.deepEqual(Object.keys(sent ?? {}).filter((name) => name.includes("_")), []);
        assert.equal((await through(forged)).status, 401);
        assert.equal((await through({ ...bearer(elsewhere), ...forged })).status, 401);
      });

      test("what a client calls hop-by-hop is taken out neither before the gate nor behind it", { skip }, async () => {
        const plain = (await through(bearer(token))).sent;
        for (const connection of [
          "X-Auth-Request-User",
          "close, x-auth-request-user, X-Auth-Request-Token",
          "X-Edgemint-Proxy, X-Original-URL, X-Original-Method, X-Forwarded-For",
          ["keep-alive", "X-Auth-Request-User"],
        ]) {
          const { status, sent } = await through({ ...bearer(token), connection });
          assert.equal(status, 200, `${connection}`);
          assert.equal(sent?.["x-auth-request-user"], plain?.["x-auth-request-user"], `${connection}`);
          assert.match(sent?.["x-auth-request-token"] ?? "", /^emt_/);
        }
        for (const connection of ["Authorization", "Cookie, Authorization"]) {
          const { status, sent } = await through({ cookie: "theirs=1", ...bearer(token), connection });
          assert.deepEqual([status, sent?.cookie], [200, "theirs=1"], connection);
        }
      });

      test("a host that the server does not have is no way to pass with another's token", { skip }, async () => {
        const { status, sent } = await through({ ...bearer(elsewhere), host: "other.example.org" });
        assert.ok(status === 401 || !sent?.["x-auth-request-user"], `${status}`);
        assert.equal((await through(bearer(elsewhere), "https://other.example.org/")).sent?.["x-auth-request-user"], undefined);
      });

      test("a session passes by its cookie, and other cookies and credentials go on", { skip }, async () => {
        const { status, sent } = await through({ cookie: `theirs=1; ${cookie}; more=2`, authorization: "Basic bm90OnVz" });
        assert.equal(status, 200);
        assert.equal(sent?.["x-auth-request-user"], "admin");
        assert.equal(sent?.cookie, "theirs=1; more=2");
        assert.equal(sent?.authorization, "Basic bm90OnVz");
        assert.ok(!(await through({ cookie })).sent?.cookie);
      });

      test("without a credential it is 401 with a challenge", { skip }, async () => {
        const { status, headers } = await through({});
        assert.equal(status, 401);
        assert.equal(headers["www-authenticate"], 'Bearer realm="127.0.0.1"');
        const dead = await through(bearer(`${token}x`));
        assert.equal(dead.status, 401);
        assert.match(String(dead.headers["www-authenticate"]), /error="invalid_token"/);
      });

      test("what is meant by a 403 arrives", { skip }, async () => {
        const malformed = await through({ authorization: "token foo" });
        assert.equal(malformed.status, 400);
        assert.match(String(malformed.headers["www-authenticate"]), /error="invalid_request"/);
        assert.equal(JSON.parse(malformed.text).errors[0].type, "invalid_request");
        const options = await through({}, "/", "OPTIONS");
        assert.equal(options.status, 404);
        const overrides = "/api/v1/quota-overrides";
        assert.equal((await api(server, overrides, { default: { api: { portal: 1 } } }, "PUT")).status, 200);
        try {
          /** @type {Awaited<ReturnType<typeof through>>[]} */
          const answers = [];
          for (let times = 0; times < 2; times += 1) answers.push(await through(bearer(token)));
          const refused = answers.at(-1);
          assert.equal(refused?.status, 429);
          assert.ok(Date.parse(refused?.headers["retry-after"] ?? "") > Date.now() - 5000);
          assert.equal(JSON.parse(refused?.text ?? "").errors[0].type, "rate_limited");
          assert.equal((await api(server, overrides, { default: { api: { portal: 0 } } }, "PUT")).status, 200);
          assert.equal((await through(bearer(token))).status, 403);
        } finally {
          assert.equal((await api(server, overrides, undefined, "DELETE")).status, 204);
        }
        assert.equal((await through(bearer(token))).status, 200);
      });
    });
  }

  describe("a Worker with the service binding", () => {
    /** @param {Record<string, string>} headers */
    async function through(headers) {
      const portal = await server.mf.getWorker("portal");
      const answer = await portal.fetch(`https://${HOST}/data`, { headers });
      return { status: answer.status, challenge: answer.headers.get("www-authenticate"), sent: answer.status === 200 ? /** @type {any} */ (await answer.json()) : {} };
    }

    test("a token passes, and the origin hears who it is and no more", async () => {
      const { status, sent } = await through({ ...bearer(token), "x-auth-request-user": "admin", "x-auth-request-email": "admin@example.org" });
      assert.equal(status, 200);
      assert.match(sent["x-auth-request-user"], /^bot-/);
      for (const name of ["authorization", "x-auth-request-email"]) assert.equal(sent[name], undefined, name);
    });

    test("what a client says of itself does not count, and no cookie of ours goes on", async () => {
      const forged = { x_auth_request_user: "admin", "x-auth_request-email": "admin@example.org" };
      const { sent } = await through({ ...bearer(token), ...forged, cookie: `theirs=1; ${cookie}; __Host-edgemint-session=x; more=2` });
      assert.deepEqual(Object.keys(sent).filter((name) => name.includes("_")), []);
      assert.equal(sent.cookie, "theirs=1; more=2");
      assert.equal((await through({ ...bearer(token), cookie })).sent.cookie, undefined);
    });

    test("whoever has none hears how to ask", async () => {
      assert.deepEqual(await through({}), { status: 401, challenge: 'Bearer realm="edgemint"', sent: {} });
      assert.equal((await through(bearer(elsewhere))).status, 401);
    });
  });
});
