//! Subjects and roles of a shard, as the directory told them.

use serde::Deserialize;

use super::ledger::Shard;
use super::sql::{Fault, Flag, Json};
use crate::model::{RoleFacts, Scope, Subject, SubjectFacts};
use crate::ports::At;
use crate::token::Revocation;

#[derive(Deserialize)]
struct FactsRow {
    facts: Json<SubjectFacts>,
}

impl Shard<'_> {
    pub(super) fn subject(&self, subject: &Subject) -> Result<Option<SubjectFacts>, Fault> {
        let row: Option<FactsRow> = self
            .sql
            .row("SELECT facts FROM subjects WHERE subject = ?", (subject,))?;
        Ok(row.map(|row| row.facts.0))
    }

    /// The subject, if it is active and still of this generation.
    pub(super) fn standing(
        &self,
        subject: &Subject,
        generation: u64,
    ) -> Result<Option<SubjectFacts>, Fault> {
        let facts = self.subject(subject)?;
        Ok(facts.filter(|facts| facts.active && facts.generation == generation))
    }

    pub(super) fn put_subject(&self, facts: &SubjectFacts, at: &At) -> Result<(), Fault> {
        let before = self.subject(&facts.subject)?;
        let effective = self.with_roles(facts.clone())?;
        let newer = self.sql.write(
            "INSERT INTO subjects (subject, version, generation, active, facts, direct)
             VALUES (?, ?, ?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET version = excluded.version,
                generation = excluded.generation, active = excluded.active,
                facts = excluded.facts, direct = excluded.direct
             WHERE version < excluded.version",
            (
                &facts.subject,
                facts.version,
                facts.generation,
                Flag(facts.active),
                Json(effective),
                &facts.scope,
            ),
        )?;
        let mut lines = Vec::new();
        if let Some(before) = before.filter(|_| newer) {
            if before.generation < facts.generation {
                lines.push(Revocation::Subject(facts.subject.clone(), facts.generation));
                let own = "session IN (SELECT session FROM sessions WHERE subject = ?)";
                self.depart(own, (&facts.subject,), at)?;
            }
            if before.groups != facts.groups {
                let changed = Revocation::SubjectVersion(facts.subject.clone(), facts.version);
                lines.push(changed);
            }
        }
        self.revoke(&lines)
    }

    /// The facts with what their roles give besides.
    fn with_roles(&self, facts: SubjectFacts) -> Result<SubjectFacts, Fault> {
        if facts.roles.is_empty() {
            return Ok(facts);
        }
        let known = self.roles()?;
        Ok(facts.with_roles(|role| known.iter().find(|facts| facts.role == role)))
    }

    fn roles(&self) -> Result<Vec<RoleFacts>, Fault> {
        self.sql
            .rows("SELECT role, version, generation, scope FROM roles", ())
    }

    pub(super) fn put_role(&self, role: &RoleFacts) -> Result<(), Fault> {
        #[derive(Deserialize)]
        struct Row {
            facts: Json<SubjectFacts>,
            direct: Option<Scope>,
        }
        let newer = self.sql.write(
            "INSERT INTO roles (role, version, generation, scope) VALUES (?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET version = excluded.version,
                generation = excluded.generation, scope = excluded.scope
             WHERE version < excluded.version",
            (&role.role, role.version, role.generation, &role.scope),
        )?;
        if !newer {
            return Ok(());
        }
        let held: Vec<Row> = self.sql.rows(
            "SELECT facts, direct FROM subjects
             WHERE EXISTS (SELECT 1 FROM json_each(facts, '$.roles') WHERE key = ?)",
            (&role.role,),
        )?;
        let known = self.roles()?;
        for row in held {
            let facts = row.facts.0;
            let scope = row.direct.unwrap_or_else(|| facts.scope.clone());
            let facts = SubjectFacts { scope, ..facts };
            let facts = facts.with_roles(|role| known.iter().find(|facts| facts.role == role));
            self.sql.write(
                "UPDATE subjects SET facts = ? WHERE subject = ?",
                (Json(&facts), &facts.subject),
            )?;
        }
        Ok(())
    }
}
