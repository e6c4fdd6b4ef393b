//! The consent page: what is asked, by whom, and where the answer goes.

use fluent_uri::Uri;
use maud::html;

use super::field;
use super::layout::{destination, heading, hidden, host, name, page};
use super::neutralise;

/// What the consent page shows; the grant must equal exactly this (UI-6).
#[derive(Clone, Copy, Debug, Default)]
pub struct Consent<'a> {
    /// What the page is called, where an administrator has said; the application is named all the same.
    pub title: Option<&'a str>,
    /// The application that asks, by its display name.
    pub client_name: &'a str,
    /// Its home page; shown when it is an https URI, and only as a link that the user may follow.
    pub client_uri: Option<&'a str>,
    /// Host (and port) of the redirect URI, or the scheme with its colon for a private-use one.
    pub redirect_host: &'a str,
    /// Who is signed in.
    pub username: &'a str,
    /// What is asked, in the order it is shown.
    pub scopes: &'a [ScopeLine<'a>],
    /// `offline_access` is among what is asked: access goes on when the user has left.
    pub offline: bool,
    /// The answer is kept, so that the same question is not asked again.
    pub remembered: bool,
    /// Where the form posts to.
    pub action: &'a str,
    /// The sealed request that is answered.
    pub request: &'a str,
    /// The CSRF value of this browser.
    pub csrf: &'a str,
}

/// One thing that is asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct ScopeLine<'a> {
    /// The scope as the protocol spells it.
    pub name: &'a str,
    /// What it means to its owner; without one the name stands alone.
    pub description: &'a str,
    /// The user has allowed it to this client before.
    pub granted: bool,
}

/// The consent page: one question, two buttons, `decision` = `allow` or `deny`.
pub fn consent(consent: &Consent<'_>) -> String {
    page(
        "Allow access",
        html! {
            @match consent.title {
                Some(title) => { h1 { (heading(Some(title), "")) } }
                None => { h1 { (name(consent.client_name)) " asks for access" } }
            }
            p class="lede" {
                @if consent.title.is_some() { (name(consent.client_name)) " asks for access. " }
                "You are signed in as " (name(consent.username)) "."
            }
            (asked(consent.scopes, consent.offline))
            dl class="facts" {
                dt { "The answer goes to" }
                dd { (destination(consent.redirect_host)) }
                (home(consent.client_uri))
            }
            form method="post" action=(consent.action) {
                (hidden(Some(consent.request), consent.csrf))
                (answers())
            }
            p class="fine" {
                "Allow only what you expected to be asked. "
                @if consent.remembered { "Your answer is remembered; you can take it back at any time." }
                @else { "Your answer holds for this time only." }
            }
        },
    )
}

/// What is asked, line by line.
pub(super) fn asked(scopes: &[ScopeLine<'_>], offline: bool) -> maud::Markup {
    html! {
        h2 id="asked" { "If you allow it, it can" }
        ul class="scopes" aria-labelledby="asked" {
            @for scope in scopes { (line(scope)) }
            @if offline {
                li {
                    span class="what" { "Keep this access while you are away" }
                    span class="how" { "until you take it back or it is long unused" }
                }
            }
        }
    }
}

/// Where a client says that it lives.
pub(super) fn home(uri: Option<&str>) -> maud::Markup {
    html! {
        @if let Some(uri) = uri.and_then(https) {
            dt { "It says it lives at" }
            dd { a href=(uri.as_str()) rel="noopener noreferrer nofollow" target="_blank" { (host(shown_host(&uri))) } }
        }
    }
}

/// The two buttons.
pub(super) fn answers() -> maud::Markup {
    html! {
        div class="answers" {
            button class="primary" type="submit" name=(field::DECISION) value=(field::ALLOW) { "Allow" }
            button type="submit" name=(field::DECISION) value=(field::DENY) { "Deny" }
        }
    }
}

fn line(scope: &ScopeLine<'_>) -> maud::Markup {
    html! {
        li {
            @if scope.description.is_empty() {
                span class="what" { "Use " (host(scope.name)) }
            } @else {
                span class="what" { bdi { (neutralise(scope.description)) } }
                span class="how" { (host(scope.name)) @if scope.granted { " · allowed before" } }
            }
        }
    }
}

/// Other schemes could run script or open programs, so they are not links.
fn https(uri: &str) -> Option<Uri<&str>> {
    Uri::parse(uri)
        .ok()
        .filter(|uri| uri.scheme().as_str() == "https" && !shown_host(uri).is_empty())
}

/// The host alone: user information before it is the oldest disguise there is.
fn shown_host<'a>(uri: &Uri<&'a str>) -> &'a str {
    uri.authority().map_or("", |authority| authority.host())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCOPES: &[ScopeLine<'static>] = &[
        ScopeLine {
            name: "openid",
            description: "Know who you are",
            granted: true,
        },
        ScopeLine {
            name: "books:read",
            description: "",
            granted: false,
        },
    ];
    const ASKED: Consent<'static> = Consent {
        title: None,
        client_name: "Ledger",
        client_uri: Some("https://ledger.example/about"),
        redirect_host: "app.ledger.example",
        username: "ada",
        scopes: SCOPES,
        offline: false,
        remembered: true,
        action: "/consent",
        request: "emr_sealed",
        csrf: "c5rf",
    };

    #[test]
    fn ui_4_client_host_user_and_every_scope_are_shown() {
        let html = consent(&ASKED);
        for shown in [
            "Ledger",
            "app.ledger.example",
            "ada",
            "Know who you are",
            "openid",
            "books:read",
        ] {
            assert!(html.contains(&format!(">{shown}<")), "{shown}");
        }
    }

    #[test]
    fn both_answers_are_one_button_each_in_one_form() {
        let html = consent(&ASKED);
        assert!(html.contains(r#"name="decision" value="allow""#));
        assert!(html.contains(r#"name="decision" value="deny""#));
        assert_eq!(html.matches("<form").count(), 1);
        assert!(html.contains(r#"name="request" value="emr_sealed""#));
        assert!(html.contains(r#"name="csrf" value="c5rf""#));
    }

    #[test]
    fn ui_4_an_override_in_the_client_name_does_not_reach_the_page() {
        let html = consent(&Consent {
            client_name: "Le\u{202E}dger",
            username: "a\u{200B}da",
            ..ASKED
        });
        assert!(!html.contains('\u{202E}') && !html.contains('\u{200B}'));
    }

    #[test]
    fn ui_4_a_long_host_keeps_its_end() {
        let host = format!("{}.evil.example", ["accounts"; 40].join("."));
        assert!(
            consent(&Consent {
                redirect_host: &host,
                ..ASKED
            })
            .contains(&host)
        );
    }

    #[test]
    fn a_client_uri_is_a_link_only_when_it_is_https_and_shows_its_true_host() {
        for uri in [
            "javascript:alert(1)",
            "data:text/html,x",
            "http://ledger.example",
            "//x",
            "https:",
            "not a uri",
        ] {
            let html = consent(&Consent {
                client_uri: Some(uri),
                ..ASKED
            });
            assert!(!html.contains("lives at"), "{uri}");
        }
        let html = consent(&Consent {
            client_uri: Some("https://bank.example@evil.example/"),
            ..ASKED
        });
        assert!(html.contains(">evil.example<") && !html.contains(">bank.example"));
    }

    #[test]
    fn offline_access_is_spelt_out() {
        assert!(!consent(&ASKED).contains("while you are away"));
        assert!(
            consent(&Consent {
                offline: true,
                ..ASKED
            })
            .contains("while you are away")
        );
    }

    #[test]
    fn whether_the_answer_is_kept_is_said() {
        assert!(consent(&ASKED).contains("is remembered"));
        assert!(
            consent(&Consent {
                remembered: false,
                ..ASKED
            })
            .contains("this time only")
        );
    }

    #[test]
    fn an_answer_to_this_very_machine_is_called_so() {
        assert!(
            consent(&Consent {
                redirect_host: "127.0.0.1:49152",
                ..ASKED
            })
            .contains("a program on this device")
        );
    }
}
