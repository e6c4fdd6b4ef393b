//! JOSE: base64url, JWK, JWS and JWT. Knows nothing of OAuth.
