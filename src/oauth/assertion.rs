//! Assertions that authenticate a client, RFC 7523 §2.2 and §3: `private_key_jwt` by a key of its own
//! (OpenID Connect Core §9), `client_secret_jwt` by a secret that is kept readable for it, and those of a
//! source that the administrator trusts to speak for it.

use crate::config::APPLICATIONS;
use crate::error::Reason;
use crate::jose::{
    Audience, ExpectedTyp, Hs256, JoseError, KeySet, Policy, Unverified, UnverifiedJws,
    parse_strict_object,
};
use crate::model::{AuthenticationMethod, Client, Digest, KeySource, Seconds, Secret, UnixTime};
use crate::ports::courier::remote_keys;
use crate::ports::ledger::SpendOnce;
use crate::ports::{At, Ports, Unavailable};
use crate::server::Server;
use crate::token::client_secret::ClientSecret;

/// The one `client_assertion_type` (RFC 7523 §2.2).
pub const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Octets of an assertion: what `jose` reads at most.
pub const LARGEST: usize = 16 * 1024;
/// The `typ` by which an assertion may name itself, else it is a plain JWT (RFC 8725 §3.11).
const TYP: &str = "client-authentication+jwt";
/// How far ahead `exp` may lie: as long as Kubernetes makes its tokens unless told otherwise. So long
/// the ledger has to remember each, and a stolen one that was never used is good for.
const LONGEST: Seconds = Seconds(3600);
/// What clocks may differ by, and what some issuers add to their hour.
const SKEW: Seconds = Seconds(60);
/// Bytes of a `sub` that are logged, and of a `jti`.
const LONGEST_NAME: usize = 255;

/// An assertion whose form is right and which nobody has checked.
pub struct Assertion {
    signed: Signed,
    issuer: String,
}

/// By what it is signed: which of the two its client may use is registered, and never its own choice.
enum Signed {
    ByKey(UnverifiedJws),
    BySecret(Unverified<Hs256>),
}

/// An assertion that proves who the client is, unless it was used before.
pub struct Proof {
    /// Whom it speaks of.
    pub subject: String,
    /// What its use spends.
    pub spends: SpendOnce,
}

impl Assertion {
    /// Reads the compact form.
    ///
    /// # Errors
    /// What it would have to be.
    pub fn parse(compact: &str) -> Result<Self, JoseError> {
        let signed = match UnverifiedJws::parse(compact) {
            Err(JoseError::AlgorithmUnsupported) => Signed::BySecret(Unverified::parse(compact)?),
            jws => Signed::ByKey(jws?),
        };
        let claims = parse_strict_object(match &signed {
            Signed::ByKey(jws) => jws.danger_unverified_payload(),
            Signed::BySecret(jws) => jws.danger_unverified_payload(),
        })?;
        let issuer = claims.get("iss").ok_or(JoseError::ClaimMissing)?;
        let issuer = issuer.as_str().ok_or(JoseError::ClaimInvalid)?.to_owned();
        Ok(Self { signed, issuer })
    }

    /// Who says to have made it: good for choosing whose keys to try.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }
}

/// Checks an assertion for a client. `acts_for_itself` says whether it asks for a token of its own.
///
/// A source vouches for whoever runs the client, at the moment and somewhere else; it does so only for
/// what the client may do by itself, and only where it speaks of one of the client's subjects: it signs
/// for everybody who runs something there, and which client they say to be is their choice. What people agreed to (codes, refresh tokens), and what the client
/// may look up or end, belongs to who holds the client's own credentials: else everybody who can have
/// the source sign something, a build of any branch, say, would hold those, too.
///
/// # Errors
/// Why it proves nothing.
pub async fn check<P: Ports>(
    server: &Server<P>,
    client: &Client,
    assertion: Assertion,
    acts_for_itself: bool,
    at: &At,
) -> Result<Proof, Reason> {
    let Assertion { signed, issuer } = assertion;
    let by_secret = client.authentication == AuthenticationMethod::ClientSecretJwt;
    let own = issuer == client.id.as_str() && (by_secret || client.keys.is_some());
    let source = match own {
        true => None,
        false => Some(source(server, client, &issuer)?),
    };
    if !own && !acts_for_itself {
        return Err(Reason::AssertionNotForThisGrant);
    }
    let config = &server.config;
    // The URL of an endpoint would be what a client was told by whoever it takes for its server (CVE-2025-27370).
    let audiences = match source.map(|source| source.audience.as_str()) {
        None | Some("") => vec![config.issuer.clone(), config.issuer_of(client)],
        Some(audience) => vec![audience.to_owned()],
    };
    let typ = match signed.typ() {
        // With `application/` before it or without (RFC 7515 §4.1.9).
        Some(typ) if typ.to_ascii_lowercase().ends_with(TYP) => ExpectedTyp::exactly(TYP),
        _ => ExpectedTyp::Plain,
    };
    let mut policy = Policy::new(&issuer, "", typ);
    policy.audience = Audience::AnyOf(audiences);
    let now = at.now.unix();
    let (signer, claims) = match signed {
        Signed::ByKey(jws) => {
            let source = source.or(client.keys.as_deref());
            let source = source.ok_or(refused(JoseError::AlgorithmMismatch))?;
            let keys = keys(server, source, &jws, at).await?;
            let key = keys.select_for(&jws).map_err(refused)?;
            let verified = jws.verify(key, &server.ports).await.map_err(refused)?;
            (key.thumbprint(), policy.check(&verified, now.0))
        }
        Signed::BySecret(jws) if own && by_secret => {
            let secrets = secrets(server, client);
            let secrets = secrets.iter().map(|secret| secret.expose().as_bytes());
            let verified = jws.verify(secrets).map_err(refused)?;
            (Hs256::NAME.to_owned(), policy.check(&verified, now.0))
        }
        Signed::BySecret(_) => return Err(refused(JoseError::AlgorithmUnsupported)),
    };
    let claims = claims.map_err(refused)?;
    let text = |claim: Option<&str>, name| {
        let fits = |text: &&str| (1..=LONGEST_NAME).contains(&text.len());
        let text = claim.filter(fits).ok_or(Reason::AssertionLacks(name))?;
        Ok::<String, Reason>(text.to_owned())
    };
    let expires_at = claims
        .expires_at()
        .map(UnixTime)
        .ok_or(Reason::AssertionLacks("exp"))?;
    if expires_at > now + LONGEST + SKEW {
        return Err(Reason::AssertionLivesTooLong);
    }
    let subject = text(claims.subject(), "sub")?;
    if own {
        if subject != client.id.as_str() {
            return Err(Reason::AssertionForOtherClient);
        }
        // RFC 7523bis §4: whoever else it is for was shown it, and could show it here. Clusters do name
        // several in what they sign; there the administrator says which is ours.
        if claims.audience().len() != 1 {
            return Err(refused(JoseError::AudienceMismatch));
        }
    } else if client.subjects.is_empty() {
        return Err(Reason::AssertionWithoutJwksSubjects);
    } else if !client.subjects.contains(&subject) {
        return Err(Reason::AssertionSubjectNotAllowed);
    }
    let id = text(claims.id(), "jti")?;
    // By the key and not by the record that named it: two sources may have the same one, and what was
    // signed once is used once; all of a client's secrets are one signer. None of the three can contain the
    // character between them, but for `jti`.
    let used = Digest::of(format!("{issuer}\n{signer}\n{id}").as_bytes());
    Ok(Proof {
        subject,
        spends: SpendOnce {
            key: format!("assertion:{}", used.as_str()),
            expires_at: expires_at + SKEW,
        },
    })
}

impl Signed {
    fn typ(&self) -> Option<&str> {
        match self {
            Self::ByKey(jws) => jws.typ(),
            Self::BySecret(jws) => jws.typ(),
        }
    }
}

/// The client's secrets that can be read: what opens, and is one of those that it has.
fn secrets<P>(server: &Server<P>, client: &Client) -> Vec<Secret> {
    let sealed = client.sealed_secrets.values();
    let opened = sealed.filter_map(|sealed| ClientSecret::open(&server.keyring, sealed).ok());
    opened
        .filter(|secret| client.check_secret(secret))
        .collect()
}

/// The client's source of this issuer. Never ourselves, whatever an administrator wrote: an ID token of
/// ours is told to clients, and proves nothing about one.
fn source<'a, P: Ports>(
    server: &Server<P>,
    client: &'a Client,
    issuer: &str,
) -> Result<&'a KeySource, Reason> {
    let config = &server.config;
    let ours = issuer == config.issuer || issuer.starts_with(&config.url(APPLICATIONS));
    let mut sources = client.sources.iter();
    sources
        .find(|source| source.issuer == issuer && !ours)
        .ok_or(Reason::AssertionIssuerUnknown)
}

/// The keys of a source, which may be somewhere else.
async fn keys<P: Ports>(
    server: &Server<P>,
    source: &KeySource,
    jws: &UnverifiedJws,
    at: &At,
) -> Result<KeySet, Reason> {
    if source.jwks_uri.is_empty() {
        return KeySet::from_members(&source.jwks).map_err(|_| refused(JoseError::KeyUnknown));
    }
    let lacks = |keys: &KeySet| matches!(keys.select_for(jws), Err(JoseError::KeyUnknown));
    let remote = remote_keys(&server.ports, &source.jwks_uri, &lacks, at).await?;
    Ok(remote.keys.clone())
}

fn refused(why: JoseError) -> Reason {
    match why {
        JoseError::BackendUnavailable => {
            Reason::Unavailable(Unavailable("signatures cannot be checked"))
        }
        why => Reason::AssertionRefused(why),
    }
}
