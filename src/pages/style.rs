//! The one style sheet, and the CSP source that allows it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};

/// What stands between `<style>` and `</style>` on every page, byte for byte.
pub const STYLE: &str = include_str!("style.css");

/// The source for `style-src`: `'sha256-…'` of [`STYLE`]. CSP Level 3 §2.3.1.
pub fn style_source() -> String {
    format!(
        "'sha256-{}'",
        STANDARD.encode(digest(&SHA256, STYLE.as_bytes()))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_is_the_digest_in_standard_base64() {
        let source = style_source();
        let encoded = source
            .strip_prefix("'sha256-")
            .and_then(|s| s.strip_suffix('\''));
        let bytes = STANDARD.decode(encoded.unwrap()).unwrap();
        assert_eq!(bytes, digest(&SHA256, STYLE.as_bytes()).as_ref());
    }

    #[test]
    fn the_style_sheet_loads_nothing_and_cannot_close_its_element() {
        for word in ["url(", "@import", "@font-face", "</", "<!--"] {
            assert!(!STYLE.contains(word), "{word}");
        }
    }

    #[test]
    fn the_style_sheet_has_unix_line_ends_so_that_its_digest_is_that_of_the_parsed_page() {
        assert!(!STYLE.contains('\r'));
        assert!(!STYLE.contains('\0'));
    }
}
