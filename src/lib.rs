//! Edgemint mints, checks and revokes OAuth 2.1 and OpenID Connect tokens at the network edge.
#![warn(missing_docs)]

#[cfg(feature = "browser")]
pub mod browser;
pub mod jose;
#[cfg(any(feature = "edge", feature = "browser"))]
pub mod web;
