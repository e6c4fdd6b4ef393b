// @ts-check
// A client that signs its requests by MAC (http-mac drafts 00 and 01). It shares no line with what checks them.
import { createHash, createHmac, randomUUID } from "node:crypto";

/**
 * @typedef {{ access_token: string, mac_key: string, mac_algorithm: string, token_type: string, refresh_token?: string }} Credentials
 *
 * @typedef {{ ts?: number, age?: number, nonce?: string, method?: string, uri?: string, host?: string, port?: number, body?: string, ext?: string }} Signing
 */

/** What is asked for, unless it is said otherwise: characters that somebody on the way might spell otherwise are among it. */
export const URI = "/v1/bills?b5=%3D%253D&a3=a&c%40=&a2=r%20b&c2&a3=2+q";

/** @param {string} algorithm */
const hash = (algorithm) => (algorithm === "hmac-sha-1" ? "sha1" : "sha256");

/** @param {string} algorithm @param {string} body */
export const bodyHashOf = (algorithm, body) => createHash(hash(algorithm)).update(body).digest("base64");

/**
 * `Authorization` by draft 01, or by draft 00 where an age is named.
 *
 * @param {Credentials} credentials
 * @param {Signing} [signing]
 */
export function sign({ access_token, mac_key, mac_algorithm }, { ts, age, nonce = randomUUID(), method = "GET", uri = URI, host = "api.example", port = 443, body, ext } = {}) {
  const request = [method, uri, host, port];
  const bodyhash = age === undefined || body === undefined ? undefined : bodyHashOf(mac_algorithm, body);
  const time = ts ?? Math.floor(Date.now() / 1_000);
  const lines = age === undefined ? [time, nonce, ...request, ext ?? ""] : [`${age}:${nonce}`, ...request, bodyhash ?? "", ext ?? ""];
  const text = lines.map((line) => `${line}\n`).join("");
  const mac = createHmac(hash(mac_algorithm), mac_key).update(text).digest("base64");
  const named = age === undefined ? { id: access_token, ts: time, nonce, ext, mac } : { id: access_token, nonce: `${age}:${nonce}`, bodyhash, ext, mac };
  const attributes = Object.entries(named).filter(([, value]) => value !== undefined);
  return `MAC ${attributes.map(([name, value]) => `${name}="${value}"`).join(", ")}`;
}
