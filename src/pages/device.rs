//! Connecting a device that has no browser: its code, the question, and the page after it (RFC 8628 §3.3).

use maud::html;

use super::consent::{ScopeLine, answers, asked, home};
use super::field;
use super::layout::{heading, hidden, name, page};
use super::login::span;

/// What the page that asks for the code shows and posts.
#[derive(Clone, Copy, Debug, Default)]
pub struct DeviceCode<'a> {
    /// Who is signed in.
    pub username: &'a str,
    /// What stands in the field: from the link, or typed before.
    pub user_code: &'a str,
    /// What was typed is no code of a device that waits.
    pub refused: bool,
    /// There were too many of those: how many seconds to wait.
    pub wait: Option<u64>,
    /// Where the form posts to.
    pub action: &'a str,
    /// What shows that the form was asked for.
    pub request: &'a str,
    /// The CSRF value of this browser.
    pub csrf: &'a str,
}

/// What the page that asks shows; the grant must equal exactly this (UI-6).
#[derive(Clone, Copy, Debug, Default)]
pub struct Device<'a> {
    /// What the page is called, where an administrator has said; the application is named all the same.
    pub title: Option<&'a str>,
    /// The application that asks, by its display name.
    pub client_name: &'a str,
    /// Its home page.
    pub client_uri: Option<&'a str>,
    /// Who is signed in.
    pub username: &'a str,
    /// The code that the device shows.
    pub user_code: &'a str,
    /// What is asked, in the order it is shown.
    pub scopes: &'a [ScopeLine<'a>],
    /// `offline_access` is among what is asked.
    pub offline: bool,
    /// Where the form posts to.
    pub action: &'a str,
    /// The sealed question that is answered.
    pub request: &'a str,
    /// The CSRF value of this browser.
    pub csrf: &'a str,
}

/// Asks for the code that a device shows. A link may fill it in; whoever came by one still looks at it
/// and goes on by themselves.
pub fn device_code(form: &DeviceCode<'_>) -> String {
    page(
        "Connect a device",
        html! {
            h1 { "Connect a device" }
            p class="lede" { "You are signed in as " (name(form.username)) "." }
            @if form.refused {
                p class="note bad" id="message" role="alert" {
                    @match form.wait {
                        Some(seconds) => { "Too many attempts. Wait " (span(seconds)) ", then try again." }
                        None => "No device waits with that code. Check it, or let the device show a new one.",
                    }
                }
            }
            form method="post" action=(form.action) {
                (hidden(Some(form.request), form.csrf))
                div class="field" {
                    label for="user_code" { "Code on your device" }
                    input class="host" type="text" id="user_code" name=(field::USER_CODE) value=(form.user_code)
                        autocomplete="off" autocapitalize="characters" autocorrect="off" spellcheck="false"
                        maxlength="64" required autofocus placeholder="XXXX-XXXX"
                        aria-invalid=[form.refused.then_some("true")]
                        aria-describedby=[form.refused.then_some("message")];
                }
                button class="primary" type="submit" { "Continue" }
            }
            p class="fine" { (WARNING) }
        },
    )
}

/// Asks whether the device may have access: the same question and answers as for any application.
pub fn device(device: &Device<'_>) -> String {
    page(
        "Connect a device",
        html! {
            @match device.title {
                Some(title) => { h1 { (heading(Some(title), "")) } }
                None => { h1 { "Connect " (name(device.client_name)) "?" } }
            }
            p class="lede" {
                (name(device.client_name)) " on a device asks for access. "
                "You are signed in as " (name(device.username)) "."
            }
            h2 { "Does your device show this code?" }
            p class="user-code" { (device.user_code) }
            (asked(device.scopes, device.offline))
            dl class="facts" { (home(device.client_uri)) }
            p class="note" { (WARNING) }
            form method="post" action=(device.action) {
                (hidden(Some(device.request), device.csrf))
                (answers())
            }
            p class="fine" { "Your answer is listed in your account; you can take it back at any time." }
        },
    )
}

/// What a phisher counts on is that somebody types a code that another device shows (RFC 8628 §5.4).
const WARNING: &str = "Go on only if you have this device in front of you and began this yourself. \
     Whoever sends you a code, or calls to have you type one, wants into your account.";

/// Says what was answered.
pub fn device_answered(client: &str, allowed: bool) -> String {
    page(
        "Connect a device",
        html! {
            @if allowed {
                h1 { "Your device is connected" }
                p class="lede" { (name(client)) " goes on by itself in a moment. You can close this window." }
            } @else {
                h1 { "Your device is not connected" }
                p class="lede" { (name(client)) " has no access. You can close this window." }
            }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: DeviceCode<'static> = DeviceCode {
        username: "ada",
        user_code: "WDJB-MJHT",
        refused: false,
        wait: None,
        action: "/device",
        request: "emp_sealed",
        csrf: "c5rf",
    };
    const ASKED: Device<'static> = Device {
        title: None,
        client_name: "Television",
        client_uri: None,
        username: "ada",
        user_code: "WDJB-MJHT",
        scopes: &[ScopeLine {
            name: "books:read",
            description: "",
            granted: false,
        }],
        offline: true,
        action: "/device",
        request: "emp_sealed",
        csrf: "c5rf",
    };

    #[test]
    fn rfc_8628_3_3_the_code_is_a_field_with_a_label_and_nothing_is_decided() {
        let html = device_code(&FORM);
        assert!(html.contains(r#"<label for="user_code">"#));
        assert!(html.contains(r#"name="user_code" value="WDJB-MJHT""#));
        assert!(html.contains(r#"name="csrf" value="c5rf""#));
        assert!(!html.contains("decision") && !html.contains(r#"role="alert""#));
    }

    #[test]
    fn what_was_wrong_is_said_and_nothing_typed_is_markup() {
        let refused = DeviceCode {
            user_code: "\"><b>",
            refused: true,
            ..FORM
        };
        let html = device_code(&refused);
        assert!(html.contains("No device waits") && html.contains(r#"aria-invalid="true""#));
        assert!(!html.contains("<b>"));
        let wait = Some(300);
        assert!(device_code(&DeviceCode { wait, ..refused }).contains("Wait 5 minutes"));
    }

    #[test]
    fn rfc_8628_5_4_the_question_shows_client_code_person_and_scopes_and_warns() {
        let html = device(&ASKED);
        for shown in ["Television", "WDJB-MJHT", "ada", "books:read"] {
            assert!(html.contains(&format!(">{shown}<")), "{shown}");
        }
        assert!(html.contains("device in front of you") && html.contains("while you are away"));
        assert!(html.contains(r#"name="decision" value="allow""#));
        assert!(html.contains(r#"name="decision" value="deny""#));
        assert_eq!(html.matches("<form").count(), 1);
    }

    #[test]
    fn the_answer_is_said() {
        assert!(device_answered("TV", true).contains("is connected"));
        assert!(device_answered("TV", false).contains("is not connected"));
    }
}
