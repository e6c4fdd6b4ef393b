// What nobody may see: never an argument, which every process of the machine can read, and never echoed.
// @ts-check
import { randomBytes } from "node:crypto";
import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { Refusal } from "../steps.mjs";

/**
 * A new password or passphrase: from the environment, typed twice, a line of standard input, or made. One that was made
 * is shown, this once.
 *
 * @param {string} what
 * @param {string} variable
 */
export async function fresh(what, variable) {
  const given = process.env[variable] || (await typed(`${what} (empty: one is made): `));
  if (given !== "") {
    if (!process.env[variable] && process.stdin.isTTY && (await typed("again: ")) !== given) {
      throw new Refusal("the two are not the same; nothing was changed, try again");
    }
    return given;
  }
  const made = randomBytes(18).toString("base64url");
  console.log(`${what}: ${made}`);
  return made;
}

/**
 * One that is known already.
 *
 * @param {string} what
 * @param {string} variable
 */
export async function known(what, variable) {
  const given = process.env[variable] || (await typed(`${what}: `));
  if (given === "") throw new Refusal(`no ${what}: type it, or set ${variable}`);
  return given;
}

/** Whether somebody agrees. @param {string} question */
export async function agreed(question) {
  if (!process.stdin.isTTY) throw new Refusal(`${question} Say --yes where nobody can be asked`);
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await new Promise((done) => {
    lines.question(`${question} Type yes: `, done);
    lines.once("close", () => done(""));
  });
  lines.close();
  return answer === "yes";
}

/** @param {string} question @returns {Promise<string>} without an echo */
function typed(question) {
  const terminal = Boolean(process.stdin.isTTY);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: nowhere, terminal, historySize: 0 });
  if (terminal) process.stderr.write(question);
  return new Promise((done, fail) => {
    lines.once("SIGINT", () => {
      process.stderr.write("\n");
      fail(new Refusal("stopped; nothing was changed"));
      lines.close();
    });
    lines.once("line", (line) => {
      if (terminal) process.stderr.write("\n");
      done(line);
      lines.close();
    });
    lines.once("close", () => done(""));
  });
}
