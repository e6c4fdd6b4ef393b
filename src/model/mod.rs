//! The nouns: parse, print, compare. No behaviour beyond that, no clock, no I/O.

pub mod account;
pub mod address;
pub mod client;
pub mod id;
pub mod quota;
pub mod redirect;
pub mod response;
pub mod scope;
pub mod secret;
pub mod target;
pub mod time;
pub mod token_type;

pub use account::{Profile, RoleFacts, SubjectFacts};
pub use address::{address_bits, network_bits};
pub use client::{
    AccessTokenFormat, AuthenticationMethod, Client, GrantType, KeySource, PropertyMapping,
    SubjectMode,
};
pub use id::{
    ClientId, GrantId, MOST_SHARDS, RequestId, SessionId, Shard, Subject, TokenId, TokenKey,
    Username, public_id,
};
pub use quota::{Quota, Quotas};
pub use redirect::RedirectUri;
pub use response::{ResponseMode, ResponseType};
pub use scope::Scope;
pub use secret::{Digest, Secret};
pub use time::{Moment, Seconds, UnixTime, parse_duration, print_duration};
pub use token_type::TokenType;
