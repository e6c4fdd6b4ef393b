//! The rows of the directory's records in SQLite. By which rules they change is said in
//! `crate::directory`.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::outbox;
use super::sql::{Fault, Json, Sql};
use crate::directory::Collection;
use crate::directory::list::{ListQuery, Page};
use crate::directory::record::{Actor, Audited, Fields, Record};
use crate::directory::rows::{Index, Rows};
use crate::model::{ClientId, Moment, RequestId, RoleFacts, Shard, SubjectFacts};
use crate::ports::At;
use crate::ports::directory::{Event, KeptQuotas};
use crate::token::{Revocation, Snapshot};

/// The rows, inside the transaction that the caller has opened.
pub(super) struct Records<'a> {
    pub(super) sql: &'a Sql,
    pub(super) clock: Moment,
}

#[derive(Deserialize)]
struct Row {
    record: Json<Record>,
}

#[derive(Deserialize)]
struct Id {
    id: u64,
}

/// What a field is compared and ordered by, as `list::printed` prints it.
const PRINTED: &str = "coalesce(CAST(json_extract(record, '$.fields.' || ?) AS TEXT), '')";

impl Records<'_> {
    fn ids(&self, statement: &str, values: impl Serialize) -> Result<Vec<u64>, Fault> {
        let rows: Vec<Id> = self.sql.rows(statement, values)?;
        Ok(rows.into_iter().map(|row| row.id).collect())
    }

    fn forget(&self, collection: Collection, id: u64) -> Result<(), Fault> {
        for statement in [
            "DELETE FROM unique_values WHERE collection = ? AND id = ?",
            "DELETE FROM links WHERE collection = ? AND id = ?",
        ] {
            self.sql.write(statement, (collection, id))?;
        }
        Ok(())
    }
}

impl Rows for Records<'_> {
    type Fault = Fault;

    fn find(&self, collection: Collection, id: u64) -> Result<Option<Record>, Fault> {
        let row: Option<Row> = self.sql.row(
            "SELECT record FROM records WHERE collection = ? AND id = ?",
            (collection, id),
        )?;
        Ok(row.map(|row| row.record.0))
    }

    fn holder(
        &self,
        collection: Collection,
        field: &str,
        value: &str,
    ) -> Result<Option<u64>, Fault> {
        self.sql.number(
            "SELECT id AS number FROM unique_values WHERE collection = ? AND field = ? AND value = ?",
            (collection, field, value),
        )
    }

    fn after(&self, collection: Collection, id: u64, most: u64) -> Result<Vec<Record>, Fault> {
        let rows: Vec<Row> = self.sql.rows(
            "SELECT record FROM records WHERE collection = ? AND id > ? ORDER BY id LIMIT ?",
            (collection, id, most),
        )?;
        Ok(rows.into_iter().map(|row| row.record.0).collect())
    }

    fn count(&self, collection: Collection) -> Result<u64, Fault> {
        let count = self.sql.number(
            "SELECT count(*) AS number FROM records INDEXED BY records_in_order
             WHERE collection = ?",
            (collection,),
        )?;
        Ok(count.unwrap_or_default())
    }

    fn page(&self, collection: Collection, query: &ListQuery) -> Result<(u64, Vec<u64>), Fault> {
        let unique = |name| collection.field(name).is_some_and(|field| field.unique);
        let mut narrowed = String::new();
        let mut values = vec![json!(collection)];
        if !query.search.is_empty() {
            narrowed.push_str(" AND instr(words, ?) > 0");
            values.push(json!(query.search.to_ascii_lowercase()));
        }
        for (field, value) in &query.filters {
            if field.is_empty() {
                narrowed.push_str(" AND id = CAST(? AS INTEGER)");
            } else if unique(field) {
                narrowed.push_str(" AND id = (SELECT id FROM unique_values WHERE collection = ?1 AND field = ? AND value = ?)");
                values.push(json!(field));
            } else {
                narrowed.push_str(&format!(" AND {PRINTED} = ?"));
                values.push(json!(field));
            }
            values.push(json!(value));
        }
        let narrowing = values.clone();
        let (field, descending) = query.order();
        let direction = if descending { "DESC" } else { "ASC" };
        let mut from = "records";
        let by = if field.is_empty() {
            format!("ORDER BY id {direction}")
        } else {
            values.push(Value::from(field));
            if unique(field) {
                // In the order of an index: nothing is sorted, and what is behind the page not read.
                from = "unique_values CROSS JOIN records USING (collection, id)";
                format!("AND field = ? ORDER BY value {direction}")
            } else {
                format!("ORDER BY {PRINTED} {direction}, id {direction}")
            }
        };
        values.extend([json!(query.page_size), json!(query.offset())]);
        let page =
            format!("SELECT id FROM {from} WHERE collection = ?{narrowed} {by} LIMIT ? OFFSET ?");
        let ids = self.ids(&page, &values)?;
        let shown = u64::try_from(ids.len()).unwrap_or_default();
        let offset = query.offset();
        let count = if shown < query.page_size && (shown > 0 || offset == 0) {
            // The last page says how many there are.
            offset + shown
        } else if narrowed.is_empty() {
            self.count(collection)?
        } else {
            let count =
                format!("SELECT count(*) AS number FROM records WHERE collection = ?{narrowed}");
            self.sql.number(&count, &narrowing)?.unwrap_or_default()
        };
        Ok((count, ids))
    }

    fn holding(&self, collection: Collection, field: &str, token: &str) -> Result<Vec<u64>, Fault> {
        let statement = format!(
            "SELECT id FROM records
             WHERE collection = ? AND instr(' ' || {PRINTED} || ' ', ' ' || ? || ' ') > 0 ORDER BY id"
        );
        self.ids(&statement, (collection, field, token))
    }

    fn links_to(&self, target: (&str, u64), most: usize) -> Result<Vec<(Collection, u64)>, Fault> {
        #[derive(Deserialize)]
        struct Link {
            collection: Collection,
            id: u64,
        }
        let (to, id) = target;
        // SQLite counts in 64 bits with a sign.
        let most = u64::try_from(most).unwrap_or(u64::MAX).min(1 << 53);
        let links: Vec<Link> = self.sql.rows(
            "SELECT collection, id FROM links WHERE target = ? AND target_id = ? LIMIT ?",
            (to, id, most),
        )?;
        let mut links: Vec<_> = links
            .into_iter()
            .map(|link| (link.collection, link.id))
            .collect();
        links.sort_unstable();
        Ok(links)
    }

    fn next_number(&mut self, now: Moment) -> Result<u64, Fault> {
        self.sql
            .number(
                "INSERT INTO settings (name, value) VALUES ('last_number', ?1 + 1)
                 ON CONFLICT DO UPDATE SET value = max(value, ?1) + 1 RETURNING value AS number",
                (now,),
            )?
            .ok_or(Fault::Refused("the directory has no counter"))
    }

    fn next_shard(&mut self) -> Result<Shard, Fault> {
        let shard = self.sql.number(
            "UPDATE settings SET value = value + 1 WHERE name = 'accounts'
             RETURNING (value - 1) % (SELECT value FROM settings WHERE name = 'shards') AS number",
            (),
        )?;
        shard
            .and_then(|shard| u16::try_from(shard).ok())
            .map(Shard)
            .ok_or(Fault::Refused("the directory has no settings"))
    }

    fn shards(&self) -> Result<u16, Fault> {
        let shards = self.sql.number(
            "SELECT value AS number FROM settings WHERE name = 'shards'",
            (),
        )?;
        let shards = shards.and_then(|shards| u16::try_from(shards).ok());
        Ok(shards.unwrap_or_default())
    }

    fn put(&mut self, collection: Collection, record: &Record, index: &Index) -> Result<(), Fault> {
        self.sql.write(
            "INSERT INTO records (collection, id, record, words) VALUES (?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET record = excluded.record, words = excluded.words",
            (collection, record.id, Json(record), &index.words),
        )?;
        self.forget(collection, record.id)?;
        // The constraint has the last word about what is unique.
        for (field, value) in &index.unique {
            self.sql.write(
                "INSERT INTO unique_values (collection, field, value, id) VALUES (?, ?, ?, ?)",
                (collection, field, value, record.id),
            )?;
        }
        for (to, id) in &index.links {
            self.sql.write(
                "INSERT INTO links (target, target_id, collection, id) VALUES (?, ?, ?, ?)",
                (to, id, collection, record.id),
            )?;
        }
        Ok(())
    }

    fn erase(&mut self, collection: Collection, id: u64) -> Result<(), Fault> {
        self.forget(collection, id)?;
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

    fn audit_event(&mut self, event: &Event, actor: Actor, at: &At) -> Result<(), Fault> {
        // No record has changed: the line says who, and what there is to say.
        let line = json!({ "actor": actor, "before": null, "after": event.told() });
        self.sql.write(
            "INSERT INTO audit (time, request, collection, id, line) SELECT ?1, ?2, ?5, ?3, ?4
             WHERE NOT EXISTS (SELECT 1 FROM audit WHERE request = ?2 AND collection = ?5)",
            (
                self.clock,
                &at.request,
                event.number(),
                Json(&line),
                event.kind(),
            ),
        )?;
        Ok(())
    }

    fn audited(&self, collection: Collection, request: &RequestId) -> Result<Vec<Audited>, Fault> {
        #[derive(Deserialize)]
        struct Row {
            line: Json<Audited>,
        }
        let rows: Vec<Row> = self.sql.rows(
            "SELECT line FROM audit WHERE request = ? AND collection = ?",
            (request, collection),
        )?;
        Ok(rows.into_iter().map(|row| row.line.0).collect())
    }

    fn history(&self, query: &ListQuery) -> Result<Page, Fault> {
        #[derive(Deserialize)]
        struct Line {
            line: Json<Fields>,
        }
        let mut asked = "FROM audit WHERE true".to_owned();
        let mut values = Vec::new();
        for (field, value) in &query.filters {
            asked.push_str(match field.as_str() {
                "actor" => " AND line ->> '$.actor.name' = ?",
                "collection" => " AND collection = ?",
                "record" => " AND id = CAST(? AS INTEGER)",
                _ => " AND request = ?",
            });
            values.push(json!(value));
        }
        let count = format!("SELECT count(*) AS number {asked}");
        let count = self.sql.number(&count, &values)?.unwrap_or_default();
        values.extend([json!(query.page_size), json!(query.offset())]);
        let page = format!(
            "SELECT json_object('pk', number, 'time', time, 'request', request,
                'collection', collection, 'record', id, 'actor', line ->> '$.actor.name',
                'address', line ->> '$.actor.address', 'before', line -> '$.before',
                'after', line -> '$.after') AS line
             {asked} ORDER BY number DESC LIMIT ? OFFSET ?"
        );
        let lines: Vec<Line> = self.sql.rows(&page, &values)?;
        Ok(Page {
            count,
            results: lines.into_iter().map(|row| row.line.0).collect(),
        })
    }

    fn tell_subject(&mut self, facts: &SubjectFacts) -> Result<(), Fault> {
        outbox::tell_shard(self.sql, self.clock, facts)
    }

    fn tell_roles(&mut self, roles: Vec<RoleFacts>) -> Result<(), Fault> {
        outbox::tell_roles(self.sql, self.clock, &roles, self.shards()?)
    }

    fn tell_no_scope(&mut self, scope: &str) -> Result<(), Fault> {
        outbox::tell_no_scope(self.sql, self.clock, scope, self.shards()?)
    }

    fn revoke(&mut self, line: Revocation) -> Result<(), Fault> {
        outbox::revoke(self.sql, self.clock, &[line])
    }

    fn quotas(&self) -> Result<KeptQuotas, Fault> {
        super::directory::quotas(self.sql)
    }

    fn changed_quotas(&self, request: &RequestId) -> Result<bool, Fault> {
        let line = self.sql.number(
            "SELECT number FROM audit WHERE request = ? AND collection = 'quotas'",
            (request,),
        )?;
        Ok(line.is_some())
    }

    fn put_quotas(
        &mut self,
        before: &KeptQuotas,
        after: &KeptQuotas,
        actor: Actor,
        at: &At,
    ) -> Result<(), Fault> {
        self.sql.write(
            "INSERT INTO settings (name, value) VALUES ('quota_overrides', ?)
             ON CONFLICT DO UPDATE SET value = excluded.value",
            (Json(after),),
        )?;
        let line = json!({
            "actor": actor,
            "before": before.overrides,
            "after": after.overrides,
        });
        self.sql.write(
            "INSERT INTO audit (time, request, collection, id, line) VALUES (?, ?, 'quotas', ?, ?)",
            (self.clock, &at.request, after.version, Json(line)),
        )?;
        super::directory::publish(self.sql, Snapshot::QUOTAS, after.version)
    }

    fn publish_client(&mut self, client: &ClientId, version: u64) -> Result<(), Fault> {
        super::directory::publish(self.sql, &Snapshot::client(client), version)
    }
}
