//! The feed's verbs: append what shards decided, tell what is new.

use serde::{Deserialize, Serialize};

use super::verbs;
use crate::token::{FeedAnswer, Revocation};

/// Entries in one answer: a message of some 300 kB.
pub const MOST_ENTRIES: usize = 5000;

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

/// What is new since `cursor` of `feed`; everything, when that is another feed or too long ago. At
/// most [`MOST_ENTRIES`] at once.
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
