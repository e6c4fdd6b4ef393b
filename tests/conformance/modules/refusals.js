// @ts-check
// What is refused, or may be.
import assert from "node:assert/strict";
import { answerOf, checkAnswer, checkError } from "../checks.js";
import { REDIRECT } from "../op.js";
import { skip } from "../run.js";

/** @typedef {import("../run.js").Run} Run @type {Record<string, (run: Run) => Promise<void>>} */
export const refusals = {
  async "oidcc-response-type-missing"(run) {
    const form = run.request(await run.register(), { response_type: undefined });
    const walked = await run.authorize(form);
    if (walked.location === undefined && walked.posted === undefined) return run.isErrorPage(walked);
    await run.refused(form, ["invalid_request", "unsupported_response_type"]);
  },

  async "oidcc-ensure-registered-redirect-uri"(run) {
    const form = run.request(await run.register(), { redirect_uri: `${REDIRECT}/unregistered` });
    run.isErrorPage(await run.authorize(form));
  },

  "oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported": async (run) =>
    // Neither OP fetches any; one that does would have to be given a document here.
    rejected(run, { request_uri: "https://client.example/request.jwt" }, "request_uri_not_supported"),

  async "oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported"(run) {
    const client = await run.register();
    const whole = run.request(client);
    await rejected(run, { ...whole, state: undefined, nonce: undefined, request: unsigned(client, whole) }, "request_not_supported");
  },

  async "oidcc-ensure-request-object-with-redirect-uri"(run) {
    const client = await run.register();
    const whole = run.request(client);
    const walked = await run.authorize({ ...whole, redirect_uri: `${REDIRECT}/unregistered`, request: unsigned(client, whole) });
    if (walked.location === undefined && walked.posted === undefined) return run.isErrorPage(walked);
    checkAnswer(answerOf(walked, whole), run.op.issuer, whole.state);
  },
};

/**
 * A request is rejected as one of a kind that is not supported, and none of it is done.
 *
 * @param {Run} run
 * @param {import("../run.js").Form} form
 * @param {string} error
 */
async function rejected(run, form, error) {
  const whole = form.client_id === undefined ? run.request(await run.register(), form) : form;
  const { answer, pages } = await run.answered(whole);
  checkError(answer, [error]);
  checkAnswer(answer, run.op.issuer, whole.state);
  assert.deepEqual(pages, [], "nobody signs in for it");
  skip(error);
}

/** @param {import("../op.js").Client} client @param {import("../run.js").Form} form */
function unsigned(client, form) {
  const parts = [{ alg: "none" }, { iss: client.client_id, ...form }];
  return `${parts.map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".")}.`;
}
