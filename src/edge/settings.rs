//! Vars and secrets → [`Config`], or a refusal to serve that says what to do.

use wasm_bindgen::JsValue;

use crate::config::Config;
use crate::config::{HISTORY_KEPT, UnfitSetting};
use crate::model::Quotas;
use crate::model::{Seconds, Secret};
use crate::token::Keyring;
use crate::token::mac::LONGEST_WINDOW;

/// What is logged of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Logged {
    /// Every request.
    All,
    /// Only those that were refused.
    Refusals,
    /// None.
    Nothing,
}

/// What concerns this runtime alone.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    /// `EDGEMINT_LOG`: `all` (default), `refusals` or `nothing`.
    pub(super) logged: Logged,
}

/// Reads all settings.
pub(super) fn read(env: &JsValue) -> Result<(Settings, Config, Keyring), UnfitSetting> {
    let text = |name: &str| text(env, name);
    let unfit = |name, remedy| UnfitSetting { name, remedy };
    let issuer = issuer(env)?;
    let mut config = Config::new(&issuer)?;
    if let Some(token) = text("BOOTSTRAP_TOKEN") {
        config = config.with_bootstrap(&Secret::new(token))?;
    }
    if let Some(secrets) = text("PROXY_SECRET") {
        config = config.with_proxies(&secrets)?;
    }
    if let Some(quotas) = text("QUOTAS") {
        let refusal = unfit(
            "QUOTAS",
            "set it to a JSON object with default, groups and bypass, as docs/gate.md has it",
        );
        config.quotas = Some(Quotas::parse(&quotas).map_err(|_| refusal)?);
    }
    if let Some(secret) = text("LOCAL_RUN_SECRET").filter(|_| text("LOCAL").is_some()) {
        config.local_run = Some(Secret::new(secret).digest());
    }
    let switch = |name: &'static str| match text(name).as_deref() {
        None | Some("0") => Ok(false),
        Some("1") => Ok(true),
        Some(_) => Err(unfit(name, "set it to 0 or 1")),
    };
    config.available = text("AVAILABLE").is_none() || switch("AVAILABLE")?;
    if let Some(base) = text("ERROR_URI") {
        config = config.with_error_uri(&base)?;
    }
    if let Some(origins) = text("EDGEMINT_MAC_ORIGINS") {
        config = config.with_mac_origins(&origins)?;
    }
    if let Some(window) = text("EDGEMINT_MAC_WINDOW") {
        let seconds = window.parse().ok();
        let seconds = seconds.filter(|seconds| (5..=LONGEST_WINDOW.0).contains(seconds));
        let refusal = unfit("EDGEMINT_MAC_WINDOW", "set it to 5 to 300 seconds");
        config.mac_window = Seconds(seconds.ok_or(refusal)?);
    }
    config.gate_subdomains = switch("EDGEMINT_GATE_SUBDOMAINS")?;
    config.danger_open_registration = switch("EDGEMINT_DANGER_OPEN_REGISTRATION")?;
    config.danger_allow_private_fetch_targets = switch("DANGER_ALLOW_PRIVATE_FETCH_TARGETS")?;
    if let Some(age) = text("REVOCATION_MAX_AGE") {
        let refusal = unfit("REVOCATION_MAX_AGE", "set it to 0 to 60 seconds");
        let seconds: Option<u64> = age.parse().ok().filter(|seconds| *seconds <= 60);
        config.revocation_max_age = seconds.ok_or(refusal)? * 1000;
    }
    if let Some(seconds) = text("DANGER_ACCEPT_UNCHECKED_REVOCATION_SECONDS") {
        let refusal = unfit(
            "DANGER_ACCEPT_UNCHECKED_REVOCATION_SECONDS",
            "set it to 0 to 3600 seconds",
        );
        let seconds: Option<u64> = seconds.parse().ok().filter(|seconds| *seconds <= 3600);
        config.danger_accept_unchecked_revocation = seconds.ok_or(refusal)? * 1000;
    }
    if let Some(lifetime) = text("EDGEMINT_ACCESS_TOKEN_LIFETIME") {
        let refusal = unfit(
            "EDGEMINT_ACCESS_TOKEN_LIFETIME",
            "set it to 1 to 86400 seconds",
        );
        let read = lifetime
            .parse()
            .ok()
            .filter(|seconds| (1..=86_400).contains(seconds));
        config.access_token_lifetime = Seconds(read.ok_or(refusal)?);
    }
    // The objects go by it, where nobody hears a refusal.
    history_kept(env)?;
    // The objects refuse a number that cannot be.
    if let Some(shards) = text("LEDGER_SHARDS").and_then(|shards| shards.parse().ok()) {
        config.ledger_shards = shards;
    }
    let logged = match text("EDGEMINT_LOG").as_deref() {
        None | Some("all") => Logged::All,
        Some("refusals") => Logged::Refusals,
        Some("nothing") => Logged::Nothing,
        Some(_) => {
            return Err(unfit("EDGEMINT_LOG", "set it to all, refusals or nothing"));
        }
    };
    let keyring = sealing(env, &config.issuer)?;
    Ok((Settings { logged }, config, keyring))
}

/// How long lines of the history are kept.
pub(super) fn history_kept(env: &JsValue) -> Result<Seconds, UnfitSetting> {
    let Some(days) = text(env, "EDGEMINT_HISTORY_DAYS") else {
        return Ok(HISTORY_KEPT);
    };
    let days = days.parse().ok();
    let days = days.filter(|days: &u64| (1..=36_500).contains(days));
    let days = days.ok_or(UnfitSetting {
        name: "EDGEMINT_HISTORY_DAYS",
        remedy: "set it to 1 to 36500 days",
    })?;
    Ok(Seconds(days * 24 * 3600))
}

/// A setting that is there and not empty. `wrangler.toml` may have it as a number or as a table.
fn text(env: &JsValue, name: &str) -> Option<String> {
    let var = js_sys::Reflect::get(env, &JsValue::from_str(name)).ok()?;
    let text = match var.as_string() {
        Some(text) => text,
        None => js_sys::JSON::stringify(&var).ok()?.as_string()?,
    };
    Some(text).filter(|text| !text.is_empty())
}

fn issuer(env: &JsValue) -> Result<String, UnfitSetting> {
    text(env, "ISSUER").ok_or(UnfitSetting {
        name: "ISSUER",
        remedy: "set it to the https URL that people and clients use",
    })
}

/// What seals for this issuer.
fn sealing(env: &JsValue, issuer: &str) -> Result<Keyring, UnfitSetting> {
    let unfit = |remedy| UnfitSetting {
        name: "ROOT_SECRETS",
        remedy,
    };
    let roots = text(env, "ROOT_SECRETS").ok_or(unfit(
        "make one with: openssl rand -base64 32 | wrangler secret put ROOT_SECRETS",
    ))?;
    let roots: Vec<Secret> = roots
        .split(',')
        .map(|root| Secret::new(root.trim()))
        .collect();
    Keyring::new(issuer, &roots)
        .map_err(|_| unfit("each secret in the list needs at least 32 characters"))
}

/// What seals, for the objects; all else was looked at by the Worker that asks them.
#[cfg(feature = "objects")]
pub(super) fn keyring(env: &JsValue) -> Result<Keyring, UnfitSetting> {
    sealing(env, &issuer(env)?)
}

/// Whether the courier may fetch from where only we are; what fits no switch was refused by the Worker.
#[cfg(feature = "objects")]
pub(super) fn fetches_private(env: &JsValue) -> bool {
    text(env, "DANGER_ALLOW_PRIVATE_FETCH_TARGETS").as_deref() == Some("1")
}
