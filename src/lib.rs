//! Edgemint mints, checks and revokes OAuth 2.1 and OpenID Connect tokens at the network edge.
#![warn(missing_docs)]

pub mod jose;
pub mod pages;
