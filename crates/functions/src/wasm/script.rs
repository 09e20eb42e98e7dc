//! From a JavaScript file to a component of the world `script`, and from what QuickJS says to a sentence.
//!
//! The author's file is a module by itself beside the lines that join it to the world, so that the lines named in errors
//! are its lines.

use std::{iter, sync::Arc};

use tokio::runtime::Handle;
use wasmtime::Engine;

use weir_domain::FunctionId;

use super::{
    PrepareError, Shared,
    artifact::Key,
    guest,
    prepare::PLACE_TIMEOUT,
    quickjs::{self, LoadError, Modules},
};

/// What the joining lines throw where there is no `handle`.
const NO_HANDLER: &str = "weir:no-handler";
/// Where the author's file lies for the guest.
const FILE: &str = "/function.js";

const MAIN_JS: &str = include_str!("script/main.js");
const PRELUDE_JS: &str = include_str!("script/prelude.js");

/// Returns the key of the artefact of a file.
pub(super) fn key(engine: &Engine, source: &str) -> Key {
    let base = quickjs::key(engine);
    Key::new(engine, &[base.as_bytes(), MAIN_JS.as_bytes(), PRELUDE_JS.as_bytes(), source.as_bytes()])
}

/// Makes a component of the file of a function. Blocks for as long as the file needs to load, and for a second where the
/// runtime was not compiled before; to be called where that is allowed, inside a tokio runtime.
pub(super) fn make(shared: &Shared, source: &str, function: &FunctionId) -> Result<Vec<u8>, PrepareError> {
    let internal = |error: wasmtime::Error| PrepareError::Internal { message: format!("{error:#}") };
    let base = shared.bases.get(shared).map_err(internal)?;
    let modules: Modules = Arc::new([
        ("/weir/main.js", MAIN_JS.to_owned()),
        ("/weir/prelude.js", PRELUDE_JS.to_owned()),
        (FILE, source.to_owned()),
    ]);
    Handle::current().block_on(async {
        let Some(_slot) = shared.slots.acquire_within(PLACE_TIMEOUT).await else {
            return Err(PrepareError::Busy { limit: PLACE_TIMEOUT });
        };
        // What its top level does is interrupted like a call.
        let _beat = shared.pulse.enter();
        base.load(&shared.engine, &modules, shared.options.load_timeout).await.map_err(|error| match error {
            LoadError::Script(said) => explain(&said, function),
            LoadError::Slow(limit) => PrepareError::Slow { limit },
            LoadError::Trap(error) => PrepareError::Load { message: guest::forbidden(&error) },
            LoadError::Internal(error) => internal(error),
        })
    })
}

/// Turns what the componentizer says into what the author has to know.
fn explain(text: &str, function: &FunctionId) -> PrepareError {
    let text = text.trim_start_matches([':', ' ']);
    let Some(said) = text.strip_prefix("Failed to evaluate user JavaScript module: ") else {
        return PrepareError::Internal { message: text.trim().to_owned() };
    };
    if let Some(said) = said.strip_prefix("Failed to declare JavaScript module: ") {
        return match said.split_once("Error resolving module '") {
            Some((_, rest)) => {
                let module = rest.split('\'').next().unwrap_or_default().to_owned();
                PrepareError::Import { module }
            }
            None => {
                let (line, column) = place(said).unwrap_or_default();
                PrepareError::Syntax { line, column, message: first_line(said).to_owned() }
            }
        };
    }
    if said.contains(NO_HANDLER) {
        return PrepareError::NoHandler;
    }
    let said = said.split_once(": ").map_or(said, |(_, said)| said);
    if said.starts_with("Error blocking on a promise") {
        let message = "a promise that is awaited at the top level is never settled".to_owned();
        return PrepareError::Load { message };
    }
    let frames = said.lines().skip(1).filter(|line| line.contains(FILE));
    let lines: Vec<&str> = iter::once(first_line(said)).chain(frames).collect();
    PrepareError::Load { message: name_file(&lines.join("\n"), function) }
}

/// The message itself, without the name `Error` that every error has here.
fn first_line(text: &str) -> &str {
    let line = text.lines().next().unwrap_or_default();
    line.strip_prefix("Error: ").unwrap_or(line)
}

/// Line and column in the author's file, where they are named.
fn place(text: &str) -> Option<(u32, u32)> {
    let (_, rest) = text.split_once(FILE)?;
    let mut numbers = rest.strip_prefix(':')?.split(|each: char| !each.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Names the author's file after the function.
pub(super) fn name_file(message: &str, function: &FunctionId) -> String {
    message.replace(FILE, &format!("{function}.js"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_quickjs_says_becomes_a_sentence() {
        let function = FunctionId::new("catalog").expect("valid");
        let check = |said: &str, sentence: &str| {
            let text = format!(": Failed to evaluate user JavaScript module: {said}");
            assert_eq!(explain(&text, &function).to_string(), sentence);
        };
        check(
            "Failed to declare JavaScript module: Error: unexpected token in expression: ';'\n    at /function.js:2:13\n",
            "the file has a syntax error at line 2, column 13: unexpected token in expression: ';'",
        );
        check(
            "Failed to declare JavaScript module: Error: Error resolving module './other.js' from '/function.js': \
             filesystem module not found: failed to resolve",
            "a function is one file and imports nothing, put what it needs into it: \"./other.js\"",
        );
        check(
            "Failed to finish JavaScript module evaluation: Error: cannot read property 'foo' of null\n    \
             at <anonymous> (/function.js:2:1)\n    at run (/weir/main.js:1:1)\n",
            "the file failed while it was loaded: cannot read property 'foo' of null\n    at <anonymous> (catalog.js:2:1)",
        );
        check(
            "Failed to finish JavaScript module evaluation: Error: weir:no-handler\n    at <anonymous> (/weir/main.js:17:45)\n",
            "the file exports no function with the name handle: write `export function handle(event, context) { … }`",
        );
        check(
            "Failed to finish JavaScript module evaluation: Error blocking on a promise resulted in a dead lock",
            "the file failed while it was loaded: a promise that is awaited at the top level is never settled",
        );
    }
}
