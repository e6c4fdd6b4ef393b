// @ts-check
// One suite for two servers. A case that fails here and passes with oidc-provider is our fault, and no invention of the
// suite's; where oidc-provider rightly does something else, `DIFFERS` says why, and a case there that passes fails.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import * as authorize from "./protocol/authorize.js";
import * as token from "./protocol/token.js";
import * as tokens from "./protocol/tokens.js";
import * as edgemint from "./subjects/edgemint.js";
import * as oidcProvider from "./subjects/oidc-provider.js";
import { subject } from "./subjects/subject.js";

const AREAS = { ...authorize, ...token, ...tokens };

/** What oidc-provider does otherwise, and what allows both. @type {Record<string, string>} */
const DIFFERS = {
  "another way than the registered one is refused":
    "it takes a client's secret in the header or in the body alike; RFC 7591 §2 registers one way, RFC 6749 §2.3.1 allows both",
  "the redirect URI need not be repeated, because the verifier says more":
    "RFC 6749 §4.1.3 wants it repeated; OAuth 2.1 §10.2 has PKCE instead and drops it",
  "a retry gets the same successor, because an answer can be lost":
    "RFC 9700 §4.14.2 ends the family at any reuse; our grace is for 30 seconds and while the successor is unused",
  "a grant that the client is not registered for is unauthorized":
    "it says invalid_request; RFC 6749 §5.2 has unauthorized_client for this very case",
  "an id that anybody can know introspects nothing":
    "it lets a public client ask about its own tokens; RFC 7662 §2.1 wants some form of authorization, against scanning for tokens",
  "an access token that was revoked takes no refresh token along": "RFC 7009 §2.1 allows both: a server MAY revoke the refresh token, too",
  "the answer has no body, and no type for it": "it names a type for nothing; RFC 7009 §2.2 has clients ignore both, and not all of them do",
  "a token in the body is not read": "RFC 6750 §2.2 allows the body where a client cannot set headers; ours can",
};

for (const [name, { start }] of Object.entries({ edgemint, "oidc-provider": oidcProvider })) {
  describe(name, () => {
    /** @type {import("./subjects/subject.js").Subject} */
    let server;
    /** @type {import("./subjects/subject.js").Started} */
    let started;
    before(async () => {
      started = await start();
      server = await subject(started);
    });
    after(() => started?.stop());

    for (const [area, cases] of Object.entries(AREAS)) {
      describe(area, () => {
        for (const [sentence, run] of Object.entries(cases)) {
          if (name !== "edgemint" && sentence in DIFFERS) {
            test(`not: ${sentence}`, () => assert.rejects(run(server), { code: "ERR_ASSERTION" }, `it does: ${DIFFERS[sentence]}`));
          } else {
            test(sentence, async () => void (await run(server)));
          }
        }
      });
    }
  });
}

test("no sentence is said twice, and every difference is about one", () => {
  const sentences = Object.values(AREAS).flatMap((cases) => Object.keys(cases));
  assert.equal(new Set(sentences).size, sentences.length);
  assert.deepEqual(Object.keys(DIFFERS).filter((sentence) => !sentences.includes(sentence)), []);
});
