//! The management API under `/api/v1`: records of every kind, what users have of their own, the first run,
//! signing keys, the whole of it on its way out and in, the epoch, what was revoked, the keys of resources, and who may act.

pub mod actor;
mod audit;
pub mod body;
pub mod epoch;
pub mod export;
pub mod first_run;
pub mod import;
mod issued;
pub mod keys;
pub mod problem;
mod providers;
pub mod quotas;
pub mod records;
pub mod resource_keys;
pub mod revocations;
mod token_history;
pub mod tokens;
pub mod users;
