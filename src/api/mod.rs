//! The management API under `/api/v1`: records of every kind, what users have of their own, the first run,
//! signing keys, and who may act.

pub mod actor;
mod audit;
pub mod body;
pub mod first_run;
mod issued;
pub mod keys;
pub mod problem;
mod providers;
pub mod records;
pub mod users;
