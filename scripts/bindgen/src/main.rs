//! Writes the JavaScript beside a compiled module: `bindgen INPUT.wasm DIRECTORY NAME [--reset-state]`.
//!
//! The library rather than the command, so that our own `Cargo.lock` pins it and it cannot drift from the
//! `wasm-bindgen` the module was compiled with.

use std::process::ExitCode;

use wasm_bindgen_cli_support::Bindgen;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (input, directory, name, reset_state) = match arguments.as_slice() {
        [input, directory, name] => (input, directory, name, false),
        [input, directory, name, flag] if flag == "--reset-state" => (input, directory, name, true),
        _ => {
            eprintln!("usage: bindgen INPUT.wasm DIRECTORY NAME [--reset-state]");
            return ExitCode::from(2);
        }
    };
    match generate(input, directory, name, reset_state) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("bindgen: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn generate(input: &str, directory: &str, name: &str, reset_state: bool) -> Result<(), String> {
    let mut bindgen = Bindgen::new();
    bindgen
        .web(true)
        .map_err(|error| error.to_string())?
        .input_path(input)
        .out_name(name)
        .typescript(true)
        .reset_state_function(reset_state);
    bindgen
        .generate(directory)
        .map_err(|error| format!("{error:?}"))
}
