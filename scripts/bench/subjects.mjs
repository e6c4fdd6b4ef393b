// Who is compared: all of them are up during the whole run, and one is asked at a time.
// @ts-check
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { step } from "../lib/steps.mjs";
import { startEdgemint } from "./edgemint.mjs";
import { compare, record, startFloor } from "./floor.mjs";
import { startOidcProvider } from "./oidc-provider.mjs";
import { observed } from "./process.mjs";
import { MEMORY, WITHOUT_DISK, WRITING } from "./rows.mjs";
import { startWorkersOAuthProvider } from "./workers-oauth-provider.mjs";

/**
 * @param {{ load: import("./load.mjs").LoadGenerator, people: number }} options
 * @returns {Promise<{ subjects: import("./rows.mjs").Subject[], recordings: import("./floor.mjs").Recordings, stop: () => Promise<void> }>}
 */
export async function startSubjects({ load, people }) {
  /** @type {import("./rows.mjs").Subject[]} */
  const subjects = [];
  const folder = existsSync(MEMORY) ? mkdtempSync(join(MEMORY, "edgemint-bench-")) : undefined;
  const tidy = () => folder && rmSync(folder, { recursive: true, force: true });
  // Also when it is interrupted: this is memory.
  process.once("exit", tidy);
  const stop = async () => {
    for (const subject of subjects) await subject.stop();
    process.removeListener("exit", tidy);
    tidy();
  };
  try {
    const ours = await step("people, clients and tokens", () => observed(() => startEdgemint({ load, people })));
    subjects.push(ours);
    const recordings = await record(ours, load);
    await step("peers", async () => {
      const floor = await observed(() => startFloor(recordings));
      subjects.push(floor);
      await compare(floor, recordings, load);
      subjects.push(await observed(() => startWorkersOAuthProvider({ load })));
      const inNode = await observed(() => startOidcProvider({ load, people }));
      subjects.push(inNode);
      if (folder === undefined) return;
      subjects.push(writing(await observed(() => startEdgemint({ load, people, persist: join(folder, "edgemint") }))));
      subjects.push(writing(await observed(() => startWorkersOAuthProvider({ load, persist: join(folder, "workers-oauth-provider") }))));
      // These two never had one.
      for (const subject of [floor, inNode]) Object.assign(subject.rows, writing(subject).rows);
    });
    return { subjects, recordings, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** @param {import("./rows.mjs").Subject} subject @returns {import("./rows.mjs").Subject} what it writes, under the other name */
function writing(subject) {
  return { ...subject, rows: Object.fromEntries(WRITING.map((name) => [name + WITHOUT_DISK, subject.rows[name]])) };
}
