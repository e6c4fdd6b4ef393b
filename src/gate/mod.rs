//! The gate (seed 001): who is behind a request to somebody else's service, and may they?

pub mod challenge;
pub mod credentials;
pub mod delegate;
pub mod headers;
pub mod ingress;
pub mod origin;
mod ours;
pub mod principal;
pub mod quota;
pub mod requirements;

pub use principal::Principal;
pub use requirements::KnownRequirements;
