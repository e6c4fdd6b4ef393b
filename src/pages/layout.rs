//! What every page shares: the document, the mark, and the small parts of forms.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::field;
use super::neutralise::{neutralise, visible};
use super::style::STYLE;

/// A whole document with one card on it.
pub(super) fn page(title: &str, card: Markup) -> String {
    page_with(title, None, card)
}

/// The same, with a script of ours by its address.
pub(super) fn page_with(title: &str, script: Option<&str>, card: Markup) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (title) " · Edgemint" }
                link rel="icon" href="/favicon.svg" type="image/svg+xml";
                style { (PreEscaped(STYLE)) }
                @if let Some(script) = script { script src=(script) defer {} }
            }
            body {
                header { (mark()) span class="wordmark" { "Edgemint" } }
                main class="card" { (card) }
            }
        }
    }
    .into_string()
}

/// A heading in an administrator's words, or in ours.
pub(super) fn heading(title: Option<&str>, usual: &str) -> Markup {
    html! {
        @match title {
            Some(title) => { bdi { (neutralise(title)) } }
            None => { (usual) }
        }
    }
}

/// Hidden fields: what the answer continues, and the proof that this browser was asked.
pub(super) fn hidden(request: Option<&str>, csrf: &str) -> Markup {
    html! {
        @if let Some(request) = request {
            input type="hidden" name=(field::REQUEST) value=(request);
        }
        input type="hidden" name=(field::CSRF) value=(csrf);
    }
}

/// A name that others chose, on its own for the direction of the text around it.
pub(super) fn name(text: &str) -> Markup {
    html! { bdi class="name" { (neutralise(text)) } }
}

/// A host, whole, in the type that tells `l` from `I`.
pub(super) fn host(text: &str) -> Markup {
    html! { bdi class="host" { (visible(text)) } }
}

/// Where the answer of this page goes, with programs on this very machine called so.
pub(super) fn destination(redirect_host: &str) -> Markup {
    html! {
        @if is_loopback(redirect_host) { "a program on this device, " (host(redirect_host)) }
        @else { (host(redirect_host)) }
    }
}

fn is_loopback(redirect_host: &str) -> bool {
    let bare = redirect_host
        .rsplit_once(':')
        .map_or(redirect_host, |(bare, port)| {
            if port.bytes().all(|b| b.is_ascii_digit()) {
                bare
            } else {
                redirect_host
            }
        });
    let address = bare.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost"
        || address
            .parse()
            .is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

/// A coin seen from above: the reeded edge, the rim, and a leaf struck on it.
fn mark() -> Markup {
    html! {
        svg class="mark" viewBox="0 0 32 32" width="32" height="32" aria-hidden="true" focusable="false" {
            circle class="reeds" cx="16" cy="16" r="14" fill="none" stroke-width="3" stroke-dasharray="1.4 1.532" {}
            circle class="coin" cx="16" cy="16" r="11.5" {}
            path class="leaf" d="M10.5 21.5c-1-7 3.5-11.5 11-11 .5 7.5-4 12-11 11zm0 0 6.2-6.2" fill="none" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round" {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_this_device_are_called_programs_on_it() {
        for host in [
            "127.0.0.1",
            "127.0.0.1:49152",
            "[::1]",
            "[::1]:80",
            "localhost",
            "localhost:3000",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "10.0.0.1",
            "[::2]:80",
            "",
            "com.example.app:",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
