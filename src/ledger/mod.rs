//! Rules of the ledger over rows that memory and SQLite keep.

pub mod delegation;
pub mod token_history;
pub mod tokens;

#[cfg(test)]
mod endings;
