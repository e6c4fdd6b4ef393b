//! Small grammars: forms, credentials, cookies, scopes, PKCE.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use edgemint::http::Request;
use edgemint::jose::base64url;
use edgemint::model::Scope;
use edgemint::oauth::client_authentication;
use edgemint::oauth::params::Params;
use edgemint::oauth::pkce;

const NAMES: [&str; 4] = ["client_id", "state", "a", "redirect_uri"];

/// What is read is read again alike after it was printed, and a repetition is never passed over.
pub(crate) fn form(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let params = Params::parse(&text, &NAMES);
    let mut print = form_urlencoded::Serializer::new(String::new());
    let mut repeated = false;
    for name in NAMES {
        let times = form_urlencoded::parse(text.as_bytes())
            .filter(|(found, _)| found == name)
            .count();
        repeated |= times > 1;
        let typed = params.typed(name);
        assert_eq!(typed.is_err(), times > 1, "{name}");
        if let Ok(value) = typed {
            if times == 1 {
                print.append_pair(name, value);
            }
            assert!(value.is_empty() || times == 1);
        }
        if let Ok(Some(value)) = params.optional(name) {
            assert_eq!(typed, Ok(value));
            assert!(!value.is_empty() && !value.contains(|letter: char| letter.is_control()));
            assert_eq!(params.within(name, value.len()), Ok(Some(value)));
            assert!(params.within(name, value.len() - 1).is_err());
        }
    }
    assert_eq!(params.refuse_repeated().is_err(), repeated);
    let printed = Params::parse(&print.finish(), &NAMES);
    for name in NAMES {
        if let Ok(value) = params.typed(name) {
            assert_eq!(printed.typed(name), Ok(value));
        }
    }
}

/// What is read was `Basic`, and comes back when it is written as RFC 6749 §2.3.1 says.
pub(crate) fn basic(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    // The header as it came, and the same bytes as credentials, which chance would not encode.
    for header in [
        text.clone().into_owned(),
        format!("Basic {}", STANDARD.encode(data)),
    ] {
        let Some((id, secret)) = client_authentication::basic(&header) else {
            continue;
        };
        assert!(header.to_ascii_lowercase().starts_with("basic "));
        let encode =
            |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let pair = STANDARD.encode(format!("{}:{}", encode(&id), encode(&secret)));
        if pair.len() <= 2048 {
            let again = client_authentication::basic(&format!("Basic {pair}"));
            assert_eq!(again, Some((id, secret)));
        }
    }
}

/// A cookie is one that stands in the header by itself, the first of its name; an address counts
/// as the network that it is in.
pub(crate) fn cookies(data: &[u8]) {
    const NAME: &str = "__Host-edgemint-session";
    let text = String::from_utf8_lossy(data);
    let ours = "ems_the-real-one";
    let read = |cookie: String| Request {
        cookie: Some(cookie),
        ..Request::default()
    };
    let is_ours = |pair: &&str| {
        pair.trim_start_matches([' ', '\t'])
            .strip_prefix(NAME)
            .is_some_and(|rest| rest.starts_with('='))
    };
    let planted = text.split(';').find(is_ours);
    let found = read(text.clone().into_owned());
    match (found.cookie(NAME), planted) {
        (None, None) => {}
        (Some(value), Some(pair)) => {
            assert!(!value.contains(';'));
            let pair = pair.trim_matches([' ', '\t']);
            assert_eq!(pair, format!("{NAME}={value}"));
        }
        other => panic!("{other:?}"),
    }
    // What stands before and after hides ours only under our very name.
    let behind = read(format!("{text}; {NAME}={ours}"));
    if planted.is_none() {
        assert_eq!(behind.cookie(NAME), Some(ours));
    }
    assert_eq!(
        read(format!("{NAME}={ours}; {text}")).cookie(NAME),
        Some(ours)
    );

    let from = |address: &str| Request {
        address: Some(address.to_owned()),
        ..Request::default()
    };
    let network = from(&text).network().unwrap();
    if network.ends_with("/64") && text.parse::<std::net::Ipv6Addr>().is_ok() {
        let first = network.trim_end_matches("/64");
        assert_eq!(from(first).network().as_deref(), Some(network.as_str()));
    }
}

/// What is read is printed so that it is read alike, sorted, each token once, of RFC 6749 §3.3's
/// characters.
pub(crate) fn scope(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Ok(scope) = Scope::parse(&text) else {
        return;
    };
    let printed = scope.to_string();
    assert_eq!(Scope::parse(&printed), Ok(scope.clone()));
    let mut tokens: Vec<&str> = text.split(' ').filter(|token| !token.is_empty()).collect();
    tokens.sort_unstable();
    tokens.dedup();
    assert_eq!(tokens.join(" "), printed);
    assert!(tokens.len() <= 64);
    for token in tokens {
        assert!(scope.contains(token) && token.len() <= 255);
        let fits = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
        assert!(token.bytes().all(fits));
    }
    let (openid, rest): (Vec<&str>, Vec<&str>) = scope.iter().partition(|token| *token == "openid");
    let parts = [openid.join(" "), rest.join(" ")].map(|text| Scope::parse(&text).unwrap());
    assert_eq!(parts[0].union(&parts[1]), scope);
    assert!(parts[0].is_subset(&scope) && parts[0].intersection(&parts[1]).is_empty());
}

/// A verifier is taken for the challenge that is its digest, and no other (RFC 7636 §4.6).
pub(crate) fn pkce(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (verifier, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let (challenge, method) = rest.split_once('\n').unwrap_or((rest, "S256"));
    let unreserved = |text: &str| {
        (43..=128).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
    };
    for plain in [false, true] {
        let read = pkce::challenge(Some(challenge), Some(method), plain);
        let known = method == "S256" || (plain && method == "plain");
        assert_eq!(read.is_ok(), known && unreserved(challenge));
    }
    let digest = ring::digest::digest(&ring::digest::SHA256, verifier.as_bytes());
    let right = base64url::encode(digest.as_ref());
    assert_eq!(
        pkce::verify(Some(verifier), challenge).is_ok(),
        unreserved(verifier) && challenge == right
    );
    assert_eq!(
        pkce::verify(Some(verifier), &right).is_ok(),
        unreserved(verifier)
    );
}
