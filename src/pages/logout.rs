//! Signing out: the question, and the page after it. OpenID Connect RP-Initiated Logout §2.

use maud::html;

use super::layout::{heading, hidden, name, page};

/// What the sign-out page asks and posts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Logout<'a> {
    /// What the page is called, where an administrator has said.
    pub title: Option<&'a str>,
    /// Who is signed in.
    pub username: &'a str,
    /// The application that sent the user here, when it is proven.
    pub client_name: Option<&'a str>,
    /// Only what the application has of the session ends.
    pub leaves_session: bool,
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
            h1 { (heading(logout.title, "Sign out?")) }
            p class="lede" {
                "You are signed in as " (name(logout.username)) "."
                @if let Some(client) = logout.client_name {
                    " " (name(client))
                    @if logout.leaves_session { " asks to be signed out of." }
                    @else { " asks to end this session." }
                }
            }
            @if logout.leaves_session {
                p { "What it got in this session ends. You stay signed in here and in other applications." }
            } @else {
                p { "Signing out ends this session in every application that uses it." }
            }
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

/// Says that it is done, where no registered place waits for the user; at one application alone, where
/// it is named.
pub fn logged_out(client: Option<&str>) -> String {
    if let Some(client) = client {
        return page(
            "Signed out",
            html! {
                h1 { "You are signed out of " (name(client)) }
                p class="lede" { "What it got in this session has ended. You are still signed in here." }
                div class="answers" {
                    a class="button primary" href="/login" { "To your account" }
                }
            },
        );
    }
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
            title: None,
            leaves_session: false,
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
        let html = logged_out(None);
        assert!(html.contains("You are signed out"));
        assert!(!html.contains("<form"));
    }
}
