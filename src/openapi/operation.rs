//! One operation: a method at a path, what it is asked with and what it answers.

use serde_json::{Map, Value, json};

use super::shared;

/// An operation, and how it is described.
#[derive(Debug)]
pub(super) struct Operation {
    method: &'static str,
    path: String,
    object: Map<String, Value>,
    answers: Map<String, Value>,
}

/// Statuses that every administrator's operation may have: no right to it, or nothing that decides.
const ANY: [u16; 3] = [401, 403, 503];

impl Operation {
    /// An operation for administrators, by its tag and its name.
    pub(super) fn new(
        method: &'static str,
        path: &str,
        tag: &str,
        id: &str,
        summary: &str,
    ) -> Self {
        Self::open(method, path, tag, id, summary).refuses(&ANY)
    }

    /// An operation that anybody may ask for.
    pub(super) fn public(
        method: &'static str,
        path: &str,
        tag: &str,
        id: &str,
        summary: &str,
    ) -> Self {
        Self::open(method, path, tag, id, summary).security(json!([]))
    }

    /// Who may, where it is not as everywhere.
    pub(super) fn security(mut self, schemes: Value) -> Self {
        self.object.insert("security".to_owned(), schemes);
        self
    }

    fn open(method: &'static str, path: &str, tag: &str, id: &str, summary: &str) -> Self {
        let members = [
            ("tags", json!([tag])),
            ("operationId", json!(id)),
            ("summary", json!(summary)),
        ];
        Self {
            method,
            path: format!("/api/{path}"),
            object: Map::from_iter(members.map(|(name, value)| (name.to_owned(), value))),
            answers: Map::new(),
        }
    }

    /// More than a line about it.
    pub(super) fn about(mut self, text: &str) -> Self {
        self.object.insert("description".to_owned(), json!(text));
        self
    }

    /// What its path and its query have.
    pub(super) fn parameters(mut self, parameters: Vec<Value>) -> Self {
        self.object
            .insert("parameters".to_owned(), json!(parameters));
        self
    }

    /// The schema of the JSON in its body, an example of it, and whether there has to be one.
    pub(super) fn body(mut self, schema: Value, example: Value, required: bool) -> Self {
        let content = json!({ "application/json": { "schema": schema, "example": example } });
        let body = json!({ "required": required, "content": content });
        self.object.insert("requestBody".to_owned(), body);
        self.refuses(&[400, 413])
    }

    /// Its body is lines of JSON.
    pub(super) fn lines(mut self) -> Self {
        let content = json!({ "application/x-ndjson": { "schema": { "type": "string" } } });
        let body = json!({ "required": true, "content": content });
        self.object.insert("requestBody".to_owned(), body);
        self.refuses(&[400, 413])
    }

    /// It answers JSON of this schema.
    pub(super) fn answers(self, status: u16, what: &str, schema: Value) -> Self {
        self.leads(status, what, schema, json!({}))
    }

    /// Likewise, and what is answered leads on to other operations.
    pub(super) fn leads(self, status: u16, what: &str, schema: Value, links: Value) -> Self {
        let content = json!({ "application/json": { "schema": schema } });
        let answer = json!({ "description": what, "content": content });
        let leads = links.as_object().is_some_and(|links| !links.is_empty());
        let answer = if leads {
            shared::with(answer, "links", links)
        } else {
            answer
        };
        self.answer(status, answer)
    }

    /// It answers nothing, which says that it is done.
    pub(super) fn done(self, what: &str) -> Self {
        self.answer(204, json!({ "description": what }))
    }

    /// It answers so.
    pub(super) fn answer(mut self, status: u16, answer: Value) -> Self {
        let headers = answer.get("headers").cloned().unwrap_or(json!({}));
        let headers = shared::with(headers, "X-Request-Id", shared::header("RequestId"));
        let answer = shared::with(answer, "headers", headers);
        self.answers.insert(status.to_string(), answer);
        self
    }

    /// It may be refused with these.
    pub(super) fn refuses(mut self, statuses: &[u16]) -> Self {
        for status in statuses {
            self.answers
                .insert(status.to_string(), shared::refusal(*status));
        }
        self
    }

    /// Where it is, and what it is.
    pub(super) fn described(mut self) -> (String, &'static str, Value) {
        let answers = Value::Object(self.answers);
        self.object.insert("responses".to_owned(), answers);
        (self.path, self.method, Value::Object(self.object))
    }
}
