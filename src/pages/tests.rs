//! What holds for every page alike.

use super::error::ALL;
use super::*;

/// Each page, with markup wherever somebody else chooses the text.
fn pages() -> Vec<(String, String)> {
    let scopes = [
        ScopeLine {
            name: EVIL,
            description: EVIL,
            granted: true,
        },
        ScopeLine {
            name: "books:read",
            description: "",
            granted: false,
        },
    ];
    let applications = [Application {
        id: EVIL,
        name: EVIL,
        scope: EVIL,
    }];
    let asked = Login {
        title: None,
        client_name: Some(EVIL),
        redirect_host: Some(EVIL),
        action: "/login",
        request: Some(EVIL),
        csrf: EVIL,
        username: EVIL,
        message: None,
    };
    let mut pages = vec![
        ("login".to_owned(), login(&asked)),
        (
            "login_refused".to_owned(),
            login(&Login {
                title: None,
                message: Some(LoginMessage::WrongCredentials),
                ..asked
            }),
        ),
        (
            "device_code".to_owned(),
            device_code(&DeviceCode {
                username: EVIL,
                user_code: EVIL,
                refused: true,
                wait: None,
                action: "/device",
                request: EVIL,
                csrf: EVIL,
            }),
        ),
        (
            "device".to_owned(),
            device(&Device {
                title: Some(EVIL),
                client_name: EVIL,
                client_uri: Some("https://ledger.example/%22%3E"),
                username: EVIL,
                user_code: EVIL,
                scopes: &scopes,
                offline: true,
                action: "/device",
                request: EVIL,
                csrf: EVIL,
            }),
        ),
        ("device_answered".to_owned(), device_answered(EVIL, true)),
        (
            "consent".to_owned(),
            consent(&Consent {
                title: None,
                client_name: EVIL,
                client_uri: Some("https://ledger.example/%22%3E"),
                redirect_host: EVIL,
                username: EVIL,
                scopes: &scopes,
                offline: true,
                remembered: true,
                action: "/consent",
                request: EVIL,
                csrf: EVIL,
            }),
        ),
        (
            "logout".to_owned(),
            logout(&Logout {
                title: None,
                leaves_session: false,
                username: EVIL,
                client_name: Some(EVIL),
                action: "/logout",
                request: Some(EVIL),
                csrf: EVIL,
                stay: "/login",
            }),
        ),
        ("logged_out".to_owned(), logged_out(None)),
        (
            "account".to_owned(),
            account(&Account {
                username: EVIL,
                applications: &applications,
                action: "/logout",
                request: EVIL,
                csrf: EVIL,
                withdraw_action: "/consent",
                withdraw_request: EVIL,
                withdraw_csrf: EVIL,
            }),
        ),
        ("not_ready".to_owned(), not_ready(EVIL)),
    ];
    for &problem in ALL {
        pages.push((
            format!("{problem:?}"),
            error(&ErrorPage {
                problem,
                request_id: EVIL,
            }),
        ));
    }
    pages
}

/// Opens an element, closes an attribute, and is an entity, should anybody forget to escape it.
const EVIL: &str = r#"x"'><script>alert(1)</script><b onload=y>&lt;"#;

/// The start tags of a page, without its style sheet.
fn tags(html: &str) -> Vec<&str> {
    let (head, rest) = html.split_once(STYLE).unwrap();
    [head, rest]
        .into_iter()
        .flat_map(|part| part.split('<').skip(1))
        .filter(|tag| !tag.starts_with(['/', '!']))
        .map(|tag| tag.split_once('>').unwrap().0)
        .collect()
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    tag.split_once(&format!(" {name}=\""))
        .and_then(|(_, rest)| rest.split('"').next())
}

#[test]
fn ui_3_markup_in_a_client_name_is_shown_as_text() {
    for (name, html) in pages() {
        assert!(!html.contains("<script"), "{name}");
        assert!(!html.contains("<b "), "{name}");
        for tag in tags(&html) {
            let names: String = tag.split('"').step_by(2).collect();
            assert!(!names.contains(" on"), "{name}: {tag}");
        }
    }
    let html = pages().swap_remove(2).1;
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(html.contains("&amp;lt;"));
}

#[test]
fn ui_2_no_page_has_script_inline_style_or_anything_to_load() {
    for (name, html) in pages() {
        for tag in tags(&html) {
            let element = tag.split(' ').next().unwrap();
            assert!(
                !["script", "img", "iframe", "object", "embed", "base"].contains(&element),
                "{name}: {tag}"
            );
            assert!(attribute(tag, "style").is_none(), "{name}: {tag}");
            assert!(attribute(tag, "src").is_none(), "{name}: {tag}");
            if element == "link" {
                assert_eq!(attribute(tag, "rel"), Some("icon"), "{name}: {tag}");
            }
        }
        assert_eq!(html.matches("<style").count(), 1, "{name}");
    }
}

#[test]
fn every_page_has_a_language_a_viewport_a_title_one_heading_and_one_main() {
    for (name, html) in pages() {
        assert!(
            html.starts_with("<!DOCTYPE html><html lang=\"en\">"),
            "{name}"
        );
        assert!(
            html.contains(
                r#"<meta name="viewport" content="width=device-width, initial-scale=1">"#
            ),
            "{name}"
        );
        for element in ["<title>", "<h1", "<main"] {
            assert_eq!(html.matches(element).count(), 1, "{name}: {element}");
        }
    }
}

#[test]
fn every_visible_input_has_its_label() {
    for (name, html) in pages() {
        let tags = tags(&html);
        for input in tags.iter().filter(|tag| tag.starts_with("input")) {
            if attribute(input, "type") == Some("hidden") {
                continue;
            }
            let id = attribute(input, "id");
            assert!(id.is_some(), "{name}: {input}");
            let labels = tags
                .iter()
                .filter(|tag| tag.starts_with("label") && attribute(tag, "for") == id);
            assert_eq!(labels.count(), 1, "{name}: {input}");
        }
    }
}

#[test]
fn what_a_description_refers_to_exists_once() {
    for (name, html) in pages() {
        for tag in tags(&html) {
            for reference in ["aria-describedby", "aria-labelledby"] {
                if let Some(id) = attribute(tag, reference) {
                    assert_eq!(
                        html.matches(&format!(" id=\"{id}\"")).count(),
                        1,
                        "{name}: {id}"
                    );
                }
            }
        }
    }
}

#[test]
fn se_6_every_form_posts_and_carries_the_proof() {
    for (name, html) in pages() {
        for form in html.split("<form ").skip(1) {
            assert!(form.starts_with("method=\"post\" action=\"/"), "{name}");
            let form = form.split("</form>").next().unwrap();
            assert!(
                form.contains(&format!("<input type=\"hidden\" name=\"{}\"", field::CSRF)),
                "{name}"
            );
        }
    }
}

#[test]
fn links_that_leave_tell_nobody_where_from() {
    for (name, html) in pages() {
        for tag in tags(&html).iter().filter(|tag| tag.starts_with("a ")) {
            if !attribute(tag, "href").unwrap().starts_with('/') {
                assert!(
                    attribute(tag, "rel").unwrap().contains("noreferrer"),
                    "{name}: {tag}"
                );
            }
        }
    }
}

#[test]
fn a_page_is_small_enough_to_arrive_in_one_flight() {
    for (name, html) in pages() {
        assert!(html.len() < 14_000, "{name}: {}", html.len());
    }
}

/// `PAGES_OUT=folder cargo test pages -- --ignored`
#[test]
#[ignore = "writes files for the eye"]
fn pages_are_written_to_be_looked_at() {
    let Ok(out) = std::env::var("PAGES_OUT") else {
        return;
    };
    let asked = Login {
        title: None,
        client_name: Some("Ledger & Sons"),
        redirect_host: Some("app.ledger.example"),
        action: "/login",
        request: Some("emr_sealed"),
        csrf: "c5rf",
        ..Login::default()
    };
    let scopes = [
        ScopeLine {
            name: "openid",
            description: "Know who you are",
            granted: true,
        },
        ScopeLine {
            name: "profile",
            description: "See your name and username",
            granted: true,
        },
        ScopeLine {
            name: "books:read",
            description: "Read your account books",
            granted: false,
        },
        ScopeLine {
            name: "books:export",
            description: "",
            granted: false,
        },
    ];
    let asks = Consent {
        title: None,
        client_name: "Ledger & Sons",
        client_uri: Some("https://ledger.example/about"),
        redirect_host: "app.ledger.example",
        username: "ada",
        scopes: &scopes,
        offline: true,
        remembered: true,
        action: "/consent",
        request: "emr_sealed",
        csrf: "c5rf",
    };
    let applications = [
        Application {
            id: "c_ledger",
            name: "Ledger & Sons",
            scope: "openid profile books:read",
        },
        Application {
            id: "c_weather",
            name: "Weather station",
            scope: "stations:write",
        },
    ];
    let leave = Logout {
        title: None,
        leaves_session: false,
        username: "ada",
        client_name: Some("Ledger & Sons"),
        action: "/logout",
        request: None,
        csrf: "c",
        stay: "/login",
    };
    let long = "Averyverylongclientnamewithoutanyspacesatallthatgoesonandonandon".repeat(3);
    let long_host = format!("{}.evil.example", ["accounts"; 12].join("."));
    let looks = [
        ("login", login(&asked)),
        (
            "login-wrong",
            login(&Login {
                title: None,
                username: "ada",
                message: Some(LoginMessage::WrongCredentials),
                ..asked
            }),
        ),
        (
            "login-wait",
            login(&Login {
                title: None,
                username: "ada",
                message: Some(LoginMessage::TooManyAttempts { seconds: 300 }),
                ..asked
            }),
        ),
        (
            "login-own",
            login(&Login {
                title: None,
                client_name: None,
                redirect_host: None,
                request: None,
                message: Some(LoginMessage::ConfirmIdentity),
                ..asked
            }),
        ),
        ("consent", consent(&asks)),
        (
            "consent-long",
            consent(&Consent {
                title: None,
                client_name: &long,
                redirect_host: &long_host,
                ..asks
            }),
        ),
        (
            "consent-device",
            consent(&Consent {
                title: None,
                redirect_host: "127.0.0.1:49152",
                client_uri: None,
                remembered: false,
                offline: false,
                ..asks
            }),
        ),
        (
            "device-code",
            device_code(&DeviceCode {
                username: "ada",
                user_code: "WDJB-MJHT",
                refused: true,
                wait: None,
                action: "/device",
                request: "r",
                csrf: "c",
            }),
        ),
        (
            "device",
            device(&Device {
                title: None,
                client_name: "Television",
                client_uri: None,
                username: "ada",
                user_code: "WDJB-MJHT",
                scopes: asks.scopes,
                offline: true,
                action: "/device",
                request: "r",
                csrf: "c",
            }),
        ),
        ("device-answered", device_answered("Television", true)),
        ("logout", logout(&leave)),
        ("logged-out", logged_out(None)),
        (
            "account",
            account(&Account {
                username: "ada",
                applications: &applications,
                action: "/logout",
                request: "r",
                csrf: "c",
                withdraw_action: "/consent",
                withdraw_request: "r",
                withdraw_csrf: "c",
            }),
        ),
        (
            "not-ready",
            not_ready("curl https://id.example/api/v1/first-run"),
        ),
        (
            "error-uri",
            error(&ErrorPage {
                problem: Problem::UnregisteredRedirectUri,
                request_id: "0192f3c1-7d5e",
            }),
        ),
        (
            "error-busy",
            error(&ErrorPage {
                problem: Problem::Unavailable { seconds: 5 },
                request_id: "0192f3c1-7d5e",
            }),
        ),
    ];
    for (name, html) in looks {
        std::fs::write(format!("{out}/{name}.html"), html).unwrap();
    }
}
