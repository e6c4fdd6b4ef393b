// What the command does with users, clients, keys and the epoch.
// @ts-check
import { Refusal } from "../steps.mjs";
import { agreed, fresh } from "./secret.mjs";

/** @typedef {import("./api.mjs").Api} Api */
/** @typedef {Record<string, any>} Options */

const PROVIDERS = "providers/oauth2/";
/** What an administrator holds. */
const ADMINISTRATOR = ["admin:token", "user:token"];

/** @param {Api} api @param {string[]} _names @param {Options} options */
export async function listUsers(api, _names, options) {
  await list(api, path("users/", options), options, ({ pk, username, is_active, scopes, roles, email }) => [
    pk,
    username,
    is_active ? "active" : "disabled",
    [...scopes, ...roles].join(" ") || "-",
    email || "-",
  ]);
}

/** @param {Api} api @param {string[]} names @param {Options} options */
export async function createUser(api, [username], { name, email, scopes, roles }) {
  const password = await fresh("password", "NEW_PASSWORD");
  const json = { username, password, name, email, scopes, roles: roles?.split(",").map((/** @type {string} */ role) => role.trim()) };
  const { body } = await api.ask("users/", { json }).catch((/** @type {unknown} */ error) => {
    // The password may have been shown already, so that an answer that is lost does not lose it.
    const refused = error instanceof Refusal && / answered 4\d\d:/.test(error.message);
    throw refused ? new Refusal(`${error.message}\nno user was made, and the new password is nobody's`) : error;
  });
  console.log(`user: ${body.username} (${body.pk})`);
}

/** @param {Api} api @param {string[]} names */
export async function setPassword(api, [username]) {
  const { pk } = await user(api, username);
  const password = await fresh("password", "NEW_PASSWORD");
  await api.ask(`users/${pk}/`, { method: "PATCH", json: { password } });
  console.log(`${username} has another password; every session and token of before has ended`);
}

/** @param {Api} api @param {string} username @param {boolean} is_active */
export async function setActive(api, username, is_active) {
  const { pk } = await user(api, username);
  await api.ask(`users/${pk}/`, { method: "PATCH", json: { is_active } });
  console.log(`${username} is ${is_active ? "active" : "disabled; every session and token has ended"}`);
}

/** @param {Api} api @param {string[]} names */
export async function resourceKey(api, [resource]) {
  const { text } = await api.ask("resource-keys", { json: { resource } });
  // One line, as it goes into a setting.
  console.log(text);
}

/** @param {Api} api @param {string[]} names */
export async function recover(api, [username]) {
  const found = await find(api, "users/", "username", username);
  const password = await fresh("password", "NEW_PASSWORD");
  if (found === undefined) {
    await api.ask("users/", { json: { username, password, scopes: ADMINISTRATOR } });
  } else {
    const scopes = Array.from(new Set([...found.scopes, ...ADMINISTRATOR]));
    await api.ask(`users/${found.pk}/`, { method: "PATCH", json: { password, scopes, is_active: true } });
  }
  console.log(`${username} ${found === undefined ? "was made and" : "is active,"} administers: sign in with the new password`);
}

/** @param {Api} api @param {string[]} _names @param {Options} options */
export async function listClients(api, _names, options) {
  await list(api, path(PROVIDERS, options), options, ({ client_id, name, client_type, enabled, grant_types }) => [
    client_id,
    client_type,
    enabled ? "enabled" : "disabled",
    grant_types.join(" "),
    name,
  ]);
}

/** @param {Api} api @param {string[]} names @param {Options} options */
export async function createClient(api, [name], { id, public: isPublic = false, redirect, grant, scope }) {
  const { body } = await api.ask(PROVIDERS, {
    json: {
      name,
      client_id: id,
      client_type: isPublic ? "public" : "confidential",
      redirect_uris: redirect,
      grant_types: grant ?? (redirect ? ["authorization_code", "refresh_token"] : ["client_credentials"]),
      scope,
    },
  });
  console.log(`client_id: ${body.client_id}`);
  if (body.client_secret) console.log(`client_secret: ${body.client_secret}`);
}

/** @param {Api} api @param {string[]} names */
export async function addSecret(api, [id]) {
  const found = await find(api, PROVIDERS, "client_id", id);
  if (found === undefined) throw new Refusal(`there is no client ${id}: see \`npm run admin -- clients list\``);
  const { body } = await api.ask(`${PROVIDERS}${found.pk}/secrets/`, { method: "POST" });
  console.log(`client_secret: ${body.client_secret}`);
}

/** @param {Api} api @param {string[]} _names @param {Options} options */
export async function listKeys(api, _names, options) {
  await list(api, "keys/", options, ({ kid, alg, state, signs_from, published_until }) => [kid, alg, state, signs_from, published_until ?? "-"]);
}

/** @param {Api} api @param {string[]} names */
export async function createKey(api, [alg]) {
  const { body } = await api.ask("keys/", { json: { alg } });
  console.log(`key: ${body.kid}\nsigns from: ${body.signs_from}`);
}

/** @param {Api} api @param {string[]} _names @param {Options} options */
export async function rotateKeys(api, _names, options) {
  await api.ask("keys/rotate", { json: options["at-once"] ? { at_once: true } : {} });
  await listKeys(api, [], {});
}

/** @param {Api} api @param {string[]} _names @param {Options} options */
export async function raiseEpoch(api, _names, { yes }) {
  const question = `Everything that ${api.url} has issued ends: sessions, tokens, codes.`;
  if (!yes && !(await agreed(question))) throw new Refusal("nothing was changed");
  const { body } = await api.ask("epoch", { method: "POST" });
  console.log(`epoch: ${body.epoch}`);
}

/** @param {Api} api @param {string} username */
async function user(api, username) {
  const found = await find(api, "users/", "username", username);
  if (found === undefined) throw new Refusal(`there is no user ${username}: see \`npm run admin -- users list\``);
  return found;
}

/** @param {Api} api @param {string} collection @param {string} field @param {string} value */
async function find(api, collection, field, value) {
  const { body } = await api.ask(`${collection}?${new URLSearchParams({ [field]: value })}`, { again: true });
  return body.results[0];
}

/** @param {string} collection @param {Options} options */
const path = (collection, { search }) => `${collection}${search ? `?${new URLSearchParams({ search })}` : ""}`;

/** @param {Api} api @param {string} collection @param {Options} options @param {(record: any) => unknown[]} columns */
async function list(api, collection, { json }, columns) {
  for await (const record of api.all(collection)) console.log(json ? JSON.stringify(record) : columns(record).join("\t"));
}
