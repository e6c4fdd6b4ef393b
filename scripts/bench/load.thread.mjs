// The thread behind `load.mjs`.
// @ts-check
import { connect } from "node:net";
import { parentPort } from "node:worker_threads";

/** @typedef {Required<Pick<import("./load.mjs").Ask, "connections" | "order">> & import("./load.mjs").Ask} Ask */

const PATIENCE_MS = 20_000;

parentPort?.on("message", async (/** @type {Ask} */ ask) => {
  try {
    const slice = await run(ask);
    parentPort?.postMessage({ slice });
  } catch (error) {
    parentPort?.postMessage({ failure: String(error instanceof Error ? error.message : error) });
  }
});

/** @param {Ask} ask @returns {Promise<import("./load.mjs").Slice>} */
async function run(ask) {
  const { hostname, port } = new URL(ask.url);
  const sockets = await Promise.all(Array.from({ length: ask.connections }, () => open(hostname, Number(port))));
  try {
    return await send(ask, sockets);
  } finally {
    for (const socket of sockets) socket.destroy();
  }
}

/** @param {string} host @param {number} port @returns {Promise<import("node:net").Socket>} */
function open(host, port) {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true }, () => resolve(socket));
    socket.once("error", reject);
  });
}

/**
 * @param {Ask} ask
 * @param {import("node:net").Socket[]} sockets
 * @returns {Promise<import("./load.mjs").Slice>}
 */
function send(ask, sockets) {
  const { status, text, order } = ask;
  const requests = ask.requests.map((bytes) => Buffer.from(bytes));
  const capture = ask.capture ? new RegExp(ask.capture) : undefined;
  const expected = `HTTP/1.1 ${status} `;
  const most = order === "once" ? requests.length : (ask.count ?? Infinity);
  /** @type {number[]} */
  const latencies = [];
  const captured = [...(ask.tokens ?? [])];
  let sent = 0;

  return new Promise((resolve, reject) => {
    const begun = performance.now();
    const deadline = begun + (ask.seconds ?? Infinity) * 1000;
    let busy = 0;
    let last = begun;
    const silence = setInterval(() => {
      if (performance.now() - last > PATIENCE_MS) fail(`no answer for ${PATIENCE_MS / 1000} s`);
    }, 1000);
    /** @param {string} reason */
    const fail = (reason) => {
      clearInterval(silence);
      reject(new Error(`${ask.url}: ${reason}`));
    };
    const end = () => {
      clearInterval(silence);
      resolve({
        requests: latencies.length,
        seconds: (last - begun) / 1000,
        latencies: Float64Array.from(latencies).sort(),
        captured,
      });
    };
    sockets.forEach((socket, index) => {
      let at = 0;
      let received = "";
      const more = () => {
        at = performance.now();
        if (at >= deadline || sent >= most || (order === "chain" && index >= captured.length)) {
          if (busy === 0) end();
          return;
        }
        busy += 1;
        const bytes = requests[sent % requests.length];
        socket.write(order === "chain" ? filled(bytes, captured[index]) : bytes);
        sent += 1;
      };
      socket.on("data", (chunk) => {
        received += chunk.toString("latin1");
        if (!whole(received)) return;
        const answer = received;
        received = "";
        last = performance.now();
        latencies.push(last - at);
        busy -= 1;
        if (!answer.startsWith(expected) || !answer.includes(text)) {
          fail(`expected ${status} with ${JSON.stringify(text)}, got:\n${answer}`);
          return;
        }
        if (capture) {
          const found = capture.exec(answer)?.[1];
          if (found === undefined) {
            fail(`expected ${capture}, got:\n${answer}`);
            return;
          }
          if (order === "chain") captured[index] = found;
          else captured.push(found);
        }
        more();
      });
      socket.on("close", () => fail("the server closed a connection"));
      socket.on("error", (error) => fail(error.message));
      more();
    });
  });
}

/**
 * Whether an HTTP answer has arrived to its end.
 *
 * @param {string} answer
 */
function whole(answer) {
  const head = answer.indexOf("\r\n\r\n");
  if (head < 0) return false;
  const length = /\r\ncontent-length: *(\d+)/i.exec(answer.slice(0, head));
  if (length) return answer.length >= head + 4 + Number(length[1]);
  return !/\r\ntransfer-encoding: *chunked/i.test(answer.slice(0, head)) || answer.endsWith("\r\n0\r\n\r\n");
}

/**
 * @param {Buffer} template a form post with `{captured}` in its body
 * @param {string} token
 */
function filled(template, token) {
  const [head, body] = template.toString("latin1").replace("{captured}", () => encodeURIComponent(token)).split("\r\n\r\n");
  return `${head.replace(/content-length: \d+/, `content-length: ${body.length}`)}\r\n\r\n${body}`;
}
