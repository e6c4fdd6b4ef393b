/** A PKCE pair (RFC 7636). Keep `verifier` until the token request. */
export interface PkcePair {
  verifier: string;
  challenge: string;
  method: "S256";
}

export interface AuthorizationRequestOptions {
  /** Where to send the user; or give `metadata`. */
  authorization_endpoint?: string;
  /** The server's metadata (RFC 8414): its `authorization_endpoint` is used and its PKCE methods are checked. */
  metadata?: object;
  client_id: string;
  redirect_uri: string;
  /** Space-separated. */
  scope?: string;
  /** RFC 8707. */
  resource?: string | string[];
  /** Made fresh when absent. */
  nonce?: string;
  /** Made fresh when absent. */
  state?: string;
  /** Further parameters, such as `prompt`; they cannot replace those above. */
  extra?: Record<string, string>;
}

export interface AuthorizationRequest {
  url: string;
  state: string;
  nonce: string;
  verifier: string;
}

export interface ExpectedResponse {
  issuer: string;
  state: string;
  /** The metadata's `authorization_response_iss_parameter_supported`. */
  iss_required?: boolean;
}

export interface JwkSet {
  keys: object[];
}

interface ExpectedTimes {
  /** Seconds since 1970; the platform's clock when absent. */
  now?: number;
  /** Seconds by which clocks may differ: 10 when absent, 60 at most. */
  leeway?: number;
}

export interface ExpectedIdToken extends ExpectedTimes {
  issuer: string;
  client_id: string;
  /** The nonce that was sent; when absent, a token that carries one is refused. */
  nonce?: string;
  /** Seconds; then `auth_time` is required. */
  max_age?: number;
  /** The access token that came along; then `at_hash` is required. */
  access_token?: string;
}

export interface ExpectedJwt extends ExpectedTimes {
  issuer: string;
  audience: string;
  /** The `typ` header, such as `at+jwt`; `JWT` also accepts a token without one. */
  typ: string;
  /** Seconds since `iat`. */
  max_age?: number;
}

export interface JwtClaims {
  iss: string;
  aud: string | string[];
  exp: number;
  [claim: string]: unknown;
}

export interface IdTokenClaims extends JwtClaims {
  sub: string;
  iat: number;
}

export interface UnverifiedToken {
  header: Record<string, unknown>;
  claims: unknown;
}

/** What every refused call throws. */
export interface EdgemintError extends Error {
  name: "EdgemintError";
  /** Stable: branch on this. */
  code: string;
  /** The server's own words, when `code` is `authorization_refused`. */
  error?: string;
  error_description?: string;
}
