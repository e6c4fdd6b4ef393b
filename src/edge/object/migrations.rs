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

/// Brings the tables to the newest number. Tables of a newer release are left as they are.
pub(super) fn migrate(sql: &Sql, migrations: Migrations) -> Result<(), Fault> {
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
        return Ok(());
    };
    for statement in missing.iter().copied().flatten() {
        sql.write(statement, ())?;
    }
    sql.write("DELETE FROM schema", ())?;
    sql.write(
        "INSERT INTO schema (version) VALUES (?)",
        (migrations.len(),),
    )?;
    Ok(())
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
        assert_eq!(lengths(LEDGER), [2192, 213]);
        assert_eq!(lengths(DIRECTORY), [895, 778]);
        assert_eq!(lengths(FEED), [376]);
    }
}
