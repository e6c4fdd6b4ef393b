// @ts-check
// Boot, the one state, and what the buttons do. Views read the state; only this file changes it.

import { send } from "./api.js";
import * as oidc from "./oidc.js";
import { explain, failure, refusal } from "./problems.js";
import { arriving } from "./views/arriving.js";
import { signedIn } from "./views/signed-in.js";
import { signedOut } from "./views/signed-out.js";

/**
 * @typedef {object} State
 * @property {"starting" | "arriving" | "signed-out" | "signed-in"} phase
 * @property {oidc.Metadata} [metadata]
 * @property {number} [metadataMs]
 * @property {oidc.Tokens} [tokens]
 * @property {oidc.Verified} [verified]
 * @property {string} [nonce] of this sign-in
 * @property {string} [signIn] the ID token of this sign-in
 * @property {number} rotations times the refresh token was rotated
 * @property {boolean} revoked the access token was revoked by us
 * @property {{ title: string, answer: import("./api.js").Answer, remark: string }} [shown] the last answer
 * @property {import("./api.js").Answer[]} log newest first
 * @property {import("./problems.js").Problem} [problem]
 * @property {string} [note]
 * @property {string} [busy] the action under way
 *
 * @typedef {{ node: HTMLElement, update: (state: State) => void }} View
 * @typedef {typeof actions} Actions
 */

/** @type {State} */
const state = { phase: "starting", rotations: 0, revoked: false, log: [] };

const actions = {
  signIn: () =>
    during("signIn", async () => {
      await oidc.loadModule();
      location.assign(await oidc.authorizationRequest(await metadata()));
    }),

  refresh: () =>
    during("refresh", async () => {
      const before = tokens();
      if (before.refresh === undefined) throw failure("invalid_grant");
      const answer = await ask(oidc.refreshRequest(await metadata(), before.refresh));
      show("Refresh", answer, "The old refresh token is spent; using it again would end this grant.");
      const after = oidc.processTokenResponse(answer, before);
      // Kept before anything else can fail: the token it came from is spent.
      state.tokens = { ...after, id: before.id };
      state.revoked = false;
      if (after.refresh !== before.refresh) state.rotations += 1;
      if (after.id !== undefined && after.id !== before.id) {
        await verify(after.id, after.access, true);
        state.tokens = after;
      }
      say("New tokens are here.");
    }),

  userinfo: () =>
    during("userinfo", async () => {
      const answer = await ask(oidc.userinfoRequest(await metadata(), tokens().access));
      show("Who am I", answer, answer.status === 200 ? "The token alone was enough; no cookie was sent." : whyRefused(answer));
    }),

  introspect: () =>
    during("introspect", async () => {
      const answer = await ask(oidc.introspectionRequest(await metadata(), tokens().access));
      // The token is also what we ask with, so a dead one is refused before it is looked up.
      if (answer.status === 401 || answer.body?.active === false) state.revoked = true;
      const dead = state.revoked ? "The server holds this token for dead." : whyRefused(answer);
      show("Introspect", answer, answer.body?.active ? "Checked from memory, without asking any storage." : dead);
    }),

  revokeAccess: () =>
    during("revokeAccess", async () => {
      const answer = await ask(oidc.revocationRequest(await metadata(), tokens().access, "access_token"));
      state.revoked = answer.status === 200;
      show("Revoke the token", answer, answer.status === 200 ? `Refused everywhere ${within()}. Try it: call or introspect it now.` : whyRefused(answer));
    }),

  revokeGrant: () =>
    during("revokeGrant", async () => {
      const refresh = tokens().refresh;
      if (refresh === undefined) throw failure("invalid_grant");
      const answer = await ask(oidc.revocationRequest(await metadata(), refresh, "refresh_token"));
      state.revoked = answer.status === 200;
      show("Revoke the grant", answer, answer.status === 200 ? `Every token of this sign-in dies ${within()}; a refresh is refused at once.` : whyRefused(answer));
    }),

  signOut: () =>
    during("signOut", async () => {
      location.assign(oidc.logoutUrl(await metadata(), state.signIn ?? tokens().id));
    }),

  copy: () =>
    during("copy", async () => {
      await navigator.clipboard.writeText(tokens().access);
      say("Copied. Treat it like a password until it expires.");
    }),

  dismiss: () => {
    state.problem = undefined;
    state.note = undefined;
    render();
  },
};

async function boot() {
  const arrived = new URL(location.href);
  // A code does not stay in the address bar or in the history, whatever becomes of it.
  if (arrived.pathname !== "/" || arrived.search !== "") history.replaceState(null, "", "/");
  if (arrived.searchParams.get("state") === oidc.SIGNED_OUT) state.note = "You are signed out, here and at the issuer.";
  const answered = arrived.pathname === "/callback";
  state.phase = answered ? "arriving" : "starting";
  render();
  await during("start", async () => {
    await Promise.all([oidc.loadModule(), metadata()]);
    if (answered) await land(arrived);
  });
  if (state.tokens === undefined) state.phase = "signed-out";
  render();
}

/** @param {URL} arrived */
async function land(arrived) {
  const described = await metadata();
  const pending = oidc.takePending();
  const code = await oidc.processAuthorizationResponse(arrived.href, described, pending);
  const fresh = oidc.processTokenResponse(await ask(oidc.codeRequest(described, code, pending)));
  if (fresh.id === undefined) throw failure("unexpected");
  state.nonce = pending.nonce;
  await verify(fresh.id, fresh.access, false);
  state.tokens = fresh;
  state.phase = "signed-in";
  say("You are signed in.");
}

/**
 * @param {string} token
 * @param {string} access the access token that came along
 * @param {boolean} refreshed
 */
async function verify(token, access, refreshed) {
  const described = await metadata();
  const keys = await ask(oidc.keysRequest(described));
  if (keys.status !== 200) throw refusal(keys);
  const verified = await oidc.verifyIdToken(token, keys.body, described, { access, nonce: state.nonce ?? "", refreshed });
  // An ID token that came with a refresh does not name the session, and cannot end it unasked.
  if (!refreshed) state.signIn = token;
  // A refresh never changes who it is. OpenID Connect Core §12.2.
  if (refreshed && state.verified?.claims.sub !== verified.claims.sub) {
    Object.assign(state, { tokens: undefined, verified: undefined, phase: "signed-out" });
    throw failure("other_subject");
  }
  state.verified = verified;
}

/** Asked for once; after a failure, again. */
async function metadata() {
  if (state.metadata === undefined) {
    const answer = await ask(oidc.metadataRequest());
    state.metadata = oidc.processMetadataResponse(answer);
    state.metadataMs = answer.ms;
  }
  return state.metadata;
}

function tokens() {
  if (state.tokens === undefined) throw failure("login_required");
  return state.tokens;
}

/** @param {import("./api.js").Request} request */
function ask(request) {
  return send(request, (answer) => {
    state.log = [answer, ...state.log].slice(0, LOG_LENGTH);
    render();
  });
}

/**
 * @param {string} title
 * @param {import("./api.js").Answer} answer
 * @param {string} remark
 */
function show(title, answer, remark) {
  state.shown = { title, answer, remark: answer.status >= 200 && answer.status < 300 ? remark : whyRefused(answer, remark) };
  say(`${title}: ${answer.status || "no answer"}`);
}

/**
 * @param {import("./api.js").Answer} answer
 * @param {string} [remark]
 */
function whyRefused(answer, remark) {
  const { title, next } = explain(refusal(answer));
  return remark !== undefined && (answer.status === 401 || answer.status === 403) ? remark : `${title} ${next}`;
}

function within() {
  const bound = state.metadata && oidc.revocationBound(state.metadata);
  return bound === undefined ? "within seconds" : `within ${bound} s`;
}

/**
 * One action at a time; what it throws is explained.
 * @param {string} name
 * @param {() => Promise<void>} work
 */
async function during(name, work) {
  if (state.busy !== undefined) return;
  state.busy = name;
  state.problem = undefined;
  state.note = name === "start" ? state.note : undefined;
  render();
  try {
    await work();
  } catch (error) {
    state.problem = explain(error);
  } finally {
    state.busy = undefined;
    render();
  }
}

/** @param {string} text for those who do not see the page change */
function say(text) {
  const status = document.getElementById("status");
  if (status) status.textContent = text;
}

function render() {
  const wanted = { starting: signedOut, arriving, "signed-out": signedOut, "signed-in": signedIn }[state.phase];
  if (view?.of !== wanted) {
    const main = document.getElementById("main");
    const moved = view !== undefined;
    view = { of: wanted, ...wanted(actions) };
    main?.replaceChildren(view.node);
    document.title = wanted === signedIn ? "Signed in · Edgemint" : "Edgemint";
    if (moved) main?.focus();
  }
  view.update(state);
}

/** @type {(View & { of: (actions: Actions) => View }) | undefined} */
let view;

/** Requests kept in sight; older ones tell nobody anything. */
const LOG_LENGTH = 30;

await boot();
