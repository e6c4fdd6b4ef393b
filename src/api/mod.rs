//! The management API under `/api/v1`: who acts, and what the foundation needs of it.

pub mod accounts;
pub mod actor;
pub mod first_run;
pub mod keys;
pub mod problem;
