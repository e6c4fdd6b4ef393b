//! The directory's records: what they are made of, and the rules by which they and the signing keys
//! change. Nothing here knows where rows are kept; memory and SQLite are asked through [`records::Rows`].

pub mod keys;
pub mod list;
pub mod records;
pub mod schema;

pub use schema::{Collection, Reading, Unfit};
