//! The rows of the directory's records in SQLite. By which rules they change is said in
//! `crate::directory::records`.

use serde::Deserialize;

use super::directory::publish_client;
use super::outbox;
use super::sql::{Fault, Json, Sql};
use crate::directory::Collection;
use crate::directory::records::{Audited, Record, Rows};
use crate::model::{Client, Moment, RequestId, RoleFacts, SubjectFacts};
use crate::token::Revocation;

/// Accounts or clients that are changed in one statement: some hundred kilobytes.
const MOST_AT_ONCE: u32 = 500;

/// The rows, inside the transaction that the caller has opened.
pub(super) struct Records<'a> {
    pub(super) sql: &'a Sql,
    pub(super) clock: Moment,
}

#[derive(Deserialize)]
struct Row {
    record: Json<Record>,
}

impl Records<'_> {
    pub(super) fn find(&self, collection: Collection, id: u64) -> Result<Option<Record>, Fault> {
        let row: Option<Row> = self.sql.row(
            "SELECT record FROM records WHERE collection = ? AND id = ?",
            (collection, id),
        )?;
        Ok(row.map(|row| row.record.0))
    }

    fn shards(&self) -> Result<u16, Fault> {
        #[derive(Deserialize)]
        struct Row {
            value: u16,
        }
        let row: Option<Row> = self
            .sql
            .row("SELECT value FROM settings WHERE name = 'shards'", ())?;
        Ok(row.map_or(0, |row| row.value))
    }
}

impl Rows for Records<'_> {
    type Fault = Fault;

    fn all(&self, collection: Collection) -> Result<Vec<Record>, Fault> {
        let rows: Vec<Row> = self.sql.rows(
            "SELECT record FROM records WHERE collection = ? ORDER BY id",
            (collection,),
        )?;
        Ok(rows.into_iter().map(|row| row.record.0).collect())
    }

    fn next_number(&mut self, now: Moment) -> Result<u64, Fault> {
        #[derive(Deserialize)]
        struct Row {
            value: u64,
        }
        let row: Option<Row> = self.sql.row(
            "INSERT INTO settings (name, value) VALUES ('last_number', ?1 + 1)
             ON CONFLICT DO UPDATE SET value = max(value, ?1) + 1 RETURNING value",
            (now,),
        )?;
        row.map(|row| row.value)
            .ok_or(Fault::Refused("the directory has no counter"))
    }

    fn put(&mut self, collection: Collection, record: &Record) -> Result<(), Fault> {
        self.sql.write(
            "INSERT INTO records (collection, id, record) VALUES (?, ?, ?)
             ON CONFLICT DO UPDATE SET record = excluded.record",
            (collection, record.id, Json(record)),
        )?;
        self.forget_values(collection, record.id)?;
        // The constraint has the last word about what is unique.
        for field in collection.fields() {
            if let Some(value) = record.fields.get(field.name)
                && field.unique
            {
                self.sql.write(
                    "INSERT INTO unique_values (collection, field, value, id) VALUES (?, ?, ?, ?)",
                    (collection, field.name, value, record.id),
                )?;
            }
        }
        Ok(())
    }

    fn erase(&mut self, collection: Collection, id: u64) -> Result<(), Fault> {
        self.forget_values(collection, id)?;
        self.sql.write(
            "DELETE FROM records WHERE collection = ? AND id = ?",
            (collection, id),
        )?;
        Ok(())
    }

    fn audit(&mut self, line: Audited) -> Result<(), Fault> {
        self.sql.write(
            "INSERT INTO audit (time, request, collection, id, line) VALUES (?, ?, ?, ?, ?)",
            (
                self.clock,
                &line.request,
                line.collection,
                line.id,
                Json(&line),
            ),
        )?;
        Ok(())
    }

    fn audited(
        &self,
        collection: Collection,
        id: u64,
        request: &RequestId,
    ) -> Result<Option<Audited>, Fault> {
        #[derive(Deserialize)]
        struct Row {
            line: Json<Audited>,
        }
        let row: Option<Row> = self.sql.row(
            "SELECT line FROM audit WHERE collection = ? AND id = ? AND request = ?",
            (collection, id, request),
        )?;
        Ok(row.map(|row| row.line.0))
    }

    fn strip(&mut self, scope: &str) -> Result<(), Fault> {
        #[derive(Deserialize)]
        struct AccountRow {
            facts: Json<SubjectFacts>,
        }
        #[derive(Deserialize)]
        struct ClientRow {
            state: Json<Client>,
        }
        loop {
            let rows: Vec<AccountRow> = self.sql.rows(
                "SELECT facts FROM accounts
                 WHERE instr(' ' || json_extract(facts, '$.scope') || ' ', ' ' || ? || ' ') > 0
                 LIMIT ?",
                (scope, MOST_AT_ONCE),
            )?;
            if rows.is_empty() {
                break;
            }
            for row in rows {
                let mut facts = row.facts.0;
                facts.strip(scope);
                self.sql.write(
                    "UPDATE accounts SET facts = ? WHERE subject = ?",
                    (Json(&facts), &facts.subject),
                )?;
                outbox::tell_shard(self.sql, self.clock, &facts)?;
            }
        }
        loop {
            let rows: Vec<ClientRow> = self.sql.rows(
                "SELECT state FROM clients
                 WHERE instr(' ' || json_extract(state, '$.scope') || ' ', ' ' || ? || ' ') > 0
                 LIMIT ?",
                (scope, MOST_AT_ONCE),
            )?;
            if rows.is_empty() {
                return Ok(());
            }
            for row in rows {
                let mut client = row.state.0;
                client.strip(scope);
                self.sql.write(
                    "UPDATE clients SET version = ?, state = ? WHERE client = ?",
                    (client.version, Json(&client), &client.id),
                )?;
                publish_client(self.sql, &client)?;
                let outdated = Revocation::ClientVersion(client.id, client.version);
                self.revoke(outdated)?;
            }
        }
    }

    fn tell_roles(&mut self, roles: Vec<RoleFacts>) -> Result<(), Fault> {
        outbox::tell_roles(self.sql, self.clock, &roles, self.shards()?)
    }

    fn revoke(&mut self, line: Revocation) -> Result<(), Fault> {
        outbox::revoke(self.sql, self.clock, &[line])
    }
}

impl Records<'_> {
    fn forget_values(&self, collection: Collection, id: u64) -> Result<(), Fault> {
        self.sql.write(
            "DELETE FROM unique_values WHERE collection = ? AND id = ?",
            (collection, id),
        )?;
        Ok(())
    }
}
