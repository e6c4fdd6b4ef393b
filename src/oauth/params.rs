//! Parameters of a query or a form body: known names only, each at most once.

use std::borrow::Cow;

use crate::error::Reason;
use crate::model::Scope;

/// What was sent, as far as the endpoint knows the names.
#[derive(Debug, Default)]
pub struct Params {
    values: Vec<(&'static str, String)>,
    repeated: Vec<&'static str>,
}

impl Params {
    /// Reads `application/x-www-form-urlencoded` text. Unknown names are ignored, an empty value
    /// is an absent one (OAuth 2.1 §3.1).
    #[must_use]
    pub fn parse(text: &str, known: &[&'static str]) -> Self {
        let mut params = Self::default();
        for pair in text.split('&') {
            let bytes = pair.as_bytes();
            // A token needs no decoding, which costs a tenth of an introspection.
            if !bytes.contains(&b'%') && !bytes.contains(&b'+') {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                params.take(known, name, value.into());
                continue;
            }
            for (name, value) in form_urlencoded::parse(bytes) {
                params.take(known, &name, value);
            }
        }
        params
    }

    fn take(&mut self, known: &[&'static str], name: &str, value: Cow<'_, str>) {
        let Some(name) = known.iter().copied().find(|known| *known == name) else {
            return;
        };
        if self.values.iter().any(|(seen, _)| *seen == name) {
            self.repeated.push(name);
        } else {
            self.values.push((name, value.into_owned()));
        }
    }

    /// The value, if there is one.
    ///
    /// # Errors
    /// [`Reason::RepeatedParameter`], and [`Reason::MalformedParameter`] for control characters
    /// and for bytes that are not UTF-8: nobody could send those back unchanged.
    pub fn optional(&self, name: &'static str) -> Result<Option<&str>, Reason> {
        if self.repeated.contains(&name) {
            return Err(Reason::RepeatedParameter(name));
        }
        let found = self.values.iter().find(|(known, _)| *known == name);
        let Some(value) = found
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
        else {
            return Ok(None);
        };
        let plain = value.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        let odd = |letter: char| letter.is_control() || letter == '\u{FFFD}';
        if !plain && value.chars().any(odd) {
            return Err(Reason::MalformedParameter(name));
        }
        Ok(Some(value))
    }

    /// The value, no longer than `longest` bytes.
    ///
    /// # Errors
    /// As [`Params::optional`], and [`Reason::MalformedParameter`] when it is longer.
    pub fn within(&self, name: &'static str, longest: usize) -> Result<Option<&str>, Reason> {
        match self.optional(name)? {
            Some(value) if value.len() > longest => Err(Reason::MalformedParameter(name)),
            value => Ok(value),
        }
    }

    /// The value, which must be there.
    ///
    /// # Errors
    /// As [`Params::optional`], and [`Reason::MissingParameter`].
    pub fn required(&self, name: &'static str) -> Result<&str, Reason> {
        self.optional(name)?.ok_or(Reason::MissingParameter(name))
    }

    /// The scope that is asked for (RFC 6749 §3.3), if any is. Whether it may be, [`grantable`](super::grantable) says.
    ///
    /// # Errors
    /// As [`Params::optional`], and [`Reason::MalformedParameter`] for what is no list of scope tokens.
    pub fn scope(&self) -> Result<Option<Scope>, Reason> {
        let text = self.optional("scope")?;
        let read = text.map(Scope::parse).transpose();
        read.map_err(|_| Reason::MalformedParameter("scope"))
    }

    /// The value as it was typed: control characters included, for passwords.
    ///
    /// # Errors
    /// [`Reason::RepeatedParameter`].
    pub fn typed(&self, name: &'static str) -> Result<&str, Reason> {
        if self.repeated.contains(&name) {
            return Err(Reason::RepeatedParameter(name));
        }
        let found = self.values.iter().find(|(known, _)| *known == name);
        Ok(found.map_or("", |(_, value)| value.as_str()))
    }

    /// The first parameter that came twice, if any did.
    ///
    /// # Errors
    /// [`Reason::RepeatedParameter`].
    pub fn refuse_repeated(&self) -> Result<(), Reason> {
        match self.repeated.first() {
            Some(name) => Err(Reason::RepeatedParameter(name)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn az_2_unknown_is_ignored_repeated_is_refused_and_empty_is_absent() {
        let params = Params::parse("a=1&zzz=1&zzz=2&b=&c=1&c=1", &["a", "b", "c"]);
        assert_eq!(params.optional("a"), Ok(Some("1")));
        assert_eq!(params.optional("b"), Ok(None));
        assert_eq!(params.optional("c"), Err(Reason::RepeatedParameter("c")));
        assert_eq!(params.required("b"), Err(Reason::MissingParameter("b")));
        assert_eq!(
            params.refuse_repeated(),
            Err(Reason::RepeatedParameter("c"))
        );
    }

    #[test]
    fn what_needs_no_decoding_reads_as_what_does() {
        let known = ["a", "b", "é"];
        for text in [
            "a=1&b=2",
            "a",
            "a=",
            "=1",
            "&&a=1&",
            "a=b=c",
            "a=1&a=2",
            "a=1&%61=2",
            "é=è",
            "a=x+y&b=z",
            "b=%2B&a=1",
            "a=%&b=+",
            "",
        ] {
            let params = Params::parse(text, &known);
            let mut expected = Params::default();
            for (name, value) in form_urlencoded::parse(text.as_bytes()) {
                expected.take(&known, &name, value);
            }
            assert_eq!(params.values, expected.values, "{text}");
            assert_eq!(params.repeated, expected.repeated, "{text}");
        }
    }

    #[test]
    fn what_could_not_be_sent_back_unchanged_is_refused() {
        for text in ["a=%00", "a=%0d%0a", "a=%ff", "a=%7f"] {
            assert!(Params::parse(text, &["a"]).optional("a").is_err(), "{text}");
        }
        assert_eq!(
            Params::parse("a=%C3%A9+%2B", &["a"]).optional("a"),
            Ok(Some("é +"))
        );
    }
}
