//! What an isolate keeps and reads again when the feed has outdated it, in memory.

use std::rc::Rc;

use super::{Memory, REVOCATION_MAX_AGE};
use crate::model::{Client, ClientId, Quotas, Shard, Subject, SubjectFacts};
use crate::ports::directory::{FindClient, ReadQuotas};
use crate::ports::ledger::{ReadSubject, Session};
use crate::ports::tokens::KnownToken;
use crate::ports::{
    At, Clients, Directory as _, Feed as _, Ledger as _, Limits, OLDEST_ROW, Sessions, Tokens,
    Unavailable,
};
use crate::token::SessionHandle;

impl Clients for Memory {
    async fn client(&self, id: &ClientId, at: &At) -> Result<Option<Rc<Client>>, Unavailable> {
        // Without the feed nothing tells an old copy from a new one; then only the directory does.
        if let Ok(feed) = self.revocations(at).await {
            let newest = feed.client_version(id);
            let copy = self.clients.borrow().get(id).cloned();
            if let Some(copy) = copy.filter(|copy| copy.version >= newest) {
                return Ok(Some(copy));
            }
        }
        let found = self
            .directory(at, FindClient { id: id.clone() })
            .await?
            .map(|client| Rc::new(*client));
        if let Some(client) = &found {
            self.clients
                .borrow_mut()
                .insert(id.clone(), Rc::clone(client));
        }
        Ok(found)
    }

    fn is_nobody(&self, id: &ClientId, at: &At) -> bool {
        let nobodies = self.nobodies.borrow();
        let asked = nobodies.get(id);
        asked.is_some_and(|asked| at.now.since(*asked) < REVOCATION_MAX_AGE)
    }

    fn note_nobody(&self, id: &ClientId, at: &At) {
        self.nobodies.borrow_mut().insert(id.clone(), at.now);
    }
}

impl Sessions for Memory {
    fn kept_session(&self, handle: &SessionHandle, _: &At) -> Option<Rc<Session>> {
        let key = (handle.session.to_string(), handle.generation);
        self.sessions.borrow().get(&key).cloned()
    }

    fn keep_session(&self, handle: &SessionHandle, row: &Rc<Session>, _: &At) {
        let key = (handle.session.to_string(), handle.generation);
        self.sessions.borrow_mut().insert(key, Rc::clone(row));
    }
}

impl Limits for Memory {
    async fn quota_overrides(&self, at: &At) -> Result<Option<Rc<Quotas>>, Unavailable> {
        let newest = self.revocations(at).await?.quotas_version();
        let known = self.quotas.borrow().clone();
        if let Some((_, known)) = known.filter(|(version, _)| *version >= newest) {
            return Ok(known);
        }
        let read = self.directory(at, ReadQuotas {}).await?;
        let overrides = read.overrides.and_then(|read| Quotas::read(&read).ok());
        let overrides = overrides.map(Rc::new);
        *self.quotas.borrow_mut() = Some((read.version, overrides.clone()));
        Ok(overrides)
    }

    async fn subject(
        &self,
        subject: &Subject,
        shard: Shard,
        at: &At,
    ) -> Result<Option<Rc<SubjectFacts>>, Unavailable> {
        let newest = self.revocations(at).await?.subject_version(subject);
        let known = self.subjects.borrow().get(subject).cloned();
        if let Some(known) = known.filter(|known| known.version >= newest) {
            return Ok(Some(known));
        }
        let read = ReadSubject {
            subject: subject.clone(),
        };
        let read = self.ledger(shard, at, read).await?.map(Rc::new);
        if let Some(read) = &read {
            let mut known = self.subjects.borrow_mut();
            known.insert(subject.clone(), Rc::clone(read));
        }
        Ok(read)
    }
}

impl Tokens for Memory {
    fn kept(&self, name: &str, at: &At, oldest: u64) -> Option<Rc<KnownToken>> {
        let kept = self.tokens.borrow();
        let (read_at, facts) = kept.get(name)?;
        (at.now.since(*read_at) < oldest).then(|| Rc::clone(facts))
    }

    fn keep(&self, name: &str, facts: &Rc<KnownToken>, at: &At) {
        let kept = (at.now, Rc::clone(facts));
        self.tokens.borrow_mut().insert(name.to_owned(), kept);
    }

    fn is_gone(&self, name: &str, at: &At) -> bool {
        let gone = self.gone.borrow();
        gone.get(name)
            .is_some_and(|since| at.now.since(*since) < OLDEST_ROW)
    }

    fn keep_gone(&self, name: String, at: &At) {
        self.gone.borrow_mut().insert(name, at.now);
    }
}
