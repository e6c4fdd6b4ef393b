//! What operations share: how they refuse, which headers they have, who may ask.

use serde_json::{Map, Value, json};

/// The names of what proves who asks: a token, or a session and what only our own pages can say.
pub(super) const BEARER: &str = "bearer";
pub(super) const SESSION: &str = "session";
pub(super) const CSRF: &str = "csrf";

/// Every status of a refusal: its name among the responses, and when it is given.
const REFUSALS: [(u16, &str, &str); 9] = [
    (
        400,
        "BadRequest",
        "The body is not one JSON object, or a field or a parameter does not fit: every one that does \
         not is named.",
    ),
    (
        401,
        "Unauthorized",
        "No token, or one that is unknown, expired, revoked or for others.",
    ),
    (
        403,
        "Forbidden",
        "The token lacks the scope, the session comes without its `X-CSRF-Token` or from elsewhere, or the \
         record belongs to the system.",
    ),
    (404, "NotFound", "There is no such record, or no such page."),
    (
        409,
        "Conflict",
        "Another record has that value, there are as many as there may be, or nobody would administer \
         any more.",
    ),
    (413, "ContentTooLarge", "The body has more than 64 KiB."),
    (
        422,
        "UnprocessableContent",
        "Something in the body, the query or the path does not fit: `errors` says where.",
    ),
    (
        429,
        "TooManyRequests",
        "So often is enough for now: `Retry-After` says when it works again.",
    ),
    (
        503,
        "ServiceUnavailable",
        "Something that decides did not answer. It is no verdict: ask again.",
    ),
];

/// A reference to a schema.
pub(super) fn schema(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// A reference to a header.
pub(super) fn header(name: &str) -> Value {
    json!({ "$ref": format!("#/components/headers/{name}") })
}

/// A reference to how it is refused with this status.
pub(super) fn refusal(status: u16) -> Value {
    let name = REFUSALS.iter().find(|(known, _, _)| *known == status);
    let name = name.map_or("", |(_, name, _)| name);
    json!({ "$ref": format!("#/components/responses/{name}") })
}

/// A value with one more member, or another value of it.
pub(super) fn with(mut value: Value, name: &str, member: impl Into<Value>) -> Value {
    if let Value::Object(members) = &mut value {
        members.insert(name.to_owned(), member.into());
    }
    value
}

/// A list of these.
pub(super) fn list(items: Value) -> Value {
    json!({ "type": "array", "items": items })
}

/// An object with these members and perhaps others, as answers are described.
pub(super) fn object(required: &[&str], properties: Value) -> Value {
    json!({ "type": "object", "required": required, "properties": properties })
}

/// An object with these members and no others, as requests are described.
pub(super) fn closed(required: &[&str], properties: Value) -> Value {
    with(object(required, properties), "additionalProperties", false)
}

/// A parameter of a path.
pub(super) fn in_path(name: &str, about: &str, schema: Value) -> Value {
    json!({ "name": name, "in": "path", "required": true, "description": about, "schema": schema })
}

/// A parameter of a query.
pub(super) fn in_query(name: &str, about: &str, schema: Value) -> Value {
    json!({ "name": name, "in": "query", "description": about, "schema": schema })
}

/// The parameters of a list of what has these fields: each with its own, and what it is ordered by.
pub(super) fn of_list(fields: &[(&str, Value)]) -> Vec<Value> {
    let orders = fields
        .iter()
        .flat_map(|(name, _)| [(*name).to_owned(), format!("-{name}")]);
    let orders: Vec<String> = orders.collect();
    let mut parameters = pages(fields);
    let search = in_query(
        "search",
        "what a text field has somewhere; letters of ASCII in any case",
        json!({ "type": "string" }),
    );
    parameters.splice(2..2, [ordering(&orders), search]);
    parameters
}

/// What a list is ordered by.
pub(super) fn ordering(orders: &[String]) -> Value {
    in_query(
        "ordering",
        "the field that orders them, after `-` from its end",
        json!({ "type": "string", "enum": orders }),
    )
}

/// The parameters of a list that comes in one order, narrowed by these.
pub(super) fn pages(filters: &[(&str, Value)]) -> Vec<Value> {
    let number = |default: u64| json!({ "type": "integer", "minimum": 1, "default": default });
    let mut parameters = vec![
        in_query("page", "which page", number(1)),
        in_query(
            "page_size",
            "records of a page; more than 100 are taken for 100",
            number(crate::api::records::PAGE_SIZE),
        ),
    ];
    for (name, schema) in filters {
        parameters.push(in_query(
            name,
            "only those that have this value",
            schema.clone(),
        ));
    }
    parameters
}

/// A page of these.
pub(super) fn page(of: &str) -> Value {
    object(
        &["pagination", "results"],
        json!({ "pagination": schema("Pagination"), "results": list(schema(of)) }),
    )
}

pub(super) fn schemas() -> Map<String, Value> {
    let number = |about: &str| json!({ "type": "integer", "minimum": 0, "description": about });
    let pagination = [
        ("next", "the page after this one; 0 if it is the last"),
        ("previous", "the page before this one; 0 if it is the first"),
        ("count", "records on all pages"),
        ("current", "this page"),
        ("total_pages", "how many pages there are, at least one"),
        (
            "start_index",
            "the first record of this page, from 1; 0 without any",
        ),
        ("end_index", "the last record of this page"),
    ];
    let pagination_names = pagination.map(|(name, _)| name);
    let pagination: Map<String, Value> = pagination
        .into_iter()
        .map(|(name, about)| (name.to_owned(), number(about)))
        .collect();
    let text = |about: &str| json!({ "type": "string", "description": about });
    let unfit = object(
        &["loc", "msg", "type"],
        json!({
            "loc": { "type": "array", "items": { "type": "string" }, "description": "where it is" },
            "msg": text("what it would have to be"),
            "type": text("what kind of mistake it is"),
        }),
    );
    let problem = object(
        &["type", "title", "status", "detail", "code"],
        json!({
            "type": { "type": "string", "format": "uri-reference", "description": "`about:blank`: `code` says which" },
            "title": text("the status in words"),
            "status": { "type": "integer", "minimum": 400, "maximum": 599 },
            "detail": text("a sentence for people"),
            "code": text("which problem it is; it does not change"),
            "errors": { "type": "array", "items": unfit, "description": "every field that does not fit" },
            "non_field_errors": { "type": "array", "items": { "type": "string" } },
        }),
    );
    let broken = json!({
        "type": "array",
        "items": { "type": "string" },
        "description": "the rules that the field of this name breaks",
    });
    let problem = with(problem, "additionalProperties", broken);
    let problem = with(problem, "description", "RFC 9457");
    let uses = object(
        &["app", "model_name", "pk", "name", "action"],
        json!({
            "app": text("`edgemint`"),
            "model_name": text("what kind of record it is"),
            "pk": { "type": ["string", "null"], "description": "what names it" },
            "name": { "type": ["string", "null"], "description": "what people call it" },
            "action": text("what becomes of the reference when the record is deleted"),
        }),
    );
    Map::from_iter([
        (
            "Pagination".to_owned(),
            object(&pagination_names, Value::Object(pagination)),
        ),
        ("Problem".to_owned(), problem),
        ("UsedBy".to_owned(), uses),
    ])
}

pub(super) fn responses() -> Map<String, Value> {
    let response = |(status, name, about): &(u16, &str, &str)| {
        let headers = json!({ "X-Request-Id": header("RequestId") });
        let headers = match status {
            401 => with(headers, "WWW-Authenticate", header("Challenge")),
            429 | 503 => with(headers, "Retry-After", header("RetryAfter")),
            _ => headers,
        };
        let content = json!({ "application/problem+json": { "schema": schema("Problem") } });
        let response = json!({ "description": about, "headers": headers, "content": content });
        ((*name).to_owned(), response)
    };
    REFUSALS.iter().map(response).collect()
}

pub(super) fn headers() -> Value {
    let text = json!({ "type": "string" });
    json!({
        "RequestId": {
            "description": "names the request in the log",
            "required": true,
            "schema": { "type": "string", "format": "uuid" },
        },
        "Location": {
            "description": "where the new record is",
            "required": true,
            "schema": { "type": "string", "format": "uri" },
        },
        "Challenge": {
            "description": "RFC 6750 §3",
            "required": true,
            "schema": text,
        },
        "Link": {
            "description": "RFC 8288: `first`, and where there is one `next` and `prev`",
            "schema": text,
        },
        "TotalCount": {
            "description": "lines that fit, wherever one begins",
            "schema": { "type": "integer", "minimum": 0 },
        },
        "RetryAfter": {
            "description": "seconds after which asking again makes sense",
            "required": true,
            "schema": { "type": "integer", "minimum": 1 },
        },
    })
}

pub(super) fn security_schemes() -> Value {
    json!({
        BEARER: {
            "type": "http",
            "scheme": "bearer",
            "description": "The bootstrap token, or an access token with the scope `admin:token` and the \
                audience `ISSUER/api/v1`.",
        },
        SESSION: {
            "type": "apiKey",
            "in": "cookie",
            "name": "__Host-edgemint-session",
            "description": "The browser's session, for pages of the issuer's own origin; its person has to \
                hold the same scope.",
        },
        CSRF: {
            "type": "apiKey",
            "in": "header",
            "name": "X-CSRF-Token",
            "description": "Beside the session, for whatever is not a GET: the `csrf` of `/api/v1/login`.",
        },
    })
}
