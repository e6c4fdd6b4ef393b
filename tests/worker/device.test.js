// @ts-check
// A device without a browser, RFC 8628, by a client of somebody else's making: openid-client begins and asks, a person
// answers on the page.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import * as openid from "openid-client";
import { answerDevice, ask, atOnce, browser, code, formOf, introspect, refresh, register, serveReady } from "./support.js";

const GRANT = "urn:ietf:params:oauth:grant-type:device_code";
const SCOPE = "openid offline_access";
const RACERS = 20;

describe("a device", () => {
  /** @type {import("./support.js").Server} */
  let server;
  /** @type {ReturnType<typeof browser>} */
  let visitor;
  /** @type {import("./support.js").Client} */
  let television;
  /** @type {openid.Configuration} */
  let configuration;

  before(async () => {
    server = await serveReady();
    visitor = browser(server);
    // Signs in.
    await code(server, visitor, await register(server));
    television = await register(server, { redirect_uris: [], grant_types: [GRANT, "refresh_token"], token_endpoint_auth_method: "none", scope: SCOPE });
    const insecure = { execute: [openid.allowInsecureRequests] };
    configuration = await openid.discovery(new URL(server.url), television.client_id, undefined, openid.None(), insecure);
  });
  after(() => server.stop());

  /** @param {string} complete @param {string} decision */
  const answer = (complete, decision) => answerDevice(visitor, complete, decision);

  /** @param {string} device_code */
  const poll = (device_code) => ask(server, "/oauth/token", television, { grant_type: GRANT, device_code });

  test("S4.6: openid-client begins, waits and is given tokens", async () => {
    const began = await openid.initiateDeviceAuthorization(configuration, { scope: SCOPE });
    assert.equal(began.verification_uri, `${server.url}/device`);
    assert.match(began.user_code, /^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/);
    assert.equal((await poll(began.device_code)).body.error, "authorization_pending");
    const done = await answer(/** @type {string} */ (began.verification_uri_complete), "allow");
    assert.ok(done.text.includes("is connected"), done.text);
    const tokens = await openid.pollDeviceAuthorizationGrant(configuration, { ...began, interval: 0 });
    assert.ok(tokens.claims()?.sub);
    assert.equal(tokens.scope, "offline_access openid");
    const user = await openid.fetchUserInfo(configuration, tokens.access_token, /** @type {string} */ (tokens.claims()?.sub));
    assert.equal(user.sub, tokens.claims()?.sub);
    const newer = await openid.refreshTokenGrant(configuration, /** @type {string} */ (tokens.refresh_token));
    await openid.tokenRevocation(configuration, /** @type {string} */ (newer.refresh_token));
    assert.equal((await refresh(server, television, /** @type {string} */ (newer.refresh_token))).body.error, "invalid_grant");
  });

  test("S4.6: a no ends the waiting", async () => {
    const began = await openid.initiateDeviceAuthorization(configuration, { scope: SCOPE });
    const done = await answer(/** @type {string} */ (began.verification_uri_complete), "deny");
    assert.ok(done.text.includes("is not connected"));
    await assert.rejects(openid.pollDeviceAuthorizationGrant(configuration, { ...began, interval: 0 }), { error: "access_denied" });
  });

  test("RFC 8628 3.5: of many that ask before somebody has answered, all but one are told to slow down", async () => {
    const began = await openid.initiateDeviceAuthorization(configuration, { scope: SCOPE });
    const answers = await atOnce(RACERS, () => poll(began.device_code));
    const errors = answers.map(({ body }) => body.error).sort();
    assert.deepEqual(errors, ["authorization_pending", ...Array(RACERS - 1).fill("slow_down")]);
  });

  test("S4.6: of many that ask at once one gets tokens, and keeps them", async () => {
    for (let round = 0; round < 10; round += 1) {
      const began = await openid.initiateDeviceAuthorization(configuration, { scope: SCOPE });
      await answer(/** @type {string} */ (began.verification_uri_complete), "allow");
      const answers = await atOnce(RACERS, () => poll(began.device_code));
      const won = answers.filter(({ status }) => status === 200);
      assert.equal(won.length, 1);
      for (const { status, body } of answers) if (status !== 200) assert.deepEqual([status, body.error], [400, "invalid_grant"]);
      assert.equal((await refresh(server, television, won[0].body.refresh_token)).status, 200);
    }
  });

  test("S4.6: of two people who answer at once, one is heard", async () => {
    const began = await openid.initiateDeviceAuthorization(configuration, { scope: SCOPE });
    const form = formOf((await visitor.go("/device")).text, "/device");
    const led = await visitor.go("/device", { form: { ...form?.hidden, user_code: began.user_code.toLowerCase() } });
    const question = formOf((await visitor.go(/** @type {string} */ (led.headers.get("location")))).text, "/device");
    const answers = await atOnce(RACERS, (index) => visitor.go("/device", { form: { ...question?.hidden, decision: index % 2 === 0 ? "allow" : "deny" } }));
    assert.equal(answers.filter(({ status }) => status === 200).length, 1);
  });

  test("S4.6: another client is refused, and takes nothing", async () => {
    const other = await register(server, { redirect_uris: [], grant_types: [GRANT], scope: SCOPE });
    const began = await openid.initiateDeviceAuthorization(configuration, { scope: SCOPE });
    await answer(/** @type {string} */ (began.verification_uri_complete), "allow");
    const stolen = await ask(server, "/oauth/token", other, { grant_type: GRANT, device_code: began.device_code });
    assert.deepEqual([stolen.status, stolen.body.error], [400, "invalid_grant"]);
    const { body } = await poll(began.device_code);
    assert.equal((await introspect(server, other, body.access_token)).body.active, false);
    assert.equal((await refresh(server, television, body.refresh_token)).status, 200);
  });
});
