//! Refusals that are told to the user, because no application can be trusted with them.

use maud::html;

use super::layout::page;
use super::login::span;
use super::neutralise;

/// What an error page says. It has no field for text of the request, so none can be shown (UI-3).
#[derive(Clone, Copy, Debug)]
pub struct ErrorPage<'a> {
    /// What went wrong.
    pub problem: Problem,
    /// What the log calls this request.
    pub request_id: &'a str,
}

/// What can go wrong before an application is proven, or on our own pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The request names no application, or one that is not registered.
    UnknownClient,
    /// The redirect URI is missing, or not one that the application registered.
    UnregisteredRedirectUri,
    /// The request is malformed in a way that no application can be told of.
    BadRequest,
    /// The sealed request is too old.
    ExpiredRequest,
    /// The form lacks its proof, or comes from another site (SE-6).
    ForgedForm,
    /// The request is larger than any real one.
    TooLarge,
    /// The user is signed in, but this is not for them.
    Forbidden,
    /// Too many requests from here.
    TooManyRequests {
        /// When to come back.
        seconds: u64,
    },
    /// A part of this server does not answer.
    Unavailable {
        /// When to come back.
        seconds: u64,
    },
    /// This server is switched off for maintenance.
    Maintenance {
        /// When to come back.
        seconds: u64,
    },
    /// A defect of ours.
    Internal,
}

/// A page for what could not be done: what it was, and what to do next.
pub fn error(error: &ErrorPage<'_>) -> String {
    let problem = error.problem;
    page(
        problem.title(),
        html! {
            h1 { (problem.title()) }
            p class="lede" { (problem.explanation()) }
            h2 { "What you can do" }
            p { (problem.what_next()) }
            p class="fine" { "Request " code { (neutralise(error.request_id)) } }
        },
    )
}

impl Problem {
    /// What it is, in a few words.
    pub fn title(self) -> &'static str {
        match self {
            Self::UnknownClient => "Unknown application",
            Self::UnregisteredRedirectUri => "Unknown return address",
            Self::BadRequest => "This link does not work",
            Self::ExpiredRequest => "This page has expired",
            Self::ForgedForm => "This form could not be checked",
            Self::TooLarge => "Too much was sent",
            Self::Forbidden => "Not allowed",
            Self::TooManyRequests { .. } => "Too many requests",
            Self::Unavailable { .. } => "Back in a moment",
            Self::Maintenance { .. } => "Closed for maintenance",
            Self::Internal => "Something went wrong on our side",
        }
    }

    fn explanation(self) -> &'static str {
        match self {
            Self::UnknownClient => {
                "The application that sent you here is not registered with this server."
            }
            Self::UnregisteredRedirectUri => {
                "The application asks to send you back to an address that it has not registered. You were stopped here so that your sign-in cannot end up with a stranger."
            }
            Self::BadRequest => {
                "The application that sent you here left out something that is needed, or said it twice."
            }
            Self::ExpiredRequest => {
                "A sign-in waits only for a while, and this one has been open for too long. Nothing was changed."
            }
            Self::ForgedForm => {
                "The answer did not come from a page that this browser was shown, so it was not taken. Nothing was changed."
            }
            Self::TooLarge => "The request is larger than any that is expected here.",
            Self::Forbidden => "You are signed in, but your account may not do this.",
            Self::TooManyRequests { .. } => {
                "So many requests came from your network that this one was not looked at."
            }
            Self::Unavailable { .. } => {
                "A part of this server does not answer right now. Nothing was lost, and you did nothing wrong."
            }
            Self::Maintenance { .. } => {
                "The people who run this server are working on it. Nothing was lost, and you did nothing wrong."
            }
            Self::Internal => "The request was fine, and this server could not finish it.",
        }
    }

    fn what_next(self) -> String {
        match self {
            Self::UnknownClient => "Go back to the application and start again. If you run it, check its client identifier.".into(),
            Self::UnregisteredRedirectUri => {
                "Go back, and tell the people who run the application. If that is you, register the exact address, character for character.".into()
            }
            Self::BadRequest => "Go back to the application and start again. If it happens again, tell the people who run it.".into(),
            Self::ExpiredRequest => "Go back to the application and sign in again.".into(),
            Self::ForgedForm => "Go back, reload the page, and answer again. If it happens again, allow cookies for this site.".into(),
            Self::TooLarge => "Go back and send less. If an application sent you here, tell the people who run it.".into(),
            Self::Forbidden => "Sign in with another account, or ask an administrator for access.".into(),
            Self::TooManyRequests { seconds } => format!("Wait {}, then try again.", span(seconds)),
            Self::Unavailable { seconds } | Self::Maintenance { seconds } => format!("Wait {}, then reload this page.", span(seconds)),
            Self::Internal => "Try again in a minute. If it happens again, tell the people who run this server the request number below.".into(),
        }
    }
}

#[cfg(test)]
pub(super) const ALL: &[Problem] = &[
    Problem::UnknownClient,
    Problem::UnregisteredRedirectUri,
    Problem::BadRequest,
    Problem::ExpiredRequest,
    Problem::ForgedForm,
    Problem::TooLarge,
    Problem::Forbidden,
    Problem::TooManyRequests { seconds: 10 },
    Problem::Unavailable { seconds: 5 },
    Problem::Maintenance { seconds: 60 },
    Problem::Internal,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_says_what_to_do_next_and_names_its_request() {
        for &problem in ALL {
            let html = error(&ErrorPage {
                problem,
                request_id: "r-17",
            });
            assert!(html.contains("What you can do"), "{problem:?}");
            assert!(problem.what_next().ends_with('.'), "{problem:?}");
            assert!(html.contains("<code>r-17</code>"), "{problem:?}");
        }
    }

    #[test]
    fn what_passes_by_itself_says_when() {
        let html = error(&ErrorPage {
            problem: Problem::Unavailable { seconds: 5 },
            request_id: "r",
        });
        assert!(html.contains("Wait 5 seconds, then reload"));
    }

    #[test]
    fn ui_3_the_only_text_of_a_request_on_an_error_page_is_its_number_and_that_is_escaped() {
        let html = error(&ErrorPage {
            problem: Problem::BadRequest,
            request_id: "<img src=x>",
        });
        assert!(html.contains("&lt;img src=x&gt;"));
    }
}
