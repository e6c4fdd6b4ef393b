// The process behind `oidc-provider.mjs`: says where it listens, then makes as many codes as it is asked for.
// @ts-check
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { Provider } from "oidc-provider";
import { CALLBACK, challenge, VERIFIER } from "../../tests/worker/support.js";

const SCOPE = "openid offline_access";
const WEEK = 7 * 24 * 3600;

/** Its own store in memory keeps a thousand records; a bench makes more. */
class Memory {
  /** @type {Map<string, Record<string, any>>} */
  static records = new Map();

  /** @param {string} model */
  constructor(model) {
    this.model = model;
  }

  /** @param {string} id */
  key(id) {
    return `${this.model}:${id}`;
  }

  /** @param {string} id @param {Record<string, any>} payload */
  async upsert(id, payload) {
    Memory.records.set(this.key(id), payload);
  }

  /** @param {string} id */
  async find(id) {
    return Memory.records.get(this.key(id));
  }

  /** @param {string} id */
  async consume(id) {
    const record = Memory.records.get(this.key(id));
    if (record) record.consumed = Math.floor(Date.now() / 1000);
  }

  /** @param {string} id */
  async destroy(id) {
    Memory.records.delete(this.key(id));
  }

  /** Nothing is revoked here. */
  async revokeByGrantId() {}
}

const client = {
  client_id: "bench",
  client_secret: randomBytes(32).toString("base64url"),
  redirect_uris: [CALLBACK],
  grant_types: ["authorization_code", "refresh_token", "client_credentials"],
  response_types: ["code"],
  id_token_signed_response_alg: "ES256",
};

const server = createServer();
server.listen(0, "127.0.0.1", () => {
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  const url = `http://127.0.0.1:${port}`;
  const provider = new Provider(url, /** @type {any} */ ({
    adapter: Memory,
    clients: [client],
    jwks: { keys: [generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ format: "jwk" })] },
    enabledJWA: { idTokenSigningAlgValues: ["ES256"] },
    cookies: { keys: [randomBytes(32).toString("base64url")] },
    scopes: ["openid", "offline_access", "a"],
    features: { clientCredentials: { enabled: true }, introspection: { enabled: true, allowedPolicy: ownToken }, devInteractions: { enabled: false } },
    // As ours does.
    rotateRefreshToken: true,
    ttl: { AccessToken: 3600, AuthorizationCode: WEEK, ClientCredentials: 3600, Grant: WEEK, IdToken: 600, RefreshToken: WEEK },
    findAccount: (/** @type {unknown} */ _ctx, /** @type {string} */ sub) => ({ accountId: sub, claims: () => ({ sub }) }),
  }));
  server.on("request", /** @type {any} */ (provider).callback());
  process.on("message", async (/** @type {{ count: number, people: number }} */ { count, people }) => {
    const found = await provider.Client.find(client.client_id);
    const codes = Array.from({ length: count }, (_, index) => codeFor(provider, found, `person-${index % people}`));
    process.send?.({ codes: await Promise.all(codes) });
  });
  process.on("disconnect", () => process.exit());
  process.send?.({ url, client });
});

/** @param {unknown} _ctx @param {any} client @param {any} token */
function ownToken(_ctx, client, token) {
  return token.clientId === client.clientId;
}

/** @param {any} provider @param {any} found @param {string} accountId @returns {Promise<string>} */
async function codeFor(provider, found, accountId) {
  const grant = new provider.Grant({ accountId, clientId: client.client_id });
  grant.addOIDCScope(SCOPE);
  const code = new provider.AuthorizationCode({
    accountId,
    client: found,
    grantId: await grant.save(),
    redirectUri: CALLBACK,
    scope: SCOPE,
    codeChallenge: challenge(VERIFIER),
    codeChallengeMethod: "S256",
    authTime: Math.floor(Date.now() / 1000),
    sessionUid: randomBytes(16).toString("base64url"),
  });
  return code.save();
}
