//! Edgemint mints, checks and revokes OAuth 2.1 and OpenID Connect tokens at the network edge.
#![warn(missing_docs)]

pub mod api;
#[cfg(feature = "browser")]
pub mod browser;
pub mod config;
pub mod directory;
#[cfg(any(feature = "edge", feature = "objects"))]
mod edge;
pub mod error;
pub mod gate;
pub mod http;
pub mod jose;
pub mod ledger;
pub mod memory;
pub mod message;
pub mod model;
pub mod oauth;
#[cfg(not(target_arch = "wasm32"))]
pub mod openapi;
pub mod pages;
pub mod ports;
#[cfg(feature = "validator")]
pub mod resource;
pub mod server;
pub mod token;
pub mod validator;
#[cfg(any(
    feature = "edge",
    feature = "objects",
    feature = "browser",
    feature = "validator"
))]
pub mod web;
