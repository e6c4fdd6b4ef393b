//! What `/login` shows until there is somebody who could sign in.

use maud::html;

use super::layout::page;

/// Says that the first administrator is still to be made, and by which command.
///
/// Production creates nothing by itself, so this is the first page that an operator sees.
pub fn not_ready(command: &str) -> String {
    page(
        "Not ready yet",
        html! {
            h1 { "Not ready yet" }
            p class="lede" { "This server is running, but nobody can sign in until its first administrator is made." }
            h2 { "If you run this server" }
            p { "Put the bootstrap token in " code { "BOOTSTRAP_TOKEN" } ", then run" }
            pre tabindex="0" aria-label="Command" { code { (command) } }
            h2 { "If you only wanted to sign in" }
            p { "Tell whoever runs this server, and come back a little later." }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_names_the_command_and_asks_for_nothing() {
        let html = not_ready("curl <address>");
        assert!(html.contains("curl &lt;address&gt;"));
        assert!(html.contains("BOOTSTRAP_TOKEN"));
        assert!(!html.contains("<form") && !html.contains("<input"));
    }
}
