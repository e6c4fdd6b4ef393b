// @ts-check
/**
 * The worker at one edge of several: its objects and its KV are those of the workerd at `REGION`, as `region.js` has
 * them. KV behaves as on the network: what an edge has read once, also that there was nothing, it reads again for a
 * minute.
 */
import shim from "../../src/shim.js";

export { Courier, Directory, Edgemint, Feed, Ledger } from "../../src/shim.js";

const KV_STALE = 60_000;

/**
 * @param {string} url
 * @param {string} [body]
 */
async function post(url, body) {
  const response = await fetch(url, { method: "POST", body });
  const text = await response.text();
  if (!response.ok) throw new Error(`the region answered ${response.status}`);
  return text;
}

// The core asks the binding what it is by the name of its class.
class DurableObjectNamespace {
  /**
   * @param {string} region
   * @param {string} binding
   */
  constructor(region, binding) {
    this.url = `${region}/object/${binding}`;
  }

  /** @param {string} name */
  getByName(name) {
    return { call: (/** @type {string} */ call) => post(`${this.url}/${name}`, call) };
  }
}

/** @type {Map<string, { at: number, value: string | null }>} */
const reads = new Map();

/** @param {string} region */
function kv(region) {
  const url = (/** @type {string} */ verb, /** @type {string} */ key) => `${region}/kv/${verb}?key=${encodeURIComponent(key)}`;
  return {
    /** @param {string} key */
    async get(key) {
      const known = reads.get(key);
      if (known && Date.now() - known.at < KV_STALE) return known.value;
      const value = JSON.parse(await post(url("get", key)));
      reads.set(key, { at: Date.now(), value });
      return value;
    },
    /** @param {string} key @param {string} value */
    put: (key, value) => post(url("put", key), value),
  };
}

export default {
  /**
   * @param {Request} request
   * @param {any} env
   * @param {ExecutionContext} ctx
   */
  fetch(request, env, ctx) {
    const region = env.REGION;
    const objects = (/** @type {string} */ binding) => new DurableObjectNamespace(region, binding);
    return shim.fetch(
      request,
      { ...env, KV: kv(region), LEDGER: objects("LEDGER"), DIRECTORY: objects("DIRECTORY"), FEED: objects("FEED") },
      ctx,
    );
  },
};
