// @ts-check
// The access token: what is left of its life, what it may do, and the buttons that use it.

import { h } from "../dom.js";
import { clock } from "./coin.js";

/**
 * @param {import("../app.js").Actions} actions
 * @returns {import("../app.js").View}
 */
export function token(actions) {
  const coin = clock();
  const left = h("p", { class: "left-text", role: "timer" });
  const under = h("p", { class: "under" });
  const text = h("code", { class: "token-text" });
  const scope = h("p", { class: "chips" });
  const rotations = h("p", { class: "under" });
  /** @type {Record<string, HTMLButtonElement>} */
  const buttons = {};
  /** @param {keyof import("../app.js").Actions} name @param {string} label @param {string} kind */
  const button = (name, label, kind = "") => (buttons[name] = h("button", { type: "button", class: kind, click: actions[name] }, label));
  const node = h(
    "section",
    { class: "card token", "aria-labelledby": "token" },
    h("div", { class: "head" }, h("h2", { id: "token" }, "Access token")),
    h("div", { class: "life" }, h("div", { class: "dial" }, coin.node, left), h("div", { class: "facts-of-token" }, under, h("div", { class: "copyable" }, text, button("copy", "Copy", "small")), scope, rotations)),
    h(
      "div",
      { class: "actions" },
      group("Use it", button("userinfo", "Who am I?")),
      group("Check it", button("introspect", "Introspect")),
      group("Renew it", button("refresh", "Refresh", "primary")),
      group("End it", button("revokeAccess", "Revoke token", "danger"), button("revokeGrant", "Revoke grant", "danger")),
    ),
  );

  /** @type {import("../app.js").State | undefined} */
  let state;
  const tick = () => {
    const tokens = state?.tokens;
    if (tokens === undefined || state === undefined) return;
    const remaining = Math.max(0, tokens.lifetime - (performance.now() - tokens.receivedAt) / 1000);
    const dead = state.revoked || remaining === 0;
    coin.set(dead || tokens.lifetime === 0 ? 0 : remaining / tokens.lifetime);
    left.textContent = state.revoked ? "ended" : remaining === 0 ? "expired" : duration(remaining);
    node.classList.toggle("dead", dead);
    under.textContent = state.revoked
      ? "Revoked. Refresh for another, if the grant still stands."
      : remaining === 0
        ? "Its life is over. Refresh for another."
        : `Minted to live ${duration(tokens.lifetime)}. Kept in memory only.`;
  };
  const timer = setInterval(() => (node.isConnected ? tick() : clearInterval(timer)), 1000);

  return {
    node,
    update(now) {
      state = now;
      const tokens = now.tokens;
      if (tokens === undefined) return;
      text.textContent = `${tokens.access.slice(0, 18)}…${tokens.access.slice(-6)}`;
      scope.replaceChildren(...tokens.scope.split(" ").map((one) => h("span", { class: "chip" }, one)));
      rotations.textContent = tokens.refresh === undefined ? "No refresh token was issued." : `Refresh token, generation ${now.rotations + 1}: rotated ${times(now.rotations)}.`;
      for (const [name, one] of Object.entries(buttons)) {
        one.setAttribute("aria-disabled", String(now.busy !== undefined));
        one.classList.toggle("busy", now.busy === name);
      }
      tick();
    },
  };
}

/**
 * @param {string} title
 * @param {...HTMLElement} buttons
 */
function group(title, ...buttons) {
  return h("div", { class: "group", role: "group", "aria-label": title }, h("span", { "aria-hidden": "true" }, title), h("div", {}, ...buttons));
}

/** @param {number} seconds */
function duration(seconds) {
  const whole = Math.ceil(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (/** @type {number} */ part) => String(part).padStart(2, "0");
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** @param {number} count */
function times(count) {
  return count === 0 ? "not yet" : count === 1 ? "once" : `${count} times`;
}
