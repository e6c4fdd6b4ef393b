//! The protocol. `async` only where a port is touched; the checks below are plain functions.

pub mod access_token;
pub mod assertion;
pub mod authorize;
pub mod bearer;
pub mod check_token;
pub mod claims;
pub mod client_authentication;
pub mod consent;
pub mod discovery;
pub mod grant;
pub mod grantable;
pub mod introspect;
pub mod login;
pub mod logout;
pub mod page;
pub mod params;
pub mod password;
pub mod pkce;
pub mod register;
pub mod revoke;
pub mod rpc;
pub mod session;
pub mod signing;
pub mod token;
pub mod userinfo;
