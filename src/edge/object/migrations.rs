//! The tables, by number. A number that was released is never edited: what changes is appended,
//! and only ever adds, because for a while old code runs on the new tables.

use serde::Deserialize;

use super::sql::{Fault, Sql};

/// The statements of each number, oldest first.
type Migrations = &'static [&'static [&'static str]];

/// A setting that every kind of object has a few of.
const SETTINGS: &str = "CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value
) WITHOUT ROWID";

/// What was decided and has not been told yet; see `outbox.rs`.
const OUTBOX: &str = "CREATE TABLE outbox (
    number INTEGER PRIMARY KEY,
    target TEXT NOT NULL,
    body TEXT NOT NULL
)";

/// One shard of the ledger.
pub(super) const LEDGER: Migrations = &[
    &[
        SETTINGS,
        OUTBOX,
        "INSERT INTO settings (name, value) VALUES ('last_sent', 0)",
        "CREATE TABLE subjects (
        subject TEXT PRIMARY KEY,
        version INTEGER NOT NULL,
        generation INTEGER NOT NULL,
        active INTEGER NOT NULL,
        facts TEXT NOT NULL
    ) WITHOUT ROWID",
        "CREATE TABLE sessions (
        session TEXT PRIMARY KEY,
        subject TEXT NOT NULL,
        subject_generation INTEGER NOT NULL,
        generation INTEGER NOT NULL,
        authentication TEXT NOT NULL,
        expires_at INTEGER NOT NULL,
        request TEXT NOT NULL
    ) WITHOUT ROWID",
        "CREATE INDEX sessions_by_expiry ON sessions (expires_at)",
        "CREATE TABLE grants (
        grant_id TEXT PRIMARY KEY,
        subject TEXT NOT NULL,
        subject_generation INTEGER NOT NULL,
        client TEXT NOT NULL,
        session TEXT NOT NULL,
        offline INTEGER NOT NULL,
        refreshable INTEGER NOT NULL,
        terms TEXT NOT NULL,
        expires_at INTEGER NOT NULL,
        opened_by TEXT NOT NULL,
        dead INTEGER NOT NULL DEFAULT 0,
        killed_by TEXT,
        generation INTEGER NOT NULL DEFAULT 0,
        advanced_at INTEGER NOT NULL,
        advanced_by TEXT,
        retries INTEGER NOT NULL DEFAULT 0,
        retried_by TEXT
    ) WITHOUT ROWID",
        "CREATE INDEX grants_by_subject ON grants (subject, client)",
        "CREATE INDEX grants_by_session ON grants (session) WHERE offline = 0",
        "CREATE INDEX grants_by_expiry ON grants (expires_at)",
        "CREATE TABLE consents (
        subject TEXT NOT NULL,
        client TEXT NOT NULL,
        scope TEXT NOT NULL,
        PRIMARY KEY (subject, client)
    ) WITHOUT ROWID",
        "CREATE TABLE spent (
        key TEXT PRIMARY KEY,
        request TEXT NOT NULL,
        expires_at INTEGER NOT NULL
    ) WITHOUT ROWID",
        "CREATE INDEX spent_by_expiry ON spent (expires_at)",
        "CREATE TABLE failures (
        key TEXT PRIMARY KEY,
        count INTEGER NOT NULL,
        window_ends INTEGER NOT NULL,
        request TEXT NOT NULL
    ) WITHOUT ROWID",
        "CREATE INDEX failures_by_expiry ON failures (window_ends)",
    ],
    &[
        "ALTER TABLE subjects ADD COLUMN direct TEXT",
        "CREATE TABLE roles (
        role TEXT PRIMARY KEY,
        version INTEGER NOT NULL,
        generation INTEGER NOT NULL,
        scope TEXT NOT NULL
    ) WITHOUT ROWID",
    ],
    &[
        "ALTER TABLE sessions ADD COLUMN created_at INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE sessions ADD COLUMN user_agent TEXT",
        "ALTER TABLE sessions ADD COLUMN address TEXT",
        "CREATE INDEX sessions_by_subject ON sessions (subject)",
        "ALTER TABLE grants ADD COLUMN created_at INTEGER NOT NULL DEFAULT 0",
    ],
    &["CREATE TABLE audit (
        number INTEGER PRIMARY KEY,
        time INTEGER NOT NULL,
        request TEXT NOT NULL,
        collection TEXT NOT NULL,
        record TEXT NOT NULL,
        line TEXT NOT NULL
    )"],
    &[
        "CREATE TABLE tokens (
        key TEXT PRIMARY KEY,
        owner TEXT NOT NULL,
        name TEXT,
        parent TEXT,
        session TEXT,
        grant_id TEXT,
        token TEXT,
        expires_at INTEGER,
        row TEXT NOT NULL
    ) WITHOUT ROWID",
        "CREATE UNIQUE INDEX tokens_by_name ON tokens (owner, name) WHERE name IS NOT NULL",
        "CREATE INDEX tokens_by_owner ON tokens (owner)",
        "CREATE INDEX tokens_by_parent ON tokens (parent) WHERE parent IS NOT NULL",
        "CREATE INDEX tokens_by_session ON tokens (session) WHERE session IS NOT NULL",
        "CREATE INDEX tokens_by_grant ON tokens (grant_id) WHERE grant_id IS NOT NULL",
        "CREATE INDEX tokens_by_token ON tokens (token) WHERE token IS NOT NULL",
        "CREATE INDEX tokens_by_expiry ON tokens (expires_at) WHERE expires_at IS NOT NULL",
        "CREATE TABLE token_history (
        number INTEGER PRIMARY KEY,
        time INTEGER NOT NULL,
        owner TEXT NOT NULL,
        bits TEXT,
        request TEXT,
        line TEXT NOT NULL
    )",
        "CREATE INDEX token_history_in_order ON token_history (time, number)",
        "CREATE INDEX token_history_by_owner ON token_history (owner, time, number)",
        "CREATE INDEX token_history_by_request ON token_history (request)",
    ],
    &[
        "CREATE TABLE devices (
        key TEXT PRIMARY KEY,
        grant_id TEXT NOT NULL,
        client TEXT NOT NULL,
        scope TEXT NOT NULL,
        expires_at INTEGER NOT NULL,
        begun_by TEXT NOT NULL,
        interval INTEGER NOT NULL,
        polled_at INTEGER,
        polled_by TEXT,
        slowed INTEGER NOT NULL DEFAULT 0,
        decided_by TEXT,
        approval TEXT
    ) WITHOUT ROWID",
        "CREATE INDEX devices_by_expiry ON devices (expires_at)",
    ],
    &[
        "CREATE TABLE participants (
        session TEXT NOT NULL,
        client TEXT NOT NULL,
        sub TEXT NOT NULL,
        PRIMARY KEY (session, client)
    ) WITHOUT ROWID",
        "CREATE TABLE notices (
        number INTEGER PRIMARY KEY,
        notice TEXT NOT NULL
    )",
    ],
];

/// The directory.
pub(super) const DIRECTORY: Migrations = &[
    &[
        SETTINGS,
        OUTBOX,
        "INSERT INTO settings (name, value) VALUES ('last_sent', 0), ('accounts', 0), ('shards', 0)",
        "CREATE TABLE accounts (
        subject TEXT PRIMARY KEY,
        username TEXT NOT NULL UNIQUE,
        facts TEXT NOT NULL,
        password_hash TEXT NOT NULL,
        created_by TEXT NOT NULL,
        changed_by TEXT
    ) WITHOUT ROWID",
        "CREATE TABLE clients (
        client TEXT PRIMARY KEY,
        version INTEGER NOT NULL,
        state TEXT NOT NULL,
        request TEXT NOT NULL
    ) WITHOUT ROWID",
        "CREATE TABLE key_set (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        state TEXT NOT NULL
    )",
        "CREATE TABLE publications (
        key TEXT PRIMARY KEY,
        version INTEGER NOT NULL
    ) WITHOUT ROWID",
    ],
    &[
        "CREATE TABLE records (
        collection TEXT NOT NULL,
        id INTEGER NOT NULL,
        record TEXT NOT NULL,
        PRIMARY KEY (collection, id)
    ) WITHOUT ROWID",
        "CREATE TABLE unique_values (
        collection TEXT NOT NULL,
        field TEXT NOT NULL,
        value TEXT NOT NULL,
        id INTEGER NOT NULL,
        PRIMARY KEY (collection, field, value)
    ) WITHOUT ROWID",
        "CREATE TABLE audit (
        number INTEGER PRIMARY KEY,
        time INTEGER NOT NULL,
        request TEXT NOT NULL,
        collection TEXT NOT NULL,
        id INTEGER NOT NULL,
        line TEXT NOT NULL
    )",
        "CREATE INDEX audit_by_record ON audit (collection, id)",
        "UPDATE outbox SET body = json_object('put_subject', json_object('facts', json(body)))
         WHERE target LIKE 'shard-%'",
    ],
    &[
        "ALTER TABLE records ADD COLUMN words TEXT NOT NULL DEFAULT ''",
        "CREATE INDEX records_in_order ON records (collection, id)",
        "CREATE TABLE links (
        target TEXT NOT NULL,
        target_id INTEGER NOT NULL,
        collection TEXT NOT NULL,
        id INTEGER NOT NULL,
        PRIMARY KEY (target, target_id, collection, id)
    ) WITHOUT ROWID",
        "CREATE INDEX links_of ON links (collection, id)",
        "CREATE INDEX audit_by_request ON audit (request)",
        // Accounts and clients become records like all others; `open` indexes what has no words.
        "INSERT INTO records (collection, id, record)
         SELECT 'users', number, json_object(
            'id', number, 'version', facts ->> '$.version', 'generation', facts ->> '$.generation',
            'fields', json_object(
                'username', username, 'name', '', 'path', 'users', 'type', 'internal',
                'is_active', json(iif(facts ->> '$.active', 'true', 'false')),
                'first_name', coalesce(facts ->> '$.profile.given_name', ''),
                'last_name', coalesce(facts ->> '$.profile.family_name', ''),
                'email', coalesce(facts ->> '$.profile.email', ''),
                'scopes', facts ->> '$.scope', 'groups', json('[]'), 'attributes', json('{}'),
                'roles', (SELECT json_group_array(CAST(key AS INTEGER)) FROM json_each(facts, '$.roles')),
                '_subject', subject, '_password', password_hash, '_shard', facts ->> '$.shard',
                '_updated_at', coalesce(facts ->> '$.profile.updated_at', 0)))
         FROM (SELECT *, row_number() OVER (ORDER BY subject) + coalesce(
            (SELECT value FROM settings WHERE name = 'last_number'), 0) AS number FROM accounts)",
        "INSERT INTO records (collection, id, record)
         SELECT 'providers', number, json_object(
            'id', number, 'version', version, 'generation', state ->> '$.generation',
            'fields', json_object(
                'name', state ->> '$.name', 'client_id', client, 'sub_mode', 'subject',
                'client_type', iif(state ->> '$.authentication' = 'none', 'public', 'confidential'),
                'token_endpoint_auth_method', iif(state ->> '$.authentication' = 'none',
                    'client_secret_basic', state ->> '$.authentication'),
                'enabled', json(iif(state ->> '$.enabled', 'true', 'false')),
                'client_uri', coalesce(state ->> '$.client_uri', ''),
                '_secrets', (SELECT json_group_array(json_object('digest', value))
                    FROM json_each(state, '$.secrets')),
                'redirect_uris', coalesce((SELECT group_concat(value, char(10))
                    FROM json_each(state, '$.redirect_uris')), ''),
                'post_logout_redirect_uris', coalesce((SELECT group_concat(value, char(10))
                    FROM json_each(state, '$.post_logout_redirect_uris')), ''),
                'grant_types', json(state -> '$.grant_types'), 'response_types', json('[\"code\"]'),
                'scope', state ->> '$.scope',
                'default_resource', coalesce(state ->> '$.default_resource', ''),
                'resources', json(coalesce(state -> '$.resources', '[]')),
                'serves', json(coalesce(state -> '$.serves', '[]')),
                'access_token_format', coalesce(state ->> '$.access_token_format', 'sealed'),
                'access_code_validity', 'minutes=1', 'refresh_token_validity', 'days=14',
                'access_token_validity', 'seconds=' || (state ->> '$.access_token_lifetime'),
                'id_token_signed_response_alg', state ->> '$.signing',
                'include_claims_in_id_token', json('true'), 'issuer_mode', 'global',
                '_implicit_consent', json(iif(state ->> '$.implicit_consent', 'true', 'false')),
                'self_registered', json(iif(state ->> '$.self_registered', 'true', 'false')),
                'danger_allow_management_scopes', json(
                    iif(state ->> '$.danger_allow_management_scopes', 'true', 'false')),
                'description', '', 'property_mappings', json('[]'), 'jwks_sources', json('[]')))
         FROM (SELECT *, row_number() OVER (ORDER BY client) + coalesce(
            (SELECT max(id) FROM records), 0) AS number FROM clients)",
        "INSERT INTO settings (name, value) SELECT 'last_number', coalesce(max(id), 0) FROM records
         WHERE true ON CONFLICT DO UPDATE SET value = max(value, excluded.value)",
        "DELETE FROM accounts",
        "DELETE FROM clients",
    ],
    &[
        "INSERT OR IGNORE INTO unique_values (collection, field, value, id)
         SELECT collection, 'acts_as', 'bot-' || replace(
            lower(json_extract(record, '$.fields.client_id')), '~', '.'), id
         FROM records WHERE collection = 'providers' ORDER BY id",
    ],
];

/// The feed.
pub(super) const FEED: Migrations = &[&[
    SETTINGS,
    "INSERT INTO settings (name, value) VALUES ('epoch', 1), ('low', 0)",
    "CREATE TABLE entries (
        number INTEGER PRIMARY KEY,
        entry TEXT NOT NULL,
        expires_at INTEGER NOT NULL
    )",
    "CREATE TABLE sources (
        source TEXT PRIMARY KEY,
        last INTEGER NOT NULL
    ) WITHOUT ROWID",
]];

/// The courier.
pub(super) const COURIER: Migrations = &[
    &["CREATE TABLE key_sets (
        url TEXT PRIMARY KEY,
        known TEXT NOT NULL,
        tried_at INTEGER NOT NULL
    ) WITHOUT ROWID"],
    &[
        "CREATE TABLE logouts (
        source TEXT NOT NULL,
        number INTEGER NOT NULL,
        client TEXT NOT NULL,
        waiting TEXT NOT NULL,
        due INTEGER NOT NULL,
        PRIMARY KEY (source, number)
    ) WITHOUT ROWID",
        "CREATE INDEX logouts_by_due ON logouts (due)",
        "CREATE TABLE sources (
        source TEXT PRIMARY KEY,
        last INTEGER NOT NULL
    ) WITHOUT ROWID",
    ],
    &["CREATE INDEX logouts_by_client ON logouts (client, due)"],
];

/// Brings the tables to the newest number; answers whether they were not. Tables of a newer release
/// are left as they are.
pub(super) fn migrate(sql: &Sql, migrations: Migrations) -> Result<bool, Fault> {
    #[derive(Deserialize)]
    struct Row {
        version: usize,
    }
    sql.write(
        "CREATE TABLE IF NOT EXISTS schema (version INTEGER NOT NULL)",
        (),
    )?;
    let row: Option<Row> = sql.row("SELECT version FROM schema", ())?;
    let version = row.map_or(0, |row| row.version);
    let Some(missing) = migrations
        .get(version..)
        .filter(|missing| !missing.is_empty())
    else {
        return Ok(false);
    };
    for statement in missing.iter().copied().flatten() {
        sql.write(statement, ())?;
    }
    sql.write("DELETE FROM schema", ())?;
    sql.write(
        "INSERT INTO schema (version) VALUES (?)",
        (migrations.len(),),
    )?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_released_migration_is_never_edited() {
        // How many bytes each number has. Append to these lists; never change what is there.
        let lengths = |migrations: Migrations| -> Vec<usize> {
            migrations
                .iter()
                .map(|each| each.iter().map(|text| text.len()).sum())
                .collect()
        };
        assert_eq!(lengths(LEDGER), [2192, 213, 281, 215, 1165, 462, 266]);
        assert_eq!(lengths(DIRECTORY), [895, 778, 4367, 266]);
        assert_eq!(lengths(FEED), [376]);
        assert_eq!(lengths(COURIER), [136, 382, 55]);
    }
}
