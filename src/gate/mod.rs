//! The gate (seed 001): who is behind a request to somebody else's service, and may they?

pub mod delegate;
pub mod principal;

pub use principal::Principal;
