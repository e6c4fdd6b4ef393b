//! Rules of the ledger over rows that memory and SQLite keep.

pub mod tokens;
