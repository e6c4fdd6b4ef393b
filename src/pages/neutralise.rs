//! Text that others chose, made unable to disguise the sentence it stands in. UI-4.

/// What others chose, safe to read: controls, bidirectional overrides and invisible characters are
/// shown as `�`, a run of white space as one space, and a very long text ends in `…`.
///
/// The joiners U+200C and U+200D stay: Persian, Indic scripts and emoji are spelt with them.
/// Nothing is said of markup here; escaping is the template's.
pub fn neutralise(text: &str) -> String {
    let shown = visible(text);
    let mut kept: String = shown.chars().take(LONGEST).collect();
    if kept.len() < shown.len() {
        kept.push('…');
    }
    kept
}

/// Like [`neutralise`], but never shortened: the end of a host is the part that matters.
pub(super) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !shown.is_empty() {
            shown.push(' ');
        }
        shown.extend(word.chars().map(|c| {
            if deceives(c) {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        }));
    }
    shown
}

/// Moves, hides or imitates what stands around it.
fn deceives(c: char) -> bool {
    c.is_control()
        || matches!(c,
            // Bidirectional marks, embeddings, overrides and isolates. UAX #9 §2.
            '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{206F}'
            // Drawn as nothing, or as a blank that no trimming removes.
            | '\u{00AD}' | '\u{034F}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
            | '\u{180E}' | '\u{200B}' | '\u{2060}'..='\u{2065}' | '\u{2800}' | '\u{3164}'
            | '\u{FEFF}' | '\u{FFA0}'
            // Interlinear annotation and tags: text within text.
            | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

/// Characters shown of a name that somebody else chose: two lines of the card, and no real name.
const LONGEST: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ui_4_an_override_cannot_turn_the_text_after_it_around() {
        assert_eq!(neutralise("pay\u{202E}lapyap"), "pay\u{FFFD}lapyap");
        for c in [
            '\u{061C}', '\u{200E}', '\u{200F}', '\u{202A}', '\u{2066}', '\u{2069}',
        ] {
            assert_eq!(
                neutralise(&format!("a{c}b")),
                "a\u{FFFD}b",
                "{:x}",
                u32::from(c)
            );
        }
    }

    #[test]
    fn ui_4_controls_and_invisible_characters_are_shown() {
        for c in [
            '\0',
            '\u{1B}',
            '\u{7F}',
            '\u{9B}',
            '\u{200B}',
            '\u{FEFF}',
            '\u{3164}',
            '\u{E0041}',
        ] {
            assert_eq!(
                neutralise(&format!("a{c}b")),
                "a\u{FFFD}b",
                "{:x}",
                u32::from(c)
            );
        }
    }

    #[test]
    fn ui_4_line_breaks_and_padding_become_one_space() {
        assert_eq!(neutralise("  Acme\r\n\n\u{2028} \u{A0}Inc.\t"), "Acme Inc.");
    }

    #[test]
    fn ordinary_names_in_any_script_stay_as_they_are() {
        for name in [
            "Café Łódź",
            "می\u{200C}خواهم",
            "क\u{094D}\u{200D}ष",
            "👩\u{200D}💻 Tools",
            "דפדפן",
            "<b>",
        ] {
            assert_eq!(neutralise(name), name);
        }
    }

    #[test]
    fn a_name_of_a_thousand_letters_is_cut_but_a_host_is_not() {
        let long = "é".repeat(1000);
        assert_eq!(neutralise(&long).chars().count(), LONGEST + 1);
        assert!(neutralise(&long).ends_with("é…"));
        assert_eq!(visible(&long), long);
        assert_eq!(neutralise(&"é".repeat(LONGEST)), "é".repeat(LONGEST));
    }
}
