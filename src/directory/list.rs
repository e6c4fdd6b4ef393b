//! Lists of records: a part of a collection, in an order.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::record::{Fields, Record};
use super::rows::{Answer, Rows};
use super::schema::Collection;
use super::view::view;

/// What part of a collection is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ListQuery {
    /// From 1.
    pub page: u64,
    /// Records of a page.
    pub page_size: u64,
    /// The field that orders them, `-` before it for descending; by id if empty.
    pub ordering: String,
    /// What a text field has somewhere; ASCII letters in any case.
    pub search: String,
    /// Fields and the values that they have to have, as [`printed`] prints them.
    pub filters: Vec<(String, String)>,
}

impl ListQuery {
    /// The field that orders, and whether from its end.
    #[must_use]
    pub fn order(&self) -> (&str, bool) {
        match self.ordering.strip_prefix('-') {
            Some(field) => (field, true),
            None => (&self.ordering, false),
        }
    }

    /// How many come before the page. No more than a number of JavaScript can say: behind so many
    /// there is nothing in any case.
    #[must_use]
    pub fn offset(&self) -> u64 {
        let before = self.page.saturating_sub(1).saturating_mul(self.page_size);
        before.min(1 << 53)
    }
}

/// A field as text, as it is compared and ordered by; the id, if no field is named.
#[must_use]
pub fn printed(record: &Record, field: &str) -> String {
    match record.fields.get(field) {
        None if field.is_empty() => record.id.to_string(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(flag)) => u8::from(*flag).to_string(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Records that fit the question, on all pages.
    pub count: u64,
    /// Those of this page.
    pub results: Vec<Fields>,
}

/// Lists a collection.
///
/// # Errors
/// Those of the rows.
pub fn list<R: Rows>(rows: &R, collection: Collection, query: &ListQuery) -> Answer<Page, R> {
    let (count, ids) = rows.page(collection.kept(), query)?;
    let mut results = Vec::new();
    for id in ids {
        if let Some(record) = rows.find(collection.kept(), id)? {
            results.push(view(rows, collection, &record)?);
        }
    }
    Ok(Page { count, results })
}

/// A page of what is all at hand; as it comes if the question names no order.
#[must_use]
pub fn page_of(mut all: Vec<Fields>, query: &ListQuery) -> Page {
    let printed = |fields: &Fields, name: &str| match fields.get(name) {
        Some(Value::String(text)) => text.clone(),
        other => other.map(Value::to_string).unwrap_or_default(),
    };
    let search = query.search.to_ascii_lowercase();
    all.retain(|fields| {
        let mut texts = fields.values().filter_map(Value::as_str);
        let found = texts.any(|text| text.to_ascii_lowercase().contains(&search));
        let fits = |(name, value): &(String, String)| printed(fields, name) == *value;
        (found || search.is_empty()) && query.filters.iter().all(fits)
    });
    let (name, descending) = query.order();
    if !name.is_empty() {
        all.sort_by_key(|fields| printed(fields, name));
    }
    if descending {
        all.reverse();
    }
    let count = u64::try_from(all.len()).unwrap_or(u64::MAX);
    let skip = usize::try_from(query.offset()).unwrap_or(usize::MAX);
    let take = usize::try_from(query.page_size).unwrap_or(usize::MAX);
    let results = all.into_iter().skip(skip).take(take).collect();
    Page { count, results }
}
