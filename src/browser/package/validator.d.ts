/** Whose token it is, and what it allows: what the issuer says of it, too. */
export interface Principal {
  active: true;
  /** A person's subject, or the client's id where it acts for itself. */
  sub: string;
  username: string;
  client_id: string;
  /** Space-separated. */
  scope: string;
  /** This resource. */
  aud: string;
  /** Seconds since 1970. */
  exp: number;
}

/** Why not. `error`, `status` and `challenge` are for whoever asked; `refusalResponse` makes an answer of them. */
export interface Refusal {
  active: false;
  /** `unavailable` (503) is no verdict: what it would need could not be had. */
  error: "invalid_token" | "insufficient_scope" | "unavailable";
  status: 401 | 403 | 503;
  /** The value of `WWW-Authenticate` (RFC 6750 §3, or `MAC` for who signs). */
  challenge: string | null;
  /** What would be needed, with `insufficient_scope`. */
  scope: string | null;
  /** For the log of whoever runs the resource. */
  cause: RefusalCause;
}

export type RefusalCause =
  | "no_token"
  | "token_unknown"
  | "key_unknown"
  | "token_expired"
  | "token_revoked"
  | "token_for_other_audience"
  | "insufficient_scope"
  | "mac_malformed"
  /** Key, method, URI, host or port is another one. */
  | "mac_mismatch"
  | "mac_out_of_time"
  | "mac_for_other_body"
  /** The request signs its body, and neither `body` nor `bodyHash` was given. */
  | "mac_body_unknown"
  | "mac_replayed"
  /** `unavailable`: `mac.spend` threw, or said neither yes nor no. */
  | "nonce_unspent"
  /** The binding said no, and not why. */
  | "refused_by_issuer"
  /** `unavailable`: the issuer's public keys could not be fetched. */
  | "no_keys"
  /** `unavailable`: the token is sealed, and there are no `resourceKeys`, `binding` or `introspection`. */
  | "no_resource_keys"
  /** `unavailable`: the token is of a later epoch than `resourceKeys`, which have to be fetched anew. */
  | "resource_keys_outdated"
  /** `unavailable`: what was revoked is not known within `maxAge`. */
  | "revocations_outdated"
  /** `unavailable`: binding or introspection gave no answer, or refused this resource. */
  | "issuer_away";

export type Verdict = Principal | Refusal;

/** What `POST /api/v1/resource-keys` answers: a secret. */
export interface ResourceKeys {
  issuer: string;
  resource: string;
  epoch: number;
  keys: { root: string; key: string }[];
}

export interface ValidatorOptions {
  /** As its metadata says it, octet for octet. */
  issuer: string;
  /** The one resource that tokens have to be for. */
  audience: string;
  /** Opens sealed tokens without asking anybody; the object, or its JSON. */
  resourceKeys?: ResourceKeys | string;
  /** Else a service binding to the issuer's entrypoint `Edgemint` is asked about sealed tokens. */
  binding?: { validate(request: any, required?: any): unknown; introspect?(token: string): unknown };
  /** Else introspection is, as this client. */
  introspection?: { clientId: string; clientSecret: string };
  /** Without it, what was revoked is accepted until it expires, wherever the issuer is not asked. */
  revocations?: {
    /** A token of the issuer's API with the scope `revocation:read`. */
    token: string | (() => string | Promise<string>);
    /** Seconds by which a revocation may be late. */
    maxAge: number;
  };
  /** Takes requests that are signed by MAC (http-mac drafts 00 and 01), with `binding` or `introspection`; without it, none. */
  mac?: {
    /** Where requests for this resource are sent to: scheme, host and port, whatever a request says of itself. */
    origin: string;
    /**
     * Spends a nonce: true the first time, false ever after, until then (seconds since 1970). Two at once must not both
     * get true, in whatever process they run.
     */
    spend(nonce: string, rememberedUntil: number): boolean | Promise<boolean>;
    /** Seconds by which the time of a request may be off, 5 to 300; 60 unless said otherwise. */
    window?: number;
  };
  fetch?: typeof fetch;
}

export interface Required {
  scopes?: readonly string[];
  /** All of them, unless said otherwise. */
  satisfy?: "all" | "any";
  /** Of a signed request: path and query as they were sent, where the `url` of the request has them otherwise. */
  uri?: string;
  /** Of a signed request: its body, so that its hash is compared with what was signed. */
  body?: string | ArrayBuffer | Uint8Array<ArrayBuffer>;
  /** Instead of it: its hash in base64, by the algorithm of the key. */
  bodyHash?: string;
}

export interface Validator {
  /** The verdict on a request, or on the text of its `Authorization` header. Refusals are answers and are not thrown. */
  validate(request: { headers: { get(name: string): string | null }; method?: string; url?: string } | string | null | undefined, required?: Required): Promise<Verdict>;
}

/** One for each resource, made once: it keeps the copies. Throws an `Error` with the code `options_invalid`. */
export function createValidator(options: ValidatorOptions): Validator;

/** The answer to a request that was refused. */
export function refusalResponse(refusal: Pick<Refusal, "error" | "status" | "challenge">): Response;
