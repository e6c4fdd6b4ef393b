//! The management API under `/api/v1`: accounts, records, the first run, signing keys, and who may act.

pub mod accounts;
pub mod actor;
pub mod body;
pub mod first_run;
pub mod keys;
pub mod problem;
pub mod records;
