//! Edgemint mints, checks and revokes OAuth 2.1 and OpenID Connect tokens at the network edge.
#![warn(missing_docs)]

pub mod api;
pub mod config;
pub mod error;
pub mod http;
pub mod jose;
pub mod memory;
pub mod model;
pub mod oauth;
pub mod pages;
pub mod ports;
pub mod server;
pub mod token;
