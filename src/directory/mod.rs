//! The directory: what its records are made of, and the rules by which they and the signing keys
//! change. Nothing here knows where rows are kept; memory and SQLite are asked through
//! [`rows::Rows`].

pub mod clients;
pub mod copy;
pub mod fields;
mod fitting;
pub mod form;
pub mod keys;
pub mod list;
mod people;
pub mod record;
pub mod records;
pub mod rows;
pub mod schema;
mod scopes;
pub mod secrets;
pub mod uuid;
mod verbs;
pub mod view;

pub use records::put as index;
pub use schema::{Collection, Reading, Unfit};
pub use scopes::{seed, tell_roles};
pub use verbs::{apply, client};
