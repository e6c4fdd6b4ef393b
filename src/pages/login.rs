//! The sign-in page.

use maud::{Markup, html};

use super::field;
use super::layout::{destination, heading, hidden, name, page};

/// What the sign-in page says and posts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Login<'a> {
    /// What the page is called, where an administrator has said.
    pub title: Option<&'a str>,
    /// The application that asks, by its display name. None when somebody signs in to Edgemint itself.
    pub client_name: Option<&'a str>,
    /// Host (and port) of the redirect URI, or the scheme with its colon for a private-use one.
    pub redirect_host: Option<&'a str>,
    /// Where the form posts to.
    pub action: &'a str,
    /// The sealed authorization request; none when somebody signs in to Edgemint itself.
    pub request: Option<&'a str>,
    /// The CSRF value of this browser.
    pub csrf: &'a str,
    /// What stands in the first field: the name typed before, or `login_hint`.
    pub username: &'a str,
    /// What to say above the fields.
    pub message: Option<LoginMessage>,
}

/// What happened before this page was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginMessage {
    /// The one text for an unknown name, a wrong password, and an account that is disabled (SE-8).
    WrongCredentials,
    /// The throttle refused to look. Known and unknown names are counted alike (SE-8).
    TooManyAttempts {
        /// When the next attempt is looked at.
        seconds: u64,
    },
    /// The application asks for a fresh proof of who is there (`prompt=login`, `max_age`).
    ConfirmIdentity,
}

/// The sign-in page: works without script, and remembers nothing that was typed but the name.
pub fn login(login: &Login<'_>) -> String {
    let refused = login.message.is_some_and(LoginMessage::is_refusal);
    let described_by = login.message.map(|_| MESSAGE_ID);
    let named = !login.username.is_empty();
    page(
        "Sign in",
        html! {
            h1 { (heading(login.title, "Sign in")) }
            p class="lede" {
                @match login.client_name {
                    Some(client) => { "to continue to " (name(client)) }
                    None => "to your Edgemint account",
                }
            }
            @if let Some(text) = login.message { (message(text)) }
            form method="post" action=(login.action) {
                (hidden(login.request, login.csrf))
                div class="field" {
                    label for="username" { "Username" }
                    input type="text" id="username" name=(field::USERNAME) value=(login.username)
                        autocomplete="username" autocapitalize="none" autocorrect="off" spellcheck="false"
                        maxlength="64" required autofocus[!named]
                        aria-invalid=[refused.then_some("true")] aria-describedby=[described_by];
                }
                div class="field" {
                    label for="password" { "Password" }
                    input type="password" id="password" name=(field::PASSWORD)
                        autocomplete="current-password" required autofocus[named]
                        aria-invalid=[refused.then_some("true")] aria-describedby=[described_by];
                }
                button class="primary" type="submit" { "Sign in" }
            }
            @if let Some(target) = login.redirect_host {
                p class="fine" { "Afterwards you return to " (destination(target)) "." }
            }
        },
    )
}

impl LoginMessage {
    fn is_refusal(self) -> bool {
        matches!(self, Self::WrongCredentials)
    }
}

fn message(message: LoginMessage) -> Markup {
    let (class, role) = match message {
        LoginMessage::WrongCredentials | LoginMessage::TooManyAttempts { .. } => {
            ("note bad", "alert")
        }
        LoginMessage::ConfirmIdentity => ("note", "status"),
    };
    html! {
        p class=(class) id=(MESSAGE_ID) role=(role) {
            @match message {
                LoginMessage::WrongCredentials =>
                    "That username and password do not match an active account. Check both and try again.",
                LoginMessage::TooManyAttempts { seconds } => {
                    "Too many attempts. Wait " (span(seconds)) ", then try again."
                }
                LoginMessage::ConfirmIdentity => "To go on, confirm that it is you: type your password again.",
            }
        }
    }
}

/// A waiting time in words, never shorter than it is.
pub(super) fn span(seconds: u64) -> String {
    let (count, unit) = match seconds {
        0..=1 => (1, "second"),
        2..=90 => (seconds, "second"),
        91..=5400 => (seconds.div_ceil(60), "minute"),
        _ => (seconds.div_ceil(3600), "hour"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

const MESSAGE_ID: &str = "message";

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: Login<'static> = Login {
        title: None,
        client_name: Some("Ledger & Sons"),
        redirect_host: Some("ledger.example"),
        action: "/login",
        request: Some("emr_sealed"),
        csrf: "c5rf",
        username: "",
        message: None,
    };

    #[test]
    fn the_form_posts_the_two_fields_the_request_and_the_proof() {
        let html = login(&ASKED);
        assert!(html.contains(r#"<form method="post" action="/login">"#));
        assert!(html.contains(r#"name="request" value="emr_sealed""#));
        assert!(html.contains(r#"name="csrf" value="c5rf""#));
        assert!(html.contains(r#"name="username""#));
        assert!(html.contains(r#"name="password""#));
        assert!(html.contains("Ledger &amp; Sons"));
        assert!(html.contains("ledger.example"));
    }

    #[test]
    fn password_managers_are_told_which_field_is_which() {
        let html = login(&ASKED);
        assert!(html.contains(r#"autocomplete="username""#));
        assert!(html.contains(r#"autocomplete="current-password""#));
    }

    #[test]
    fn the_first_empty_field_has_the_focus() {
        let focused = |html: String| {
            let before = html.split(" autofocus").next().unwrap().to_owned();
            assert_eq!(html.matches(" autofocus").count(), 1);
            before
                .rsplit("name=\"")
                .next()
                .unwrap()
                .split('"')
                .next()
                .unwrap()
                .to_owned()
        };
        assert_eq!(focused(login(&ASKED)), "username");
        assert_eq!(
            focused(login(&Login {
                username: "ada",
                ..ASKED
            })),
            "password"
        );
    }

    #[test]
    fn a_typed_name_stays_and_a_password_never_does() {
        let html = login(&Login {
            username: r#"ada"><script>"#,
            ..ASKED
        });
        assert!(html.contains(r#"value="ada&quot;&gt;&lt;script&gt;""#));
        let password = html
            .split(r#"type="password""#)
            .nth(1)
            .unwrap()
            .split('>')
            .next()
            .unwrap();
        assert!(!password.contains("value"));
    }

    #[test]
    fn a_message_is_announced_and_tied_to_both_fields() {
        let html = login(&Login {
            message: Some(LoginMessage::WrongCredentials),
            ..ASKED
        });
        assert!(html.contains(r#"id="message" role="alert""#));
        assert_eq!(html.matches(r#"aria-describedby="message""#).count(), 2);
        assert_eq!(html.matches(r#"aria-invalid="true""#).count(), 2);
        assert!(!login(&ASKED).contains("aria-describedby"));
    }

    #[test]
    fn without_a_client_no_request_is_posted_and_nobody_is_named() {
        let html = login(&Login {
            client_name: None,
            redirect_host: None,
            request: None,
            ..ASKED
        });
        assert!(!html.contains(r#"name="request""#));
        assert!(html.contains("your Edgemint account"));
        assert!(!html.contains("return to"));
    }

    #[test]
    fn a_waiting_time_is_never_understated() {
        assert_eq!(span(0), "1 second");
        assert_eq!(span(30), "30 seconds");
        assert_eq!(span(91), "2 minutes");
        assert_eq!(span(121), "3 minutes");
        assert_eq!(span(5401), "2 hours");
        assert!(
            login(&Login {
                message: Some(LoginMessage::TooManyAttempts { seconds: 300 }),
                ..ASKED
            })
            .contains("Wait 5 minutes,")
        );
    }
}
