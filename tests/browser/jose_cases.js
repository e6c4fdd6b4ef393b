// @ts-check
// Tokens that jose mints, or would never mint, each with the policy that it is checked under.
import { createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import { CompactSign, SignJWT, UnsecuredJWT, exportJWK, generateKeyPair } from "jose";

export const NOW = 1_800_000_000;
export const ISSUER = "https://issuer.example";
export const AUDIENCE = "https://api.example";
const OTHER = "https://other.example";
export const ALGORITHMS = ["EdDSA", "ES256", "RS256"];
const FOREIGN = ["Ed25519", "ES384", "ES512", "PS256", "PS384", "PS512", "RS384", "RS512"];

/**
 * @typedef {{ name: string, call: "verifyJwt", token: string, keys: string, expected: { issuer: string, audience: string, typ: string, now: number, max_age?: number } }} Case
 * @typedef {Record<string, { keys: Record<string, unknown>[] }>} KeySets
 */

const claims = { iss: ISSUER, aud: AUDIENCE, sub: "alice", iat: NOW, exp: NOW + 300 };
const text = new TextEncoder();
const base64url = (/** @type {string | Uint8Array} */ value) => Buffer.from(value).toString("base64url");

/** @returns {Promise<{ cases: Case[], key_sets: KeySets }>} */
export async function mint() {
  /** @type {Case[]} */
  const cases = [];
  const pairs = Object.fromEntries(
    await Promise.all([...ALGORITHMS, ...FOREIGN].map(async (alg) => [alg, await generateKeyPair(alg, { extractable: true })])),
  );
  const strangers = Object.fromEntries(
    await Promise.all(ALGORITHMS.map(async (alg) => [alg, await generateKeyPair(alg, { extractable: true })])),
  );
  const jwk = async (/** @type {string} */ alg, of = pairs) => ({ ...(await exportJWK(of[alg].publicKey)), kid: `key-${alg}`, alg, use: "sig" });
  const ours = await Promise.all(ALGORITHMS.map((alg) => jwk(alg)));
  const [okp, ec, rsa] = ours;
  const plain = ours.map(({ kid, alg, use, ...numbers }) => numbers);
  const large = generateKeyPairSync("rsa", { modulusLength: 4096 });
  const small = generateKeyPairSync("rsa", { modulusLength: 1024 });
  const three = generateKeyPairSync("rsa", { modulusLength: 2048, publicExponent: 3 });
  const only = (/** @type {import("node:crypto").KeyObject} */ key) => ({ keys: [{ ...key.export({ format: "jwk" }), kid: "key-RS256" }] });

  /** @type {KeySets} */
  const key_sets = {
    issuer: { keys: ours },
    unnamed: { keys: plain },
    two: { keys: [ec, { ...(await jwk("ES256", strangers)), kid: "second" }] },
    twins: { keys: [ec, ec] },
    foreign: { keys: [...ours, ...(await Promise.all(FOREIGN.map((alg) => jwk(alg))))] },
    private: { keys: [{ ...okp, ...(await exportJWK(pairs.EdDSA.privateKey)) }] },
    symmetric: { keys: [...ours, { kty: "oct", k: base64url("secret".repeat(8)), kid: "key-HS256", alg: "HS256" }] },
    encryption: { keys: [{ ...ec, use: "enc" }] },
    signing_only: { keys: [{ ...ec, use: undefined, key_ops: ["sign"] }] },
    verifying: { keys: [{ ...ec, use: undefined, key_ops: ["verify"] }] },
    wrong_alg: { keys: [{ ...rsa, alg: "PS256" }] },
    empty: { keys: [] },
    large: only(large.publicKey),
    small: only(small.publicKey),
    three: only(three.publicKey),
    mixed: { keys: [{ kty: "from the future", kid: "x" }, { ...ec, crv: "P-999", kid: "y" }, ...ours] },
  };

  /**
   * @param {string} name
   * @param {string | Promise<string>} token
   * @param {{ keys?: string } & Partial<Case["expected"]>} [more]
   */
  const add = async (name, token, { keys = "issuer", ...expected } = {}) => {
    cases.push({
      name,
      call: "verifyJwt",
      token: await token,
      keys,
      expected: { issuer: ISSUER, audience: AUDIENCE, typ: "at+jwt", now: NOW, ...expected },
    });
  };
  /** By jose. @param {string} alg @param {Record<string, any>} [header] @param {Record<string, any>} [changed] */
  const signed = (alg, header = {}, changed = {}, key = pairs[alg].privateKey) =>
    new SignJWT({ ...claims, ...changed }).setProtectedHeader({ alg, kid: `key-${alg}`, typ: "at+jwt", ...header }).sign(key);
  /** By jose, over any text. @param {string} payload */
  const over = (payload) =>
    new CompactSign(text.encode(payload)).setProtectedHeader({ alg: "ES256", kid: "key-ES256", typ: "at+jwt" }).sign(pairs.ES256.privateKey);
  /** Not by jose, which would not: any header text. @param {string} header @param {string} [payload] */
  const crafted = async (header, payload = JSON.stringify(claims)) => {
    const input = `${base64url(header)}.${base64url(payload)}`;
    const signature = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, pairs.ES256.privateKey, text.encode(input));
    return `${input}.${base64url(new Uint8Array(signature))}`;
  };

  for (const alg of ALGORITHMS) {
    await add(`${alg} with its kid`, signed(alg));
    await add(`${alg} without a kid, one key fits`, signed(alg, { kid: undefined }));
    await add(`${alg} by keys that have nothing but numbers`, signed(alg, { kid: undefined }), { keys: "unnamed" });
    await add(`${alg} with an unknown kid`, signed(alg, { kid: "nobody" }));
    await add(`${alg} with an empty kid`, signed(alg, { kid: "" }));
    await add(`${alg} of a stranger under our kid`, signed(alg, {}, {}, strangers[alg].privateKey));
    await add(`${alg}, no keys at all`, signed(alg), { keys: "empty" });
    await add(`${alg} beside keys from the future`, signed(alg), { keys: "mixed" });
    const token = await signed(alg);
    const [head, body, signature] = token.split(".");
    const octets = Buffer.from(signature, "base64url");
    const bent = (/** @type {Uint8Array} */ bytes) => `${head}.${body}.${base64url(bytes)}`;
    await add(`${alg}, a bit of the signature flipped`, bent(octets.map((octet, index) => (index === 5 ? octet ^ 1 : octet))));
    await add(`${alg}, the signature cut short`, bent(octets.subarray(1)));
    await add(`${alg}, an octet after the signature`, bent(Buffer.concat([octets, Buffer.of(0)])));
    await add(`${alg}, a signature of zeros`, bent(Buffer.alloc(octets.length)));
    await add(`${alg}, no signature`, `${head}.${body}.`);
    await add(`${alg}, another payload under the signature`, `${head}.${base64url(JSON.stringify({ ...claims, sub: "mallory" }))}.${signature}`);
    await add(`${alg}, padding after the signature`, `${token}==`);
    await add(`${alg}, a line break after the signature`, `${token}\n`);
    for (const other of ALGORITHMS.filter((one) => one !== alg)) {
      await add(`${alg} under the kid of an ${other} key`, signed(alg, { kid: `key-${other}` }));
      const renamed = base64url(JSON.stringify({ alg: other, kid: `key-${other}`, typ: "at+jwt" }));
      await add(`${alg} renamed to ${other}`, `${renamed}.${body}.${signature}`);
    }
  }
  for (const alg of FOREIGN) await add(`${alg}, which nobody asked for`, signed(alg), { keys: "foreign" });
  await add("ES256 in DER, as OpenSSL signs", derSigned(createPrivateKey({ key: await exportJWK(pairs.ES256.privateKey), format: "jwk" })));
  await add("ES256 without a kid, two keys fit", signed("ES256", { kid: undefined }), { keys: "two" });
  await add("ES256 with a kid, two keys of the algorithm", signed("ES256"), { keys: "two" });
  await add("ES256, the same key twice in the set", signed("ES256"), { keys: "twins" });
  for (const keys of ["encryption", "signing_only", "verifying", "private", "symmetric"]) {
    await add(`a set with a key that is ${keys}`, signed(keys === "private" ? "EdDSA" : "ES256"), { keys });
  }
  await add("an RSA key for another algorithm", signed("RS256"), { keys: "wrong_alg" });
  for (const [keys, pair] of Object.entries({ large, three })) {
    await add(`an RSA key that is ${keys}`, signed("RS256", {}, {}, pair.privateKey), { keys });
  }
  await add("an RSA key that is small", smallSigned(small.privateKey), { keys: "small" });

  await add("none", new UnsecuredJWT(claims).encode());
  await add("none under a kid, with the signature of another", crafted(`{"alg":"none","kid":"key-ES256","typ":"at+jwt"}`));
  const pem = createPublicKey({ key: rsa, format: "jwk" }).export({ type: "spki", format: "pem" });
  for (const alg of ["HS256", "HS384", "HS512"]) {
    await add(`${alg} with a public key for a secret`, signed(alg, { kid: "key-RS256" }, {}, text.encode(String(pem))));
    await add(`${alg} with the numbers of a public key`, signed(alg, { kid: "key-RS256" }, {}, Buffer.from(String(rsa.n), "base64url")));
  }
  await add("HS256 by a secret of the set", signed("HS256", {}, {}, text.encode("secret".repeat(8))), { keys: "symmetric" });

  for (const [name, header] of Object.entries({
    "members nobody knows": `"x-new":{"deep":[1]},"nonsense":null`,
    "jwk, jku, x5u and x5c": `"jwk":{"kty":"oct","k":"AA"},"jku":"${OTHER}","x5u":"${OTHER}","x5c":["AA"]`,
    "another content type": `"cty":"json"`,
    "crit that names what nobody knows": `"crit":["x-new"],"x-new":1`,
    "crit that names nothing": `"crit":[]`,
    "crit that is no list": `"crit":"exp"`,
    "crit that names alg": `"crit":["alg"]`,
    "crit that names what is not there": `"crit":["b64"]`,
    "b64 false": `"crit":["b64"],"b64":false`,
    "b64 true": `"crit":["b64"],"b64":true`,
    "b64 that nothing makes critical": `"b64":false`,
    "zip": `"zip":"DEF"`,
    "a kid that is a number": `"kid":7`,
    "a typ that is a number": `"typ":7`,
    "kid twice": `"kid":"nobody","kid":"key-ES256"`,
    "alg twice": `"alg":"none","alg":"ES256"`,
  })) {
    const named = (/** @type {string} */ member) => (header.includes(`"${member}":`) ? [] : [member]);
    const rest = { alg: "ES256", kid: "key-ES256", typ: "at+jwt" };
    const members = Object.entries(rest).filter(([member]) => named(member).length).map(([member, value]) => `"${member}":"${value}"`);
    await add(`header with ${name}`, crafted(`{${[...members, header].join(",")}}`));
  }
  for (const [name, header] of Object.entries({
    "no object": `["ES256"]`,
    "no JSON": `{"alg":"ES256"`,
    "no alg": `{"kid":"key-ES256","typ":"at+jwt"}`,
    "alg in small letters": `{"alg":"es256","kid":"key-ES256","typ":"at+jwt"}`,
    "alg that is a list": `{"alg":["ES256"],"kid":"key-ES256","typ":"at+jwt"}`,
    "a byte-order mark": `\u{feff}{"alg":"ES256","kid":"key-ES256","typ":"at+jwt"}`,
  })) {
    await add(`header: ${name}`, crafted(header));
  }

  for (const [sent, typ] of [
    ["at+jwt", "at+jwt"], ["AT+JWT", "at+jwt"], ["application/at+jwt", "at+jwt"], ["Application/At+Jwt", "at+jwt"], ["JWT", "at+jwt"],
    [undefined, "at+jwt"], ["", "at+jwt"], ["at+jwt ", "at+jwt"], ["x/at+jwt", "at+jwt"], ["logout+jwt", "at+jwt"], ["logout+jwt", "logout+jwt"],
    ["JWT", "JWT"], ["jwt", "JWT"], ["application/jwt", "JWT"], [undefined, "JWT"], ["at+jwt", "JWT"],
  ]) {
    await add(`typ ${JSON.stringify(sent)} where ${typ} is wanted`, signed("EdDSA", { typ: sent }), { typ });
  }

  for (const [name, changed] of Object.entries({
    "aud in a list": { aud: [AUDIENCE] },
    "aud in a list with others": { aud: [OTHER, AUDIENCE] },
    "aud of another": { aud: OTHER },
    "aud in a list of others": { aud: [OTHER] },
    "aud in an empty list": { aud: [] },
    "aud that begins as ours": { aud: `${AUDIENCE}/` },
    "aud in other letters": { aud: AUDIENCE.toUpperCase() },
    "aud with a number beside ours": { aud: [AUDIENCE, 7] },
    "aud that is a number": { aud: 7 },
    "no aud": { aud: undefined },
    "iss of another": { iss: OTHER },
    "iss with a slash more": { iss: `${ISSUER}/` },
    "iss in a list": { iss: [ISSUER] },
    "no iss": { iss: undefined },
    "no exp": { exp: undefined },
    "no iat": { iat: undefined },
    "no sub": { sub: undefined },
    "sub that is a number": { sub: 7 },
    "exp long ago": { exp: NOW - 3600 },
    "exp now": { exp: NOW },
    "exp 9 s ago": { exp: NOW - 9 },
    "exp 10 s ago": { exp: NOW - 10 },
    "exp that is a text": { exp: String(NOW + 300) },
    "exp below zero": { exp: -1 },
    "exp with a fraction": { exp: NOW + 0.5 },
    "exp beyond all whole numbers": { exp: 1e300 },
    "exp null": { exp: null },
    "nbf in 10 s": { nbf: NOW + 10 },
    "nbf in 11 s": { nbf: NOW + 11 },
    "nbf in an hour": { nbf: NOW + 3600, exp: NOW + 7200 },
    "nbf before": { nbf: NOW - 3600 },
    "nbf that is a text": { nbf: String(NOW) },
    "iat in 10 s": { iat: NOW + 10 },
    "iat in an hour": { iat: NOW + 3600, exp: NOW + 7200 },
    "iat that is a text": { iat: "today" },
    "claims nobody knows": { "https://claims.example/x": { y: [null, true, 1.5, "é\u0000"] } },
    "sixteen kilobytes of claims": { groups: "g".repeat(16_384) },
  })) {
    await add(name, signed("ES256", {}, changed));
  }
  for (const [name, changed] of Object.entries({ fresh: { iat: NOW - 60 }, "71 s old": { iat: NOW - 71 }, "without iat": { iat: undefined } })) {
    await add(`${name}, at most 60 s old`, signed("ES256", {}, changed), { max_age: 60 });
  }
  for (const [name, payload] of Object.entries({
    "a list": "[]",
    "null": "null",
    "nothing": "",
    "no JSON": "{",
    "a tail": `${JSON.stringify(claims)} x`,
    "white space around": ` ${JSON.stringify(claims)}\n`,
    "a name twice": `{"exp":1,${JSON.stringify(claims).slice(1)}`,
    "half a character": `{"x":"\\ud800",${JSON.stringify(claims).slice(1)}`,
    "a byte-order mark": `\u{feff}${JSON.stringify(claims)}`,
    "a number that is none": `{"x":1e999,${JSON.stringify(claims).slice(1)}`,
    "deep nesting": `{"x":${"[".repeat(500)}${"]".repeat(500)},${JSON.stringify(claims).slice(1)}`,
  })) {
    await add(`payload: ${name}`, over(payload));
  }
  const whole = await signed("ES256");
  await add("two parts", whole.split(".").slice(0, 2).join("."));
  await add("four parts", `${whole}.AA`);
  await add("nothing", "");
  await add("a blank in front", ` ${whole}`);
  await add("a standard alphabet", whole.replaceAll("-", "+").replaceAll("_", "/").replace(/\.([^.]*)$/, ".$1+/"));
  return { cases, key_sets };
}

/** @param {import("node:crypto").KeyObject} key */
async function derSigned(key) {
  const { sign } = await import("node:crypto");
  const input = `${base64url(JSON.stringify({ alg: "ES256", kid: "key-ES256", typ: "at+jwt" }))}.${base64url(JSON.stringify(claims))}`;
  return `${input}.${sign("sha256", Buffer.from(input), key).toString("base64url")}`;
}

/** jose refuses to sign with less than 2048 bits. @param {import("node:crypto").KeyObject} key */
async function smallSigned(key) {
  const { sign } = await import("node:crypto");
  const input = `${base64url(JSON.stringify({ alg: "RS256", kid: "key-RS256", typ: "at+jwt" }))}.${base64url(JSON.stringify(claims))}`;
  return `${input}.${sign("sha256", Buffer.from(input), key).toString("base64url")}`;
}
