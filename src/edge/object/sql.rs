//! The database of a Durable Object: a statement and its values go in as text, rows come out as
//! text, and serde types both. The JavaScript side is `Sql` in `src/edge/sql.js`.

use std::any::type_name;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};

use crate::message::{self, Unreadable};

#[wasm_bindgen]
extern "C" {
    /// The database, inside the transaction that the caller has opened.
    pub type Sql;

    #[wasm_bindgen(method, catch, js_name = rows)]
    fn rows_text(this: &Sql, statement: &str, values: &str) -> Result<String, JsValue>;

    #[wasm_bindgen(method, catch, js_name = write)]
    fn write_text(this: &Sql, statement: &str, values: &str) -> Result<f64, JsValue>;
}

/// Why nothing was done. It is thrown, so that the transaction rolls back.
#[derive(Debug)]
pub(in crate::edge) enum Fault {
    /// The call is not one of ours; asking again will not help.
    Refused(&'static str),
    /// The database failed.
    Database(JsValue),
    /// What a table holds, named here, has another shape than the table promises.
    Shape(&'static str),
}

impl From<Unreadable> for Fault {
    fn from(_: Unreadable) -> Self {
        Self::Shape("a stored text has not its expected shape")
    }
}

/// For what we write.
impl From<serde_json::Error> for Fault {
    fn from(_: serde_json::Error) -> Self {
        Self::Shape("a value does not serialise")
    }
}

impl From<Fault> for JsValue {
    fn from(fault: Fault) -> Self {
        match fault {
            // A bare string is how `objects.js` tells a refusal from a failure.
            Fault::Refused(reason) => Self::from_str(reason),
            Fault::Database(error) => error,
            Fault::Shape(what) => js_sys::Error::new(what).unchecked_into(),
        }
    }
}

impl Sql {
    /// The rows that the statement answers. A row is a struct whose fields are its columns.
    pub(super) fn rows<T: DeserializeOwned>(
        &self,
        statement: &str,
        values: impl Serialize,
    ) -> Result<Vec<T>, Fault> {
        let rows = self
            .rows_text(statement, &serde_json::to_string(&values)?)
            .map_err(Fault::Database)?;
        message::read(rows.as_bytes()).map_err(|_| Fault::Shape(type_name::<T>()))
    }

    /// The first row.
    pub(super) fn row<T: DeserializeOwned>(
        &self,
        statement: &str,
        values: impl Serialize,
    ) -> Result<Option<T>, Fault> {
        Ok(self.rows(statement, values)?.into_iter().next())
    }

    /// The number that the statement answers, in a column of that name.
    pub(super) fn number(
        &self,
        statement: &str,
        values: impl Serialize,
    ) -> Result<Option<u64>, Fault> {
        #[derive(Deserialize)]
        struct Row {
            number: u64,
        }
        Ok(self.row::<Row>(statement, values)?.map(|row| row.number))
    }

    /// Whether the statement wrote anything. `INSERT … ON CONFLICT DO NOTHING` that did not:
    /// the row was there already.
    pub(super) fn write(&self, statement: &str, values: impl Serialize) -> Result<bool, Fault> {
        self.write_text(statement, &serde_json::to_string(&values)?)
            .map(|rows| rows > 0.0)
            .map_err(Fault::Database)
    }
}

/// A column that holds a nested fact as JSON text.
#[derive(Debug)]
pub(super) struct Json<T>(pub(super) T);

impl<T: Serialize> Serialize for Json<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::Error;
        let text = serde_json::to_string(&self.0).map_err(S::Error::custom)?;
        serializer.serialize_str(&text)
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Json<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        message::read(text.as_bytes())
            .map(Self)
            .map_err(D::Error::custom)
    }
}

/// A column that is 0 or 1: SQLite has no booleans.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flag(pub(super) bool);

impl Serialize for Flag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(u8::from(self.0))
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u8::deserialize(deserializer).map(|flag| Self(flag != 0))
    }
}
