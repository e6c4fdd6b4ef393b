// @ts-check
// What a validator fetches: from where it may, as much as it should be, and each thing once at a time.

/** Milliseconds after which nobody waits any more. */
const LONGEST_WAIT = 5_000;

/** What could not be found out, and why. */
export class Away extends Error {}

/**
 * @param {unknown} url
 * @returns {url is string} whether nobody on the way can read or change what it leads to
 */
export function isSecure(url) {
  const parsed = typeof url === "string" && URL.canParse(url) ? new URL(url) : undefined;
  const loopback = parsed?.protocol === "http:" && ["127.0.0.1", "[::1]", "localhost"].includes(parsed.hostname);
  return (parsed?.protocol === "https:" || loopback) && !parsed?.username && !parsed?.password;
}

/**
 * @param {unknown} url
 * @returns {string} it, if it is secure
 */
export function secure(url) {
  if (!isSecure(url)) throw new Away("an address is not https");
  return url;
}

/**
 * Asks, and reads the answer if it is one: 200, and not too long.
 *
 * @param {typeof fetch} fetch
 * @param {unknown} url
 * @param {number} limit characters
 * @param {RequestInit} [init]
 */
export async function ask(fetch, url, limit, init = {}) {
  // A redirect would lead past `secure`; not every platform can refuse one itself.
  const response = await fetch(secure(url), { ...init, redirect: "manual", signal: AbortSignal.timeout(LONGEST_WAIT) });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Away(`${new URL(String(url)).pathname} answered ${response.status}`);
  }
  const reader = response.body?.getReader();
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let text = "";
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true, value: undefined };
    if (done) return { text: text + decoder.decode(), headers: response.headers };
    text += decoder.decode(value, { stream: true });
    if (text.length > limit) {
      await reader?.cancel();
      throw new Away(`${new URL(String(url)).pathname} is too long`);
    }
  }
}

/**
 * @param {number | undefined} since
 * @param {number} now
 * @returns {number} milliseconds; a clock that was set back says nothing
 */
export const elapsed = (since, now) => (since === undefined || now < since ? Infinity : now - since);

/**
 * A promise, for as long as anybody waits: in a Worker, who began it may be gone, and it with them.
 *
 * @template T
 * @param {Promise<T>} promise
 * @returns {Promise<T>}
 */
export async function within(promise) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const late = new Promise((_, fail) => {
    timer = setTimeout(() => fail(new Away("nothing came")), 2 * LONGEST_WAIT);
  });
  try {
    return await Promise.race([promise, /** @type {Promise<never>} */ (late)]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Work that is done once at a time, for everybody who asks meanwhile.
 *
 * @param {() => Promise<void>} work
 * @param {(work: Promise<unknown>) => void} behind keeps it alive
 */
export function single(work, behind) {
  /** @type {{ begun: number, promise: Promise<void> } | undefined} */
  let flight;
  const current = () => (flight !== undefined && elapsed(flight.begun, Date.now()) <= 2 * LONGEST_WAIT ? flight : undefined);
  return {
    underWay: () => current() !== undefined,
    join() {
      const found = current();
      if (found !== undefined) return within(found.promise);
      const begun = { begun: Date.now(), promise: work() };
      flight = begun;
      const over = () => {
        if (flight === begun) flight = undefined;
      };
      behind(begun.promise.then(over, over));
      return within(begun.promise);
    },
  };
}
