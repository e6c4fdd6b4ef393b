export {
  pkcePair,
  authorizationRequest,
  authorizationResponse,
  verifyIdToken,
  verifyJwt,
  decodeUnverified,
} from "./edgemint.js";
export type {
  PkcePair,
  AuthorizationRequestOptions,
  AuthorizationRequest,
  ExpectedResponse,
  JwkSet,
  ExpectedIdToken,
  ExpectedJwt,
  JwtClaims,
  IdTokenClaims,
  UnverifiedToken,
  EdgemintError,
} from "./edgemint.js";
