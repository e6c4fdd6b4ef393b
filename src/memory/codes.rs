//! What is remembered of codes, in memory.

use serde_json::json;

use super::{Memory, Outage};
use crate::ports::ledger::Row;
use crate::ports::{CodeRecord, Codes, Unavailable};

impl Codes for Memory {
    async fn remember(&self, record: &CodeRecord) -> Result<(), Unavailable> {
        self.count(|operations| operations.kv_puts += 1);
        let reached = self.reach(Outage::Kv)?;
        self.codes.borrow_mut().push(record.clone());
        reached.answer(())
    }

    async fn recall(&self, pk: u64) -> Result<Option<CodeRecord>, Unavailable> {
        let reached = self.reach(Outage::Kv)?;
        let codes = self.codes.borrow();
        reached.answer(codes.iter().find(|code| code.pk == pk).cloned())
    }

    async fn recent(&self) -> Result<Vec<Row>, Unavailable> {
        let reached = self.reach(Outage::Kv)?;
        let codes = self.codes.borrow();
        let known = codes.iter().map(|code| {
            let members = [
                ("pk", json!(code.pk)),
                ("client", json!(code.client)),
                ("username", json!(code.username)),
            ];
            Row::from_iter(members.map(|(name, value)| (name.to_owned(), value)))
        });
        reached.answer(known.collect())
    }
}
