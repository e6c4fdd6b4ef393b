//! Answers of the authorization endpoint.

use super::{MALFORMED, MISSING, OTHER_TARGET, REPEATED, Row, SCOPE_EXCEEDED, SCOPE_MALFORMED};
use crate::support::{CHALLENGE, NONCE, RESOURCE, STATE};

const CODE: &str = "code";
const PAGE_REPEATED: &str = "page 400 repeated_parameter";
const NO_CHALLENGE: &str =
    "invalid_request: code_challenge with code_challenge_method=S256 is needed";
const OTHER_TYPE: &str = "unsupported_response_type: no such response type here";
const REQUEST: &str = "request_not_supported: request objects are not supported";
const REQUEST_URI: &str =
    "request_uri_not_supported: request objects by reference are not supported";
const REGISTRATION: &str = "registration_not_supported: clients do not describe themselves here";

/// `code`: granted; `page …`: our own page with this status and reason, because client or redirect URI
/// are not proven (RFC 6749 §4.1.2.1); anything else is the error in a redirect to the client.
/// `stateless`: without `state`, as none was sent that could be returned.
///
/// An empty value is an absent one (RFC 6749 §3.1), so what is optional may be empty; a parameter that
/// is there twice makes the request invalid (ibid.), whatever it is for.
pub(crate) const AUTHORIZE: [Row; 23] = [
    (
        "client_id",
        "web",
        "nobody",
        [
            CODE,
            "page 400 missing_parameter",
            "page 400 unknown_client",
            PAGE_REPEATED,
            "page 400 unknown_client",
        ],
    ),
    (
        "redirect_uri",
        "https://web.example/cb",
        "https://evil.example/cb",
        [
            CODE,
            "page 400 missing_parameter",
            "page 400 unregistered_redirect_uri",
            PAGE_REPEATED,
            "page 400 unregistered_redirect_uri",
        ],
    ),
    (
        "response_type",
        "code",
        "invalid",
        [CODE, MISSING, OTHER_TYPE, REPEATED, OTHER_TYPE],
    ),
    (
        "scope",
        "openid profile",
        "invalid",
        [CODE, CODE, SCOPE_EXCEEDED, REPEATED, SCOPE_MALFORMED],
    ),
    // What could not come back unchanged does not come back.
    (
        "state",
        STATE,
        "\r\n",
        [
            CODE,
            "code, stateless",
            "invalid_request: * has a value that is not allowed, stateless",
            "invalid_request: * was sent more than once, stateless",
            "invalid_request: * has a value that is not allowed, stateless",
        ],
    ),
    (
        "nonce",
        NONCE,
        "\0",
        [CODE, CODE, MALFORMED, REPEATED, MALFORMED],
    ),
    // RFC 7636 §4.4.1.
    (
        "code_challenge",
        CHALLENGE,
        "invalid",
        [CODE, NO_CHALLENGE, MALFORMED, REPEATED, MALFORMED],
    ),
    // None is `plain` (RFC 7636 §4.3), which this client may not use.
    (
        "code_challenge_method",
        "S256",
        "invalid",
        [CODE, NO_CHALLENGE, MALFORMED, REPEATED, MALFORMED],
    ),
    // RFC 8707 §2; a token is for one resource, so two are one too many.
    (
        "resource",
        RESOURCE,
        "https://evil.example",
        [CODE, CODE, OTHER_TARGET, REPEATED, OTHER_TARGET],
    ),
    (
        "response_mode",
        "query",
        "invalid",
        [CODE, CODE, MALFORMED, REPEATED, MALFORMED],
    ),
    (
        "prompt",
        "none",
        "invalid",
        [CODE, CODE, MALFORMED, REPEATED, MALFORMED],
    ),
    (
        "max_age",
        "600",
        "-1",
        [CODE, CODE, MALFORMED, REPEATED, MALFORMED],
    ),
    (
        "login_hint",
        "ada",
        "\0",
        [CODE, CODE, MALFORMED, REPEATED, MALFORMED],
    ),
    (
        "id_token_hint",
        "",
        "invalid",
        [CODE, CODE, MALFORMED, REPEATED, MALFORMED],
    ),
    (
        "claims",
        "{}",
        "invalid",
        [CODE, CODE, MALFORMED, REPEATED, MALFORMED],
    ),
    // OpenID Connect Core §3.1.2.1 and §5.2: what a server does not know of these does no harm.
    (
        "display",
        "page",
        "invalid",
        [CODE, CODE, CODE, REPEATED, CODE],
    ),
    (
        "ui_locales",
        "en",
        "invalid",
        [CODE, CODE, CODE, REPEATED, CODE],
    ),
    (
        "claims_locales",
        "en",
        "invalid",
        [CODE, CODE, CODE, REPEATED, CODE],
    ),
    (
        "acr_values",
        "x",
        "invalid",
        [CODE, CODE, CODE, REPEATED, CODE],
    ),
    // OpenID Connect Core §6 and §7.2.1: refused by name, whatever they hold.
    (
        "request",
        "",
        "invalid",
        [REQUEST, CODE, REQUEST, REPEATED, REQUEST],
    ),
    (
        "request_uri",
        "https://web.example/request.jwt",
        "invalid",
        [REQUEST_URI, CODE, REQUEST_URI, REPEATED, REQUEST_URI],
    ),
    (
        "registration",
        "{\"client_name\":\"Web\"}",
        "invalid",
        [REGISTRATION, CODE, REGISTRATION, REPEATED, REGISTRATION],
    ),
    // Ours: a posted request comes again by it. Whom to answer is in it, so what is wrong with it is told
    // to nobody but the person.
    (
        "continue",
        "",
        "invalid",
        [
            CODE,
            CODE,
            "page 400 page_from_elsewhere",
            PAGE_REPEATED,
            "page 400 page_from_elsewhere",
        ],
    ),
];
