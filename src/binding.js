// @ts-check
/** The entrypoint for Workers that are bound to this one. */
import { WorkerEntrypoint } from "cloudflare:workers";
import { behind, failed } from "./behind.js";
import * as protocol from "./core.js";
import { line } from "./question.js";

/**
 * For Workers with a service binding. The binding's `props` say which client it is; without them
 * every method refuses.
 */
export class Edgemint extends WorkerEntrypoint {
  /** @param {string} token */
  introspect(token) {
    return ask(this.env, this.ctx, "introspect", text(token));
  }

  /**
   * @param {Request} request
   * @param {{ scopes?: string[], satisfy?: "all" | "any", bodyHash?: string }} [required] `bodyHash`: of a request that is
   *   signed by MAC, in base64, by the hash of its key's algorithm
   */
  validate(request, { scopes = [], satisfy = "all", bodyHash } = {}) {
    // One that is missing, for instance a setting that was never made, must not mean that none is needed.
    const texts = Array.isArray(scopes) && scopes.every((scope) => typeof scope === "string" && scope !== "");
    const how = satisfy === "all" || satisfy === "any" ? satisfy : "";
    const authorization = request.headers.get("authorization");
    const lines = `${how}\n${line(authorization)}\n${texts ? line(scopes.join(" ")) : ""}`;
    // `MAC …`: no bearer token has a space there.
    if (authorization?.[3] === " ") {
      return ask(this.env, this.ctx, "validate_mac", `${lines}\n${line(request.method)}\n${line(request.url)}\n${text(bodyHash)}`);
    }
    return ask(this.env, this.ctx, "validate", lines);
  }

  /** @param {string} token */
  revoke(token) {
    return ask(this.env, this.ctx, "revoke", text(token));
  }
}

/** @param {unknown} value what a caller gave for a text */
function text(value) {
  return typeof value === "string" ? line(value) : "";
}

/** @type {Map<string, any>} what was read of texts that come again: of the same token the same is told */
const verdicts = new Map();
/** As many as tokens are kept opened. */
const MOST_VERDICTS = 1_024;
/** Characters of one that is kept: a megabyte when all are taken. */
const LONGEST_VERDICT = 1_024;

/** @param {string} said JSON of the core's */
function verdict(said) {
  const known = verdicts.get(said);
  if (known !== undefined) {
    return known;
  }
  const made = JSON.parse(said);
  // A key that requests are signed with is kept nowhere.
  if (said.length > LONGEST_VERDICT || said.includes('"mac_key"')) {
    return made;
  }
  if (verdicts.size >= MOST_VERDICTS) {
    verdicts.clear();
  }
  verdicts.set(said, made);
  return made;
}

/**
 * What the core says, without a promise if it has nothing to wait for. Whoever asked gets a copy: it goes through the
 * platform's own serialisation.
 *
 * @param {any} env
 * @param {any} ctx
 * @param {string} verb
 * @param {string} lines its arguments
 */
function ask(env, ctx, verb, lines) {
  const id = crypto.randomUUID();
  const refuse = (/** @type {unknown} */ error) => {
    failed(error, id);
    return { error: "server_error", status: 500, challenge: null };
  };
  const named = ctx.props?.client;
  // A number is no client, and what has a line break would be read as two lines.
  const client = typeof named === "string" && !named.includes("\n") ? named : "";
  const read = (/** @type {string} */ said) => {
    if (said[0] === "{") {
      return verdict(said);
    }
    behind(said[0], protocol, env, ctx, id);
    return verdict(said.slice(1));
  };
  try {
    const answered = protocol.enter((core) => core.call(env, `${id}\n${verb}\n${client}\n${lines}`, Date.now()));
    return typeof answered === "string" ? read(answered) : answered.then(read).catch(refuse);
  } catch (error) {
    return refuse(error);
  }
}
