//! What we stored, or sealed, and read again: `message` against `serde_json`.

use edgemint::message;
use edgemint::model::{Client, SubjectFacts};
use edgemint::ports::directory::{DirectoryAnswer, DirectoryVerb, KeySet, StoredKey};
use edgemint::ports::feed::{FeedObjectAnswer, FeedVerb};
use edgemint::ports::ledger::{LedgerAnswer, LedgerVerb, Session};
use edgemint::ports::{Call, CodeRecord};
use edgemint::token::{
    AccessToken, AuthorizationCode, FeedAnswer, Pending, RefreshToken, Revocation, Sealable,
    SessionHandle,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::bend::choice;
use crate::json::is_json;

/// Every type that is read that way.
const TYPES: [fn(&[u8]); 20] = [
    same::<Client>,
    same::<SubjectFacts>,
    same::<StoredKey>,
    same::<KeySet>,
    same::<Session>,
    same::<CodeRecord>,
    access_token,
    same::<AuthorizationCode>,
    same::<RefreshToken>,
    same::<SessionHandle>,
    same::<Pending>,
    same::<Revocation>,
    same::<FeedAnswer>,
    same::<Call<LedgerVerb>>,
    same::<LedgerAnswer>,
    same::<Call<DirectoryVerb>>,
    same::<DirectoryAnswer>,
    same::<Call<FeedVerb>>,
    same::<FeedObjectAnswer>,
    tree,
];

/// The first byte says which type, the rest is its text.
pub(crate) fn run(data: &[u8]) {
    if let Some((which, text)) = choice(data) {
        TYPES[which % TYPES.len()](text);
    }
}

/// Any JSON at all. It is not compared with itself printed: fractions are printed as the nearest text
/// and read as a neighbour of it, and nothing that we store has any.
fn tree(text: &[u8]) {
    let theirs: Option<Value> = serde_json::from_slice(text).ok();
    assert_eq!(message::read(text).ok(), theirs);
}

/// What is read is written so that it is read alike.
fn access_token(text: &[u8]) {
    if let Some(token) = AccessToken::read(text) {
        let written = token.write().expect("what was read can be written");
        assert_eq!(AccessToken::read(&written), Some(token));
    }
}

/// What is read, `serde_json` reads alike, and it is written so that it is read alike.
fn same<T: Serialize + DeserializeOwned>(text: &[u8]) {
    let ours = message::read::<T>(text);
    let Ok(ours) = ours else {
        // Only a struct that was written as a list, or nesting, may be read there and not here.
        return;
    };
    assert!(is_json(text));
    let written = serde_json::to_string(&ours).expect("a value that was read is written");
    let theirs: T = serde_json::from_slice(text).expect("serde_json reads what we read");
    assert_eq!(serde_json::to_string(&theirs).expect("written"), written);
    let again: T = message::read(written.as_bytes()).expect("what we wrote");
    assert_eq!(serde_json::to_string(&again).expect("written"), written);
    let tree: Value = serde_json::from_str(&written).expect("JSON");
    let again: T = message::read_value(&tree).expect("what we wrote");
    assert_eq!(serde_json::to_string(&again).expect("written"), written);
}
