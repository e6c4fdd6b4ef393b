//! Prints the description of the management API.
#![allow(clippy::print_stdout, reason = "printing is all that it does")]

fn main() {
    println!("{}", edgemint::openapi::document());
}
