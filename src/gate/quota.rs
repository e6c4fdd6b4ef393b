//! Quotas: so many requests a minute of one person to one service. Who has none there pays nothing.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::principal::Principal;
use crate::http::Response;
use crate::model::quota::effective;
use crate::model::{Quota, Quotas, Seconds, Shard, UnixTime};
use crate::ports::ledger::{QuotaSpent, RateLimit, SpendQuota};
use crate::ports::{At, Ports, Unavailable};
use crate::server::Server;

/// What a quota is of.
const WINDOW: Seconds = Seconds(60);

/// What counting a request came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Counted {
    /// Nothing limits it.
    Unlimited,
    /// It could not be found out what does, or be counted. A limit guards a service from too much, and
    /// whoever could not be counted is let in.
    Unknown,
    /// It is one of those that there are.
    Within(Window),
    /// There is none left in this minute.
    Exceeded(Window),
    /// There never is any.
    Blocked,
}

/// How a minute's quota stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// How many there are.
    pub limit: u32,
    /// How many were used.
    pub used: u32,
    /// When there are as many again.
    pub resets_at: UnixTime,
}

impl Window {
    /// Tells it in an answer.
    #[must_use]
    pub fn told(&self, service: &str, answer: Response) -> Response {
        let left = self.limit.saturating_sub(self.used);
        answer
            .with("x-ratelimit-limit", self.limit.to_string())
            .with("x-ratelimit-remaining", left.to_string())
            .with("x-ratelimit-used", self.used.to_string())
            .with("x-ratelimit-reset", self.resets_at.0.to_string())
            .with("x-ratelimit-resource", service.to_owned())
    }
}

/// What somebody in these groups may use; nothing where no quotas are said. For whoever asks what theirs is.
///
/// # Errors
/// [`Unavailable`].
pub async fn of<P: Ports>(
    server: &Server<P>,
    groups: &BTreeSet<String>,
    at: &At,
) -> Result<Option<Quota>, Unavailable> {
    let configured = server.config.quotas.as_ref();
    let overrides = server.ports.quota_overrides(at).await?;
    Ok(effective(configured, overrides.as_deref(), groups))
}

/// Counts a request to a service.
pub async fn count<P: Ports>(
    server: &Server<P>,
    principal: &Principal,
    service: &str,
    at: &At,
) -> Counted {
    match limit(server, principal, service, at).await {
        Ok(None) => Counted::Unlimited,
        Ok(Some(0)) => Counted::Blocked,
        Ok(Some(limit)) => spend(server, principal, service, limit, at)
            .await
            .unwrap_or(Counted::Unknown),
        Err(_) => Counted::Unknown,
    }
}

/// How many requests a minute there are; nothing is no limit. Who somebody is, by groups, is asked only
/// where that makes a difference.
async fn limit<P: Ports>(
    server: &Server<P>,
    principal: &Principal,
    service: &str,
    at: &At,
) -> Result<Option<u32>, Unavailable> {
    let configured = server.config.quotas.as_ref();
    let overrides: Option<Rc<Quotas>> = server.ports.quota_overrides(at).await?;
    let overrides = overrides.as_deref();
    let said = || [configured, overrides].into_iter().flatten();
    if !said().any(|quotas| quotas.limits(service)) {
        return Ok(None);
    }
    let by_group =
        said().any(|quotas| quotas.limits_by_group(service) || !quotas.bypass.is_empty());
    let groups = if by_group {
        groups(server, principal, at).await?
    } else {
        BTreeSet::new()
    };
    let quota = effective(configured, overrides, &groups);
    Ok(quota.and_then(|quota| quota.api.get(service).copied()))
}

/// The groups of a person; what acts for itself is in none.
async fn groups<P: Ports>(
    server: &Server<P>,
    principal: &Principal,
    at: &At,
) -> Result<BTreeSet<String>, Unavailable> {
    let known = principal.groups.as_ref();
    let person = principal.person.as_ref();
    let Some(person) = person.filter(|_| known.is_none()) else {
        return Ok(known.cloned().unwrap_or_default());
    };
    let facts = server.ports.subject(person, principal.shard, at).await?;
    Ok(facts.map(|facts| facts.groups.clone()).unwrap_or_default())
}

async fn spend<P: Ports>(
    server: &Server<P>,
    principal: &Principal,
    service: &str,
    limit: u32,
    at: &At,
) -> Result<Counted, Unavailable> {
    // No username has a colon.
    let key = format!("quota:{}:{service}", principal.username);
    let shard = Shard::of_key(&key);
    let spend = SpendQuota {
        key,
        limit: RateLimit {
            most: limit,
            window: WINDOW,
        },
    };
    let QuotaSpent {
        granted,
        used,
        resets_at,
    } = server.ports.ledger(shard, at, spend).await?;
    let window = Window {
        limit,
        // The limit may have been higher when this minute began.
        used: used.min(limit),
        resets_at,
    };
    Ok(if granted {
        Counted::Within(window)
    } else {
        Counted::Exceeded(window)
    })
}
