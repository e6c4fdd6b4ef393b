// @ts-check
/**
 * Sends requests to others: fetches what they publish, and tells them that somebody has signed out. Whether a URL may be asked is decided before, in `model/target.rs`; that its name
 * leads to no network of our own is the platform's to see to (`global_fetch_strictly_public`).
 */

/**
 * How long it may take, from the question to the last byte: less than who waits for the courier waits (`LONGEST_WAIT`). A
 * client that takes longer to sign somebody out is told again, and does not keep others from being told.
 */
const LONGEST = 3_000;
/** Bytes of a document, unpacked: a hundred keys. */
const LARGEST = 64 * 1024;

/**
 * @param {string} url
 * @returns {Promise<string | undefined>} the document; nothing when there is none, whyever
 */
export async function fetchKeys(url) {
  try {
    const response = await fetch(url, {
      // A redirect leads where nobody has looked.
      redirect: "manual",
      headers: { accept: "application/jwk-set+json, application/json" },
      signal: AbortSignal.timeout(LONGEST),
    });
    const type = response.headers.get("content-type") ?? "";
    if (response.status !== 200 || !/^application\/([a-z0-9.-]+\+)?json\s*(;|$)/i.test(type)) {
      await response.body?.cancel();
      return undefined;
    }
    return await readWithin(response, LARGEST);
  } catch {
    return undefined;
  }
}

/**
 * Sends a logout token (OpenID Connect Back-Channel Logout §2.5). What the answer says besides its status is not read.
 *
 * @param {string} uri
 * @param {string} token
 * @returns {Promise<number>} the status; 0 when there was no answer in time
 */
export async function sendLogout(uri, token) {
  try {
    const response = await fetch(uri, {
      method: "POST",
      // A redirect leads where nobody has looked.
      redirect: "manual",
      body: new URLSearchParams({ logout_token: token }),
      signal: AbortSignal.timeout(LONGEST),
    });
    await response.body?.cancel();
    return response.status;
  } catch {
    return 0;
  }
}

/**
 * @param {Response} response
 * @param {number} limit bytes
 * @returns {Promise<string | undefined>} nothing when it is longer
 */
async function readWithin(response, limit) {
  if (response.body === null) {
    return undefined;
  }
  const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });
  const reader = response.body.getReader();
  let length = 0;
  let read = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) {
      return read + text.decode();
    }
    length += value.byteLength;
    if (length > limit) {
      await reader.cancel();
      return undefined;
    }
    read += text.decode(value, { stream: true });
  }
}
