//! Answers of the token endpoint: error and description of RFC 6749 §5.2, or what is issued beside an
//! access token, and its scope.

use super::{MALFORMED, MISSING, OTHER_TARGET, REPEATED, Row, SCOPE_EXCEEDED, SCOPE_MALFORMED};

const ALL: &str = "200 refresh id: offline_access openid profile read";
const OTHER_GRANT_TYPE: &str = "unsupported_grant_type: no such grant type here";
const INVALID_GRANT: &str = "invalid_grant: the grant is invalid, expired, revoked or not yours";
const INVALID_CLIENT: &str = "invalid_client: client authentication failed";
const SEVERAL: &str = "invalid_request: credentials were sent in more than one way";

pub(crate) const EXCHANGE: [Row; 5] = [
    (
        "grant_type",
        "authorization_code",
        "invalid",
        [ALL, MISSING, OTHER_GRANT_TYPE, REPEATED, OTHER_GRANT_TYPE],
    ),
    // What is longer than anything that could be one is malformed, and not looked at.
    (
        "code",
        "",
        "invalid",
        [ALL, MISSING, INVALID_GRANT, REPEATED, MALFORMED],
    ),
    // A client of OAuth 2.1 does not repeat it; one that does has to do it exactly.
    (
        "redirect_uri",
        "https://web.example/cb",
        "invalid",
        [ALL, ALL, INVALID_GRANT, REPEATED, INVALID_GRANT],
    ),
    // RFC 7636 §4.6.
    (
        "code_verifier",
        "",
        "invalid",
        [ALL, INVALID_GRANT, INVALID_GRANT, REPEATED, INVALID_GRANT],
    ),
    // RFC 8707 §2.2.
    (
        "resource",
        "web",
        "https://evil.example",
        [ALL, ALL, OTHER_TARGET, REPEATED, OTHER_TARGET],
    ),
];

pub(crate) const REFRESH: [Row; 4] = [
    (
        "grant_type",
        "refresh_token",
        "invalid",
        [ALL, MISSING, OTHER_GRANT_TYPE, REPEATED, OTHER_GRANT_TYPE],
    ),
    (
        "refresh_token",
        "",
        "invalid",
        [ALL, MISSING, INVALID_GRANT, REPEATED, MALFORMED],
    ),
    (
        "scope",
        "openid",
        "invalid",
        [
            "200 refresh id: openid",
            ALL,
            SCOPE_EXCEEDED,
            REPEATED,
            SCOPE_MALFORMED,
        ],
    ),
    (
        "resource",
        "web",
        "https://evil.example",
        [ALL, ALL, OTHER_TARGET, REPEATED, OTHER_TARGET],
    ),
];

/// Of a device that somebody has said yes to (RFC 8628 §3.4).
pub(crate) const DEVICE_CODE: [Row; 3] = [
    (
        "grant_type",
        "urn:ietf:params:oauth:grant-type:device_code",
        "invalid",
        [ALL, MISSING, OTHER_GRANT_TYPE, REPEATED, OTHER_GRANT_TYPE],
    ),
    (
        "device_code",
        "",
        "invalid",
        [ALL, MISSING, INVALID_GRANT, REPEATED, MALFORMED],
    ),
    (
        "resource",
        "web",
        "https://evil.example",
        [ALL, ALL, OTHER_TARGET, REPEATED, OTHER_TARGET],
    ),
];

/// Every scope of a client that no person has to stand for.
const OWN: &str = "200: read write";
const READ: &str = "200: read";

/// Of a client that authenticates by the body. Who it is not, is 401 and never 400, unless it is said twice or
/// longer than anything that is looked at.
pub(crate) const CLIENT_CREDENTIALS: [Row; 5] = [
    (
        "grant_type",
        "client_credentials",
        "invalid",
        [OWN, MISSING, OTHER_GRANT_TYPE, REPEATED, OTHER_GRANT_TYPE],
    ),
    (
        "client_id",
        "post",
        "nobody",
        [OWN, INVALID_CLIENT, INVALID_CLIENT, REPEATED, MALFORMED],
    ),
    (
        "client_secret",
        "",
        "invalid",
        [OWN, INVALID_CLIENT, INVALID_CLIENT, REPEATED, MALFORMED],
    ),
    (
        "scope",
        "read",
        "invalid",
        [READ, OWN, SCOPE_EXCEEDED, REPEATED, SCOPE_MALFORMED],
    ),
    (
        "resource",
        "post",
        "https://evil.example",
        [OWN, OWN, OTHER_TARGET, REPEATED, OTHER_TARGET],
    ),
];

/// Of a client that shows an assertion (RFC 7521 §4.2), which says who it is by itself.
pub(crate) const ASSERTION: [Row; 5] = [
    (
        "grant_type",
        "client_credentials",
        "invalid",
        [READ, MISSING, OTHER_GRANT_TYPE, REPEATED, OTHER_GRANT_TYPE],
    ),
    (
        "client_id",
        "signs",
        "nobody",
        [READ, READ, INVALID_CLIENT, REPEATED, MALFORMED],
    ),
    (
        "client_secret",
        "",
        "invalid",
        [SEVERAL, READ, SEVERAL, REPEATED, MALFORMED],
    ),
    (
        "client_assertion",
        "",
        "invalid",
        [READ, INVALID_CLIENT, INVALID_CLIENT, REPEATED, MALFORMED],
    ),
    (
        "client_assertion_type",
        "",
        "urn:ietf:params:oauth:client-assertion-type:saml2-bearer",
        [
            READ,
            INVALID_CLIENT,
            INVALID_CLIENT,
            REPEATED,
            INVALID_CLIENT,
        ],
    ),
];

/// What a client gets that names no scope; not offline_access, for which nobody was asked.
const USUAL: &str = "200 refresh id: email openid profile read write";

/// Of a client that takes people's passwords. Why one is refused nobody is told.
pub(crate) const PASSWORD_GRANT: [Row; 5] = [
    (
        "grant_type",
        "password",
        "invalid",
        [USUAL, MISSING, OTHER_GRANT_TYPE, REPEATED, OTHER_GRANT_TYPE],
    ),
    (
        "username",
        "ada",
        "nobody",
        [USUAL, MISSING, INVALID_GRANT, REPEATED, INVALID_GRANT],
    ),
    (
        "password",
        "",
        "invalid",
        [USUAL, MISSING, INVALID_GRANT, REPEATED, INVALID_GRANT],
    ),
    (
        "scope",
        "read",
        "invalid",
        [
            "200 refresh: read",
            USUAL,
            SCOPE_EXCEEDED,
            REPEATED,
            SCOPE_MALFORMED,
        ],
    ),
    (
        "resource",
        "web",
        "https://evil.example",
        [USUAL, USUAL, OTHER_TARGET, REPEATED, OTHER_TARGET],
    ),
];
