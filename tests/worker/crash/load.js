// @ts-check
/** People and clients who ask for everything at once, until workerd is gone. */
import {
  createAccount,
  obtain,
  redeem,
  registerClient,
  revokeAccess,
  revokeFamily,
  rotate,
  rotateKeys,
  signOut,
  withdraw,
} from "./requests.js";

/**
 * @typedef {import("./world.js").World} World
 * @typedef {import("./world.js").Person} Person
 * @typedef {import("./world.js").Client} Client
 */

/** A successor is published for a day, so that rotations have to be few. */
const MOST_KEYS = 24;

/**
 * Until workerd is killed, which happens while an answer of the planned kind is awaited.
 *
 * @param {World} world
 * @param {{ plain: Client, asking: Client }} clients
 */
export async function load(world, clients) {
  const { plan, chance } = world;
  const wanted = plan.kind;
  /** @type {Promise<void> | undefined} */
  let dying;
  world.onPlan = () => {
    world.onPlan = () => {};
    // Rather late between the request and its usual answer: what is decided is decided there.
    const instant = (0.2 + 1.1 * chance.next()) * (world.latency[wanted] ?? 4);
    setTimeout(() => {
      world.killed = true;
      dying = world.server.kill();
    }, instant);
  };
  world.killed = false;
  await Promise.all(world.people.map((person) => live(world, person, clients, wanted)));
  await dying;
  for (const { kind } of world.doubts) world.interrupted[kind] += 1;
}

/**
 * @param {World} world
 * @param {Person} person
 * @param {{ plain: Client, asking: Client }} clients
 * @param {string} wanted
 */
async function live(world, person, clients, wanted) {
  while (!world.killed) {
    try {
      await step(world, person, clients, wanted);
    } catch (error) {
      // Who asks a server that is being killed gets no answer, and was promised nothing.
      if (!(world.killed && error instanceof TypeError && error.message.match(/fetch failed|terminated/))) throw error;
    }
  }
}

/**
 * @param {World} world
 * @param {Person} person
 * @param {{ plain: Client, asking: Client }} clients
 * @param {string} wanted
 */
async function step(world, person, { plain, asking }, wanted) {
  const { chance } = world;
  const family = await redeem(world, await obtain(world, person, plain, "openid offline_access"), chance.happens(0.08));
  const choice = chance.happens(0.5) ? wanted : chance.one(OFTEN);
  switch (choice) {
    case "refresh":
      if (family?.state === "alive") await rotate(world, family);
      if (family?.state === "alive" && chance.happens(0.3)) await rotate(world, family);
      break;
    case "revoke access token":
      if (family?.state === "alive") await revokeAccess(world, family);
      break;
    case "revoke refresh token":
      if (family?.state === "alive") await revokeFamily(world, family);
      break;
    case "register client":
      await registerClient(world, person);
      break;
    case "create account":
      await createAccount(world);
      break;
    case "consent":
    case "withdraw consent":
      await agree(world, person, asking);
      break;
    case "sign-in":
    case "sign out":
      await signOut(world, person, plain);
      break;
    case "rotate keys":
      if (person === world.people[0] && world.keys.size < MOST_KEYS) await rotateKeys(world);
      break;
  }
}

/** What costs a password hash is done when it is wanted, and seldom else. */
const OFTEN = [
  ...["refresh", "refresh", "revoke access token", "revoke refresh token", "register client", "consent"],
  ...["refresh", "refresh", "revoke access token", "revoke refresh token", "register client", "withdraw consent"],
  ...["create account", "sign out"],
];

/**
 * Agrees, uses what was agreed to, and takes it back.
 *
 * @param {World} world
 * @param {Person} person
 * @param {Client} asking
 */
async function agree(world, person, asking) {
  // A code of the second in which its consent was withdrawn opens nothing.
  const inThatSecond = () => Math.floor(Date.now() / 1000) === Math.floor(person.withdrawnAt / 1000);
  if (inThatSecond()) return;
  await redeem(world, await obtain(world, person, asking, "openid offline_access"));
  if (world.chance.happens(0.7)) await withdraw(world, person, asking);
}
