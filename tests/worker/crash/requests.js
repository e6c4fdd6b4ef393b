// @ts-check
/**
 * The requests that promise something: how each is sent, what its answer promises, and which answers
 * are right when the same request is sent again after a crash.
 */
import assert from "node:assert/strict";
import { api, authorizeUrl, browser, exchange, formOf, introspect, read, refresh, register, revoke } from "../support.js";

/**
 * @typedef {import("./world.js").World} World
 * @typedef {import("./world.js").Person} Person
 * @typedef {import("./world.js").Client} Client
 * @typedef {import("./world.js").Answer} Answer
 * @typedef {import("./world.js").Code} Code
 * @typedef {import("./world.js").Family} Family
 */

/** The page of a form that was used before. */
const PAGE_SPENT = 400;

/** @param {Answer} answer @param {number} status */
function expect(answer, status) {
  assert.equal(answer.status, status, answer.text);
  return answer;
}

/**
 * A code for this person, who signs in and agrees where it is asked for.
 *
 * @param {World} world
 * @param {Person} owner
 * @param {Client} client
 * @param {string} scope
 * @returns {Promise<Code>}
 */
export async function obtain(world, owner, client, scope) {
  const { visitor, username, password } = owner;
  const start = authorizeUrl(world.server, client, { scope });
  let answer = await world.ask("authorize", () => visitor.go(start), (again) => {
    const location = new URL(expect(again, 303).headers.get("location") ?? "");
    assert.equal(location.searchParams.get("error"), null, location.href);
    world.retried("authorize", location.searchParams.has("code") ? "a code" : "a page");
  });
  for (let steps = 0; steps < 8; steps += 1) {
    const location = expect(answer, 303).headers.get("location") ?? "";
    const target = new URL(location, world.server.url);
    const text = target.searchParams.get("code");
    owner.signedIn = text !== null || target.pathname === "/consent" || undefined;
    if (text !== null) return { text, client, owner, issuedAt: Date.now(), accepted: 0 };
    assert.ok(["/login", "/consent", "/oauth/authorize"].includes(target.pathname), target.href);
    if (target.pathname === "/oauth/authorize") {
      answer = await visitor.go(target);
      continue;
    }
    const form = formOf(expect(await visitor.go(target), 200).text);
    assert.ok(form, "a page without a form");
    const signsIn = target.pathname === "/login";
    const kind = signsIn ? "sign-in" : "consent";
    const typed = { ...form.hidden, ...(signsIn ? { username, password } : { decision: "allow" }) };
    if (signsIn) owner.signedIn = undefined;
    else owner.agreed = undefined;
    const send = () => visitor.go(form.action, { form: typed });
    answer = await world.ask(kind, send, async (again) => {
      // A page works once: its answer is lost, and the person begins again.
      if (again.status !== PAGE_SPENT) expect(again, 303);
      world.retried(kind, again.status === 303 ? "done now" : "was done");
      // The decision and the code are two facts; whether the first was kept shows when asked again.
      const { location: end, last } = await visitor.walk(start, { username, password });
      assert.ok(end?.searchParams.get("code"), `${end ?? last.text}`);
      owner.signedIn = true;
      if (!signsIn) owner.agreed = true;
    });
    if (!signsIn && answer.status === 303) owner.agreed = true;
  }
  throw new Error("a browser was sent in circles");
}

/**
 * @param {World} world
 * @param {Code} code
 * @param {Answer} answer
 * @param {Family["state"]} [state]
 */
function redeemed(world, code, answer, state = "alive") {
  code.accepted += 1;
  assert.equal(code.accepted, 1, "a code was accepted twice");
  const { access_token: token, refresh_token: head, id_token: idToken } = expect(answer, 200).body;
  /** @type {Family} */
  const family = { code, state, access: [{ token, revoked: false }], head, before: undefined, idToken };
  world.families.push(family);
  return family;
}

/**
 * Exchanges a code; now and then twice at once.
 *
 * @param {World} world
 * @param {Code} code
 * @param {boolean} [twice]
 * @returns {Promise<Family | undefined>}
 */
export async function redeem(world, code, twice = false) {
  /** @type {Family | undefined} */
  let family;
  let refusals = 0;
  const send = () => exchange(world.server, code.client, code.text);
  /** @param {Answer} answer */
  const refused = (answer) => {
    assert.deepEqual([answer.status, answer.body.error], [400, "invalid_grant"], answer.text);
    refusals += 1;
  };
  const once = async () => {
    const answer = await world.ask("exchange", send, async (again) => {
      if (again.status === 200) family = redeemed(world, code, again, "doubtful");
      else refused(again);
      world.retried("exchange", again.status === 200 ? "done now" : "was done");
      refused(await send());
      // Redeemed twice, if not thrice: nothing of it stands, whoever got the tokens.
      if (family) family.state = "dead";
    });
    if (answer.status === 200) family = redeemed(world, code, answer, twice ? "doubtful" : "alive");
    else refused(answer);
  };
  // Both are over before anybody looks, also when one of them got no answer.
  const outcomes = await Promise.allSettled(twice ? [once(), once()] : [once()]);
  for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  if (twice && family) family.state = "dead";
  assert.deepEqual([code.accepted, refusals], [1, twice ? 1 : 0]);
  return family;
}

/** @param {World} world @param {Family} family */
export async function rotate(world, family) {
  const from = family.head;
  const { client } = family.code;
  /** @param {Answer} answer @param {boolean} retried */
  const rotated = (answer, retried) => {
    const { access_token: token, refresh_token: head } = expect(answer, 200).body;
    assert.notEqual(head, from);
    family.access.push({ token, revoked: false });
    Object.assign(family, { head, before: { token: from, at: Date.now(), retried }, state: "alive" });
  };
  family.state = "doubtful";
  const send = () => refresh(world.server, client, from);
  const answer = await world.ask("refresh", send, async (again) => {
    rotated(again, true);
    world.retried("refresh", "a successor");
    assert.equal((await send()).body.refresh_token, family.head, "there is one successor, whoever asks");
    assert.equal((await introspect(world.server, client, family.head)).body.active, true);
    assert.deepEqual((await introspect(world.server, client, from)).body, { active: false });
  });
  rotated(answer, false);
}

/** @param {World} world @param {Family} family */
export async function revokeAccess(world, family) {
  const { client } = family.code;
  const access = world.chance.one(family.access.filter(({ revoked }) => !revoked));
  if (access === undefined) return;
  family.state = "doubtful";
  const send = () => revoke(world.server, client, access.token);
  const answer = await world.ask("revoke access token", send, async (again) => {
    expect(again, 200);
    world.retried("revoke access token", "acknowledged");
    await isRefused(world, client, access.token);
    Object.assign(access, { revoked: true });
    family.state = "alive";
  });
  expect(answer, 200);
  access.revoked = true;
  family.state = "alive";
}

/** @param {World} world @param {Family} family */
export async function revokeFamily(world, family) {
  const { client } = family.code;
  family.state = "doubtful";
  const send = () => revoke(world.server, client, family.head);
  const answer = await world.ask("revoke refresh token", send, async (again) => {
    expect(again, 200);
    world.retried("revoke refresh token", "acknowledged");
    for (const { token } of family.access) await isRefused(world, client, token);
    family.state = "dead";
  });
  expect(answer, 200);
  family.state = "dead";
}

/** @param {World} world @param {Person} person whose browser tries the client */
export async function registerClient(world, person) {
  const named = world.chance.happens(0.5);
  const metadata = named
    ? { client_id: `chosen-${world.clients.length}-${Math.floor(world.chance.next() * 1e9)}`, token_endpoint_auth_method: "none" }
    : {};
  /** @type {Client | undefined} */
  let client;
  const send = async () => {
    try {
      client = await register(world.server, metadata);
      return /** @type {Answer} */ ({ status: 201 });
    } catch (error) {
      // What was taken is an answer; everything else is none.
      if (/^Error: register: 400 .*client_id/.test(String(error))) return /** @type {Answer} */ ({ status: 400 });
      throw error;
    }
  };
  const keep = () => world.clients.push({ client: /** @type {Client} */ (client) });
  const answer = await world.ask("register client", send, async (again) => {
    if (again.status === 400) {
      assert.ok(named);
      client = { ...metadata, redirect_uris: ["http://127.0.0.1:9/callback"], client_id: String(metadata.client_id) };
    }
    world.retried("register client", again.status === 201 ? "done now" : "was done");
    keep();
    await isKnown(world, /** @type {Client} */ (client));
    const start = authorizeUrl(world.server, /** @type {Client} */ (client), { scope: "openid" });
    const { location, last } = await person.visitor.walk(start, person);
    assert.ok(location?.searchParams.get("code"), `${location ?? last.text}`);
  });
  expect(answer, 201);
  keep();
}

/** @param {World} world */
export async function createAccount(world) {
  const username = `user-${world.accounts.length}-${Math.floor(world.chance.next() * 1e9)}`;
  const account = { username, password: `password of ${username}`, subject: undefined, seen: false };
  const send = () => api(world.server, "/api/v1/accounts/", { first_name: "A", last_name: "User", username, password: account.password });
  /** @param {Answer} answer */
  const created = (answer) => {
    account.subject = expect(answer, 201).body.subject;
    world.accounts.push(account);
  };
  const answer = await world.ask("create account", send, async (again) => {
    if (again.status === 201) created(again);
    else world.accounts.push(account);
    world.retried("create account", again.status === 201 ? "done now" : "was done");
    expect(await send(), 409);
    await signsIn(world, account);
  });
  created(answer);
  return account;
}

/** @param {World} world @param {Person} person @param {Client} client which this person agreed to */
export async function withdraw(world, person, client) {
  const page = expect(await person.visitor.go("/login"), 200).text;
  const form = formOf(page, "/consent");
  assert.equal(form?.hidden.client, client.client_id, "the one application on the page");
  const rested = world.families.filter(({ code, state }) => code.owner === person && code.client === client && state !== "dead");
  for (const family of rested) family.state = "doubtful";
  const withdrawn = () => {
    for (const family of rested) family.state = "dead";
    Object.assign(person, { agreed: false, withdrawnAt: Date.now() });
  };
  person.agreed = undefined;
  const send = () => person.visitor.go(form.action, { form: { ...form.hidden, decision: "withdraw" } });
  const answer = await world.ask("withdraw consent", send, async (again) => {
    expect(again, 303);
    world.retried("withdraw consent", "acknowledged");
    for (const { code, access } of rested) for (const { token } of access) await isRefused(world, code.client, token);
    withdrawn();
  });
  expect(answer, 303);
  withdrawn();
}

/** @param {World} world @param {Person} person @param {Client} client */
export async function signOut(world, person, client) {
  const bound = await redeem(world, await obtain(world, person, client, "openid"));
  assert.ok(bound);
  bound.state = "doubtful";
  const session = { cookies: [...person.visitor.cookies] };
  person.signedIn = undefined;
  const signedOut = () => {
    bound.state = "dead";
    person.signedIn = false;
    world.ended.push(session);
  };
  const send = () => person.visitor.go(`/logout?${new URLSearchParams({ id_token_hint: bound.idToken })}`);
  const answer = await world.ask("sign out", send, async (again) => {
    assert.equal(formOf(expect(again, 200).text), undefined, "signed out, not asked");
    world.retried("sign out", "acknowledged");
    signedOut();
    await isRefused(world, client, bound.access[0].token);
    await opensNothing(world, session, client);
  });
  assert.equal(formOf(expect(answer, 200).text), undefined);
  signedOut();
}

/** @param {World} world */
export async function rotateKeys(world) {
  const send = () => api(world.server, "/api/v1/keys/rotate", {});
  /** @param {Answer} answer */
  const rotated = (answer) => {
    for (const { kid } of expect(answer, 200).body.keys) world.keys.add(kid);
  };
  rotated(
    await world.ask("rotate keys", send, (again) => {
      rotated(again);
      world.retried("rotate keys", "acknowledged");
    }),
  );
}

/** @param {World} world @param {Client} client @param {string} token an access token */
export async function isRefused(world, client, token) {
  assert.deepEqual((await introspect(world.server, client, token)).body, { active: false });
  assert.equal((await userinfo(world, token)).status, 401);
}

/** @param {World} world @param {string} token */
export async function userinfo(world, token) {
  return read(await fetch(`${world.server.url}/oauth/userinfo`, { headers: { authorization: `Bearer ${token}` } }));
}

/** @param {World} world @param {Client} client */
export async function isKnown(world, client) {
  const send = client.token_endpoint_auth_method === "none" ? revoke : introspect;
  expect(await send(world.server, client, "nonsense"), 200);
}

/** @param {World} world @param {{ cookies: [string, string][] }} session @param {Client} client */
export async function opensNothing(world, session, client) {
  const visitor = browser(world.server);
  for (const [name, value] of session.cookies) visitor.cookies.set(name, value);
  const { location } = await visitor.walk(authorizeUrl(world.server, client, { prompt: "none" }));
  assert.equal(location?.searchParams.get("error"), "login_required");
}

/** @param {World} world @param {World["accounts"][number]} account */
export async function signsIn(world, account) {
  const [{ client }] = world.clients;
  const { location, last } = await browser(world.server).walk(authorizeUrl(world.server, client), account);
  const answer = await exchange(world.server, client, location?.searchParams.get("code") ?? last.text);
  const { sub } = (await userinfo(world, expect(answer, 200).body.access_token)).body;
  account.subject ??= sub;
  assert.equal(sub, account.subject);
  account.seen = true;
}
