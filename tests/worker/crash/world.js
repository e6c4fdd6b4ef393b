// @ts-check
/**
 * What the tests of a crash know: whom they asked what, what was promised to them, and which requests
 * got no answer.
 */

/** Every kind of request that promises something. @type {readonly string[]} */
export const KINDS = [
  "authorize",
  "sign-in",
  "consent",
  "exchange",
  "refresh",
  "revoke access token",
  "revoke refresh token",
  "register client",
  "create account",
  "withdraw consent",
  "sign out",
  "rotate keys",
];

/**
 * @typedef {import("../support.js").Answer} Answer
 * @typedef {import("../support.js").Client} Client
 * @typedef {ReturnType<typeof import("../support.js").browser>} Browser
 *
 * @typedef {object} Person
 * @property {string} username
 * @property {string} password
 * @property {Browser} visitor
 * @property {boolean | undefined} signedIn unknown in doubt
 * @property {boolean | undefined} agreed whether the client that asks has this person's consent; unknown in doubt
 * @property {number} withdrawnAt in milliseconds
 *
 * @typedef {object} Code
 * @property {string} text
 * @property {Client} client
 * @property {Person} owner
 * @property {number} issuedAt in milliseconds
 * @property {number} accepted how often it was exchanged for tokens
 *
 * @typedef {object} Family what one code gave
 * @property {Code} code
 * @property {"alive" | "dead" | "doubtful"} state doubtful while a request is under way that may change it
 * @property {{ token: string, revoked: boolean }[]} access
 * @property {string} head the newest refresh token
 * @property {{ token: string, at: number, retried: boolean } | undefined} before the one that the head succeeded
 * @property {string} idToken
 *
 * @typedef {object} Doubt a request without an answer
 * @property {string} kind
 * @property {() => Promise<Answer>} send
 * @property {(again: Answer) => unknown} settle refuses a wrong answer to the same request, sent again
 */

/**
 * @param {object} options
 * @param {import("../support.js").Server} options.server
 * @param {import("./chance.js").Chance} options.chance
 */
export function world({ server, chance }) {
  const count = () => Object.fromEntries(KINDS.map((kind) => [kind, 0]));
  return {
    server,
    chance,
    /** Of which kind the request is that the next crash interrupts; and how many are sent before that. */
    plan: { kind: KINDS[0], after: 0 },
    /** Sent since the start. */
    sent: 0,
    /** @type {() => void} */
    onPlan: () => {},
    killed: false,
    /** How long an answer takes, in milliseconds. @type {Record<string, number>} */
    latency: {},
    acknowledged: count(),
    interrupted: count(),
    /** What the requests without an answer had done, told by the answer to their retry. @type {Record<string, number>} */
    retries: {},
    /** @type {Set<Doubt>} */
    doubts: new Set(),
    /** @type {Person[]} */
    people: [],
    /** @type {Family[]} */
    families: [],
    /** @type {{ client: Client }[]} */
    clients: [],
    /** @type {{ username: string, password: string, subject?: string, seen: boolean }[]} */
    accounts: [],
    /** Cookies of sessions that were ended. @type {{ cookies: [string, string][] }[]} */
    ended: [],
    /** Key ids that were promised. @type {Set<string>} */
    keys: new Set(),

    /**
     * Sends a request that promises something. Without an answer it stays in doubt.
     *
     * @param {string} kind
     * @param {Doubt["send"]} send
     * @param {Doubt["settle"]} settle
     */
    async ask(kind, send, settle) {
      const doubt = { kind, send, settle };
      this.doubts.add(doubt);
      this.sent += 1;
      // Should the planned kind not come, any is as good.
      const late = this.sent > this.plan.after + 400;
      if (this.sent >= this.plan.after && (kind === this.plan.kind || late)) this.onPlan();
      const begun = performance.now();
      const answer = await send();
      this.latency[kind] = 0.8 * (this.latency[kind] ?? 4) + 0.2 * (performance.now() - begun);
      this.doubts.delete(doubt);
      this.acknowledged[kind] += 1;
      return answer;
    },

    /** @param {string} kind @param {string} outcome */
    retried(kind, outcome) {
      const name = `${kind}: ${outcome}`;
      this.retries[name] = (this.retries[name] ?? 0) + 1;
    },
  };
}

/** @typedef {ReturnType<typeof world>} World */
