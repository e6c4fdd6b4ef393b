//! Signing out: the question, and the page after it. OpenID Connect RP-Initiated Logout §2.

use maud::html;

use super::layout::{hidden, name, page};

/// What the sign-out page asks and posts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Logout<'a> {
    /// Who is signed in.
    pub username: &'a str,
    /// The application that sent the user here, when it is proven.
    pub client_name: Option<&'a str>,
    /// Where the form posts to.
    pub action: &'a str,
    /// The sealed request, when there is a registered place to return to.
    pub request: Option<&'a str>,
    /// The CSRF value of this browser.
    pub csrf: &'a str,
    /// Where whoever would rather stay goes.
    pub stay: &'a str,
}

/// Asks whether to sign out. A link alone never does it (SE-2).
pub fn logout(logout: &Logout<'_>) -> String {
    page(
        "Sign out",
        html! {
            h1 { "Sign out?" }
            p class="lede" {
                "You are signed in as " (name(logout.username)) "."
                @if let Some(client) = logout.client_name { " " (name(client)) " asks to end this session." }
            }
            p { "Signing out ends this session in every application that uses it." }
            form method="post" action=(logout.action) {
                (hidden(logout.request, logout.csrf))
                div class="answers" {
                    button class="primary" type="submit" { "Sign out" }
                    a class="button" href=(logout.stay) { "Stay signed in" }
                }
            }
        },
    )
}

/// Says that it is done, where no registered place waits for the user.
pub fn logged_out() -> String {
    page(
        "Signed out",
        html! {
            h1 { "You are signed out" }
            p class="lede" { "Your session has ended here and in the applications that used it." }
            p { "On a shared computer, close the browser window as well." }
            div class="answers" {
                a class="button primary" href="/login" { "Sign in again" }
                a class="button" href="/" { "To the front page" }
            }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_out_is_a_post_with_the_proof() {
        let html = logout(&Logout {
            username: "ada",
            client_name: Some("<Ledger>"),
            action: "/logout",
            request: Some("emr_sealed"),
            csrf: "c5rf",
            stay: "/login",
        });
        assert!(html.contains(r#"<form method="post" action="/logout">"#));
        assert!(html.contains(r#"name="csrf" value="c5rf""#));
        assert!(html.contains(r#"name="request" value="emr_sealed""#));
        assert!(html.contains("&lt;Ledger&gt;"));
        assert!(html.contains(r#"href="/login""#));
    }

    #[test]
    fn the_page_after_it_says_so_and_posts_nothing() {
        let html = logged_out();
        assert!(html.contains("You are signed out"));
        assert!(!html.contains("<form"));
    }
}
