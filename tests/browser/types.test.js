// @ts-check
// The package's types, as a program finds them by its name.
import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { attempt, root } from "../../scripts/lib/steps.mjs";

for (const resolution of ["nodenext", "bundler"]) {
  test(`TypeScript knows what the package exports, and what it refuses: ${resolution}`, async () => {
    const place = mkdtempSync(join(tmpdir(), "edgemint-types-"));
    try {
      mkdirSync(join(place, "node_modules"));
      symlinkSync(join(root, "build/browser"), join(place, "node_modules/edgemint"));
      cpSync(join(root, "tests/browser/types.ts"), join(place, "types.ts"));
      writeFileSync(join(place, "package.json"), '{"type":"module"}');
      const module = resolution === "bundler" ? "esnext" : "nodenext";
      const compilerOptions = { module, moduleResolution: resolution, target: "es2024", lib: ["ES2024", "DOM"], types: [], strict: true, noEmit: true };
      writeFileSync(join(place, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["types.ts"] }));
      const { code, output } = await attempt(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", place]);
      assert.equal(code, 0, output);
    } finally {
      rmSync(place, { recursive: true });
    }
  });
}
