// What TypeScript has to make of the package: compiled by `types.test.js`, never run.
import { createValidator, refusalResponse, type Principal, type Refusal, type Validator } from "edgemint/validator";
import { verifyJwt } from "edgemint";

declare const env: { EDGEMINT: { validate(request: Request, required?: { scopes?: string[]; satisfy?: "all" | "any" }): Promise<unknown> } };

const validator: Validator = createValidator({
  issuer: "https://id.example",
  audience: "https://api.example/",
  resourceKeys: { issuer: "https://id.example", resource: "https://api.example/", epoch: 1, keys: [{ root: "AAAAAA", key: "A" }] },
  binding: env.EDGEMINT,
  introspection: { clientId: "api", clientSecret: "secret" },
  revocations: { token: async () => "token", maxAge: 60 },
  fetch: (input, init) => fetch(input, init),
});

export async function handle(request: Request): Promise<Response> {
  const verdict = await validator.validate(request, { scopes: ["bill:read"], satisfy: "any" });
  if (!verdict.active) {
    const status: 401 | 403 | 503 = verdict.status;
    if (verdict.cause === "resource_keys_outdated") console.error(status, verdict.scope);
    // @ts-expect-error a refusal names nobody
    verdict.sub;
    return refusalResponse(verdict);
  }
  const principal: Principal = verdict;
  // @ts-expect-error whoever is let in was not refused
  principal.challenge;
  return new Response(`${principal.sub} ${principal.exp + 1}`);
}

export const byHeader = (header: string | null): Promise<Principal | Refusal> => validator.validate(header);

// @ts-expect-error there is no resource without a name
createValidator({ issuer: "https://id.example" });
// @ts-expect-error how late a revocation may be is said
createValidator({ issuer: "https://id.example", audience: "a", revocations: { token: "t" } });
// @ts-expect-error neither all nor any
validator.validate(null, { satisfy: "some" });

export const claims = verifyJwt("a.b.c", { keys: [] }, { issuer: "i", audience: "a", typ: "at+jwt" });
