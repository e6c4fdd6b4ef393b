//! An answer that the browser posts to the client, OAuth 2.0 Form Post Response Mode.

use maud::html;

use super::layout::{destination, page_with};

/// What the page says and posts.
#[derive(Clone, Copy, Debug, Default)]
pub struct FormPost<'a> {
    /// The client's redirect URI.
    pub action: &'a str,
    /// Its host (and port).
    pub redirect_host: &'a str,
    /// The parameters of the answer.
    pub parameters: &'a [(&'a str, &'a str)],
    /// Where the script is that posts the form.
    pub script: &'a str,
}

/// The page: a script of ours posts its form at once, and without script its button does.
pub fn form_post(answer: &FormPost<'_>) -> String {
    page_with(
        "Returning to the application",
        Some(answer.script),
        html! {
            h1 { "One more step" }
            p class="lede" { "You are returned to " (destination(answer.redirect_host)) "." }
            form method="post" action=(answer.action) {
                @for (name, value) in answer.parameters {
                    input type="hidden" name=(name) value=(value);
                }
                button class="primary" type="submit" autofocus { "Continue" }
            }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn az_12_every_value_is_escaped_and_no_script_is_inline() {
        let html = form_post(&FormPost {
            action: "https://app.example/cb?a=1&b=2",
            redirect_host: "app.example",
            parameters: &[("state", "\"><script>&lt;"), ("iss", "https://id.example")],
            script: "https://id.example/oauth/form-post.js",
        });
        assert!(
            html.contains(r#"<form method="post" action="https://app.example/cb?a=1&amp;b=2">"#)
        );
        assert!(html.contains(r#"name="state" value="&quot;&gt;&lt;script&gt;&amp;lt;""#));
        let scripts: Vec<&str> = html.split("<script").skip(1).collect();
        assert_eq!(
            scripts.len(),
            1,
            "and that one has a source and nothing inside"
        );
        assert!(
            scripts[0]
                .starts_with(r#" src="https://id.example/oauth/form-post.js" defer></script>"#)
        );
        assert!(html.contains("<button"));
    }
}
