//! Parameters in queries: how their values are read, and how it is told what is wrong with one.

use std::borrow::Cow;

use crate::{problem::Problem, query};

/// Returns the value of a parameter.
///
/// # Errors
/// Where it is given more than once.
pub(super) fn single<'q>(query: &'q str, name: &str) -> Result<Option<Cow<'q, str>>, Problem> {
    let mut found = None;
    for (given, value) in query::pairs(query) {
        if given == name && found.replace(value).is_some() {
            return Err(twice(name));
        }
    }
    Ok(found)
}

/// Reads a parameter that is `true` or `false`, which it is where it is absent.
///
/// # Errors
/// Where it has another value, or is given more than once.
pub(super) fn flag(query: &str, name: &str) -> Result<bool, Problem> {
    match single(query, name)?.as_deref() {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => Err(wrong(name, "must be true or false", other)),
    }
}

/// Reads a number within bounds.
///
/// # Errors
/// Where the text is none, or one beyond.
pub(super) fn number(name: &str, text: Option<&str>, least: u64, most: u64) -> Result<Option<u64>, Problem> {
    let Some(text) = text else { return Ok(None) };
    match text.parse::<u64>() {
        Ok(number) if (least..=most).contains(&number) => Ok(Some(number)),
        _ => Err(wrong(name, &format!("must be a number from {least} to {most}"), text)),
    }
}

/// Makes the problem that a parameter has a value which it cannot have.
pub(super) fn wrong(name: &str, rule: &str, given: &str) -> Problem {
    Problem::invalid(format!("parameter \"{name}\" {rule}, not {:?}", short(given)))
}

/// Makes the problem that a parameter is given more than once.
pub(super) fn twice(name: &str) -> Problem {
    Problem::invalid(format!("parameter \"{name}\" is given twice: give it once"))
}

/// Bounds what is quoted of a client.
pub(super) fn short(text: &str) -> String {
    text.chars().take(64).collect()
}
