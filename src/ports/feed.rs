//! The feed's verbs: append what shards decided, tell what is new.

use serde::{Deserialize, Serialize};

use super::verbs;
use crate::model::Seconds;
use crate::token::{FeedAnswer, Revocation};

/// How long an entry is kept. No access token lives longer; whatever does is a handle whose row
/// is read again at least hourly.
pub const KEPT: Seconds = Seconds(24 * 3600);

verbs! {
    /// What can be asked of the feed.
    FeedVerb,
    /// What it answers.
    FeedObjectAnswer:
    Append => u64,
    Since => FeedAnswer,
    RaiseEpoch => u32,
}

/// Adds entries; answers the newest number. Entries that this source sent before are passed over.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Append {
    /// Which object sends, by a name that it has for good.
    pub source: String,
    /// Its own running numbers, each with its entry.
    pub entries: Vec<(u64, Revocation)>,
}

/// What is new since `cursor` of `feed`; everything, when that is another feed or too long ago.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Since {
    /// The feed that was read; empty at first.
    pub feed: String,
    /// Up to where.
    pub cursor: u64,
}

/// Ends every earlier epoch; answers the new one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RaiseEpoch {}
