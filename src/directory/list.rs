//! Lists of records: a part of a collection, in an order.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::records::{Fields, Record, Rows, view};
use super::schema::Collection;

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
    /// Fields and the values that they have to have.
    pub filters: Vec<(String, String)>,
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
pub fn list<R: Rows>(
    rows: &R,
    collection: Collection,
    query: &ListQuery,
) -> Result<Page, R::Fault> {
    let search = query.search.to_ascii_lowercase();
    let printed = |record: &Record, field: &str| match record.fields.get(field) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None if field == "id" => record.id.to_string(),
        None => String::new(),
    };
    let mut found: Vec<Record> = rows
        .all(collection)?
        .into_iter()
        .filter(|record| {
            let mut texts = record.fields.values().filter_map(Value::as_str);
            search.is_empty() || texts.any(|text| text.to_ascii_lowercase().contains(&search))
        })
        .filter(|record| {
            let fits = |(field, value): &(String, String)| printed(record, field) == *value;
            query.filters.iter().all(fits)
        })
        .collect();
    let (field, descending) = match query.ordering.strip_prefix('-') {
        Some(field) => (field, true),
        None => (query.ordering.as_str(), false),
    };
    if !field.is_empty() && field != "id" {
        found.sort_by_key(|record| printed(record, field));
    }
    if descending {
        found.reverse();
    }
    let count = u64::try_from(found.len()).unwrap_or(u64::MAX);
    let first = query.page.saturating_sub(1).saturating_mul(query.page_size);
    let skip = usize::try_from(first).unwrap_or(usize::MAX);
    let take = usize::try_from(query.page_size).unwrap_or(usize::MAX);
    let scopes = rows.all(Collection::Scopes)?;
    let shown = found.iter().skip(skip).take(take);
    let results = shown.map(|record| view(&scopes, record)).collect();
    Ok(Page { count, results })
}
