//! The pages a person sees: sign-in, consent, sign-out and refusals, as pure functions to HTML.
//!
//! They work without JavaScript and load nothing: one inline style sheet, allowed by its digest. Only the
//! one that posts an answer to a client has a script, of one line, by its address; and a button.
//! The caller sends each with `Content-Security-Policy` naming [`style_source`], `no-store`,
//! `nosniff`, `Referrer-Policy` and `X-Frame-Options` (UI-1, UI-2). What a client or a request
//! says of itself arrives as text, never as markup (UI-3), through [`neutralise`] (UI-4).

mod account;
mod consent;
mod device;
mod error;
mod form_post;
mod layout;
mod login;
mod logout;
mod neutralise;
mod not_ready;
mod style;

pub use account::{Account, Application, account};
pub use consent::{Consent, ScopeLine, consent};
pub use device::{Device, DeviceCode, device, device_answered, device_code};
pub use error::{ErrorPage, Problem, error};
pub use form_post::{FormPost, form_post};
pub use login::{Login, LoginMessage, login};
pub use logout::{Logout, logged_out, logout};
pub use neutralise::neutralise;
pub use not_ready::not_ready;
pub use style::{STYLE, style_source};

/// The names of the form fields, as the handlers of the posts read them.
pub mod field {
    /// What proves that the form was served to this browser.
    pub const CSRF: &str = "csrf";
    /// The sealed request that the answer continues.
    pub const REQUEST: &str = "request";
    /// The name typed on the sign-in page.
    pub const USERNAME: &str = "username";
    /// The password typed on the sign-in page.
    pub const PASSWORD: &str = "password";
    /// The answer on the consent page: [`ALLOW`] or [`DENY`].
    pub const DECISION: &str = "decision";
    /// A value of [`DECISION`].
    pub const ALLOW: &str = "allow";
    /// A value of [`DECISION`].
    pub const DENY: &str = "deny";
    /// The code that a device shows.
    pub const USER_CODE: &str = "user_code";
    /// Takes back what was allowed before.
    pub const WITHDRAW: &str = "withdraw";
    /// The application that is meant.
    pub const CLIENT: &str = "client";
}

#[cfg(test)]
mod tests;
