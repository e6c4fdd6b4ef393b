// `npm run admin -- COMMAND …`: administers a deployment from the terminal, through its management API. Exits with 0 when
// it was done, 1 when it was not, 2 when it was not understood.
// @ts-check
import { parseArgs } from "node:util";
import { Refusal } from "./lib/steps.mjs";
import { connect } from "./lib/admin/api.mjs";
import { exportTo, importFrom } from "./lib/admin/copy.mjs";
import * as records from "./lib/admin/records.mjs";

/** What was typed is no command. */
class Misunderstood extends Error {}

/** @typedef {import("./lib/admin/api.mjs").Api} Api */
/** @typedef {Record<string, any>} Options */
/** @typedef {{ takes: string[], options?: Record<string, "string" | "boolean" | "strings">, about: string, run: (api: Api, names: string[], options: Options) => Promise<void> }} Command */

/** @type {Record<string, Command>} */
const commands = {
  "users list": { takes: [], options: { search: "string", json: "boolean" }, about: "who there is", run: records.listUsers },
  "users create": {
    takes: ["USERNAME"],
    options: { name: "string", email: "string", scopes: "string", roles: "string" },
    about: "a new user, and a password",
    run: records.createUser,
  },
  "users password": { takes: ["USERNAME"], about: "another password; ends every session and token", run: records.setPassword },
  "users disable": { takes: ["USERNAME"], about: "may do nothing; ends every session and token", run: (api, [name]) => records.setActive(api, name, false) },
  "users enable": { takes: ["USERNAME"], about: "may sign in again", run: (api, [name]) => records.setActive(api, name, true) },
  "clients list": { takes: [], options: { search: "string", json: "boolean" }, about: "which clients there are", run: records.listClients },
  "clients create": {
    takes: ["NAME"],
    options: { id: "string", public: "boolean", redirect: "strings", grant: "strings", scope: "string" },
    about: "a new client; its secret is shown once",
    run: records.createClient,
  },
  "clients secret": { takes: ["CLIENT_ID"], about: "one more secret, shown once; those of before go on", run: records.addSecret },
  "keys list": { takes: [], options: { json: "boolean" }, about: "the signing keys", run: records.listKeys },
  "keys create": { takes: ["ALG"], about: "one more key: EdDSA, ES256 or RS256", run: records.createKey },
  "keys rotate": { takes: [], options: { "at-once": "boolean" }, about: "a successor for every key; --at-once after a leak", run: records.rotateKeys },
  "resource-key": { takes: ["RESOURCE"], about: "the key that opens RESOURCE's access tokens, as JSON: a secret, for its owner alone", run: records.resourceKey },
  recover: { takes: ["USERNAME"], about: "makes USERNAME an administrator, with a new password; the account, too, if there is none", run: records.recover },
  epoch: { takes: [], options: { yes: "boolean" }, about: "ends everything that was issued before, after a restore", run: records.raiseEpoch },
  export: { takes: ["FILE"], about: "everything into FILE, secrets sealed under a passphrase; again: goes on", run: (api, [file]) => exportTo(api, file) },
  import: { takes: ["FILE"], about: "everything from FILE; again: goes on", run: (api, [file]) => importFrom(api, file) },
};

/** @param {string[]} args */
export default async function main(args) {
  try {
    const asked = read(args);
    if (asked === undefined) return console.log(help());
    const { command, names, options } = asked;
    await command.run(connect(options.url), names, options);
  } catch (error) {
    if (error instanceof Misunderstood) {
      console.error(`edgemint: ${error.message}\nSee \`npm run admin -- help\`.`);
      process.exitCode = 2;
    } else if (error instanceof Refusal) {
      console.error(`edgemint: ${error.message}`);
      process.exitCode = 1;
    } else {
      throw error;
    }
  }
}

/** @param {string[]} args @returns {{ command: Command, names: string[], options: Options } | undefined} nothing where help was asked for */
function read(args) {
  const words = args.filter((word) => !word.startsWith("-"));
  if (args.length === 0 || words[0] === "help" || args.includes("--help")) return undefined;
  const name = [words.slice(0, 2).join(" "), words[0] ?? ""].find((name) => Object.hasOwn(commands, name));
  if (name === undefined) throw new Misunderstood(`there is no command \`${words.slice(0, 2).join(" ")}\``);
  const command = commands[name];
  const given = Object.entries(command.options ?? {}).map(([option, kind]) => [
    option,
    { type: kind === "boolean" ? "boolean" : "string", multiple: kind === "strings" },
  ]);
  /** @type {ReturnType<typeof parseArgs>} */
  let parsed;
  try {
    parsed = parseArgs({ args, allowPositionals: true, options: { url: { type: "string" }, ...Object.fromEntries(given) } });
  } catch (error) {
    throw new Misunderstood(/** @type {Error} */ (error).message);
  }
  const names = parsed.positionals.slice(name.split(" ").length);
  if (names.length !== command.takes.length) throw new Misunderstood(`usage: ${usage(name)}`);
  return { command, names, options: parsed.values };
}

/** @param {string} name */
function usage(name) {
  const { takes, options = {} } = commands[name];
  const given = Object.entries(options).map(([option, kind]) => {
    const flag = kind === "boolean" ? `--${option}` : `--${option} …`;
    return kind === "strings" ? `[${flag}]…` : `[${flag}]`;
  });
  return [`npm run admin -- ${name}`, ...takes, ...given].join(" ");
}

function help() {
  const lines = Object.entries(commands).map(([name, { about }]) => `  ${usage(name).slice("npm run admin -- ".length)}\n      ${about}`);
  return `npm run admin -- COMMAND

${lines.join("\n")}

Which deployment: --url URL, else ISSUER, else http://127.0.0.1:8787 (PORT).
Who asks: ADMIN_TOKEN (a token with admin:token) or BOOTSTRAP_TOKEN; of a local run the one that \`npm start\` keeps.
Passwords and passphrases are asked for, or read from NEW_PASSWORD and EXPORT_PASSPHRASE, or from standard input.`;
}
