//! Placeholder until the build driver lands.
fn main() {}
