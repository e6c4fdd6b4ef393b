// @ts-check
import { createServer } from "node:http";

/**
 * Somebody else's application behind a socket of its own, as a function from request to response.
 *
 * @param {(request: Request) => Response | Promise<Response>} answer
 * @returns {Promise<{ url: string, stop: () => Promise<void> }>}
 */
export async function serveApplication(answer) {
  const listener = createServer(async (asked, told) => {
    let body = "";
    for await (const part of asked) body += part;
    const headers = Object.entries(asked.headers).map(([name, value]) => /** @type {[string, string]} */ ([name, String(value)]));
    const response = await answer(new Request(new URL(asked.url ?? "/", url), { method: asked.method, headers, body: body || undefined }));
    const cookies = response.headers.getSetCookie();
    told.writeHead(response.status, { ...Object.fromEntries(response.headers), ...(cookies.length > 0 ? { "set-cookie": cookies } : {}) });
    told.end(await response.text());
  });
  await new Promise((listening) => listener.listen(0, "127.0.0.1", () => listening(undefined)));
  const url = `http://127.0.0.1:${/** @type {import("node:net").AddressInfo} */ (listener.address()).port}`;
  return { url, stop: () => new Promise((closed) => (listener.closeAllConnections(), listener.close(() => closed()))) };
}
