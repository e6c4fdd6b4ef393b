//! The copies, and the thread that renews them: what was revoked at half of its bound, keys every five
//! minutes. The issuer publishes a key fifteen minutes before its first use.

use std::sync::{Arc, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use edgemint::jose::{KeySet, parse_strict_object};
use edgemint::token::Revocations;
use edgemint::validator::Reading;
use ureq::Agent;

/// How long keys are kept.
const KEYS: Duration = Duration::from_secs(5 * 60);
/// Keys of before go on for as long while no new ones come.
const OLDEST_KEYS: Duration = Duration::from_secs(60 * 60);
/// Between a failure and the next try.
const PAUSE: Duration = Duration::from_secs(1);
/// Bytes of one answer: the feed tells 5000 lines at a time.
const LARGEST: u64 = 4_000_000;

/// What was read last.
#[derive(Default)]
pub(crate) struct Copies {
    keys: RwLock<Option<Arc<KeySet>>>,
    revocations: RwLock<Arc<Revocations>>,
}

impl Copies {
    /// Reads them, and goes on to.
    pub(crate) fn follow(issuer: String, token: String, max_age: u64) -> Result<Arc<Self>, String> {
        let plain = |host| issuer.starts_with(&format!("http://{host}:"));
        if !issuer.starts_with("https://") && !plain("127.0.0.1") && !plain("localhost") {
            return Err("ISSUER is not https".to_owned());
        }
        let copies = Arc::new(Self::default());
        let issuer = Issuer {
            agent: Agent::config_builder()
                .max_redirects(0)
                .timeout_global(Some(Duration::from_secs(5)))
                .build()
                .into(),
            issuer,
            authorization: format!("Bearer {token}"),
        };
        let renewed = Arc::clone(&copies);
        thread::spawn(move || renewed.renew(&issuer, Duration::from_secs(max_age) / 2));
        Ok(copies)
    }

    /// What to judge by now.
    pub(crate) fn now(&self) -> (Option<Arc<KeySet>>, Arc<Revocations>) {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let revocations = self.revocations.read();
        let revocations = revocations.unwrap_or_else(PoisonError::into_inner);
        (keys.clone(), Arc::clone(&revocations))
    }

    fn renew(&self, issuer: &Issuer, every: Duration) {
        let mut keys_read: Option<Instant> = None;
        loop {
            let age = keys_read.map(|read| read.elapsed());
            if age.is_none_or(|age| age >= KEYS) {
                match issuer.keys() {
                    Ok(keys) => {
                        self.set_keys(Some(keys));
                        keys_read = Some(Instant::now());
                    }
                    Err(reason) => {
                        eprintln!("keys: {reason}");
                        if age.is_none_or(|age| age >= OLDEST_KEYS) {
                            self.set_keys(None);
                        }
                    }
                }
            }
            let (_, known) = self.now();
            match issuer.revocations(Revocations::clone(&known)) {
                Ok(newer) => {
                    let held = self.revocations.write();
                    *held.unwrap_or_else(PoisonError::into_inner) = Arc::new(newer);
                    thread::sleep(if keys_read.is_some() { every } else { PAUSE });
                }
                Err(reason) => {
                    eprintln!("revocations: {reason}");
                    thread::sleep(PAUSE);
                }
            }
        }
    }

    fn set_keys(&self, keys: Option<KeySet>) {
        let held = self.keys.write();
        *held.unwrap_or_else(PoisonError::into_inner) = keys.map(Arc::new);
    }
}

/// Whom we ask.
struct Issuer {
    agent: Agent,
    issuer: String,
    authorization: String,
}

impl Issuer {
    fn keys(&self) -> Result<KeySet, String> {
        let address = format!("{}/.well-known/openid-configuration", self.issuer);
        let metadata = self.get(&address, None)?;
        let metadata = parse_strict_object(&metadata).map_err(|_| "no metadata")?;
        let text = |name| metadata.get(name).and_then(|value| value.as_str());
        if text("issuer") != Some(&self.issuer) {
            return Err("the metadata is another issuer's".to_owned());
        }
        // All of ours is at one place, so that what is true of the issuer's address is true of this one.
        let address = text("jwks_uri").filter(|address| address.starts_with(&self.issuer));
        let keys = self.get(address.ok_or("the keys are elsewhere")?, None)?;
        KeySet::parse(&keys).map_err(|_| "no keys".to_owned())
    }

    /// The copy, with what is new.
    fn revocations(&self, mut copy: Revocations) -> Result<Revocations, String> {
        let mut reading = Reading::begin(&copy, crate::now());
        loop {
            let query = reading.since().map(|since| format!("?since={since}"));
            let query = query.unwrap_or_default();
            let address = format!("{}/api/v1/revocations{query}", self.issuer);
            let answer = self.get(&address, Some(&self.authorization))?;
            if !reading.take(&answer).map_err(|_| "no answer of the feed")? {
                break;
            }
        }
        reading
            .finish(&mut copy)
            .map_err(|_| "it does not follow on from what is known")?;
        Ok(copy)
    }

    fn get(&self, address: &str, authorization: Option<&str>) -> Result<Vec<u8>, String> {
        let mut request = self.agent.get(address);
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let mut answer = request.call().map_err(|error| error.to_string())?;
        if answer.status() != 200 {
            return Err(format!("{address} answered {}", answer.status()));
        }
        let body = answer.body_mut().with_config().limit(LARGEST).read_to_vec();
        body.map_err(|error| error.to_string())
    }
}
