//! How the program ends, and what a terminal gets to see.

use anyhow::Context;
use weir_log::LogError;

use super::*;

#[test]
fn the_first_cause_that_knows_decides_the_exit_code() {
    let check = |error: anyhow::Error, code: u8| assert_eq!(Exit::Failed(kind_of(&error)).code(), code, "{error:#}");
    check(LogError::Closed.into(), 8);
    check(anyhow::Error::from(LogError::Overloaded).context("emitting"), 5);
    check(Failure::invalid("no").into(), 2);
    check(anyhow::Error::from(io::Error::from(io::ErrorKind::NotFound)).context("reading"), 3);
    check(anyhow::anyhow!("nobody knows"), 9);
    let corrupt = LogError::Corrupt { file: "x".into(), offset: 1, detail: "y".into() };
    check(Err::<(), _>(corrupt).context("opening").expect_err("an error"), 6);
}

#[test]
fn a_reader_who_went_away_is_no_error_and_hides_none() {
    let output = unread(false);
    let gone = || anyhow::Error::from(output.line("x").expect_err("nobody reads")).context("printing");
    assert_eq!(output.failure(&gone()), Exit::Done);
    assert_eq!(ending(Exit::Findings, Err(gone())).expect("an end"), Exit::Findings);
    let other = || anyhow::Error::from(io::Error::from(io::ErrorKind::BrokenPipe));
    assert_eq!(output.failure(&other()), Exit::Failed(ErrorKind::Internal));
    assert!(ending(Exit::Done, Err(other())).is_err());
}

#[test]
fn tables_are_aligned() {
    let mut table = Table::with_heading(&["name", "bytes", "note"]);
    table.row([("a".into(), Paint::Plain), ("1,000".into(), Paint::Plain), (String::new(), Paint::Plain)]);
    table.row([("käse".into(), Paint::Good), ("7".into(), Paint::Plain), ("x".into(), Paint::Bad)]);
    assert_eq!(table.render(false), "name  bytes  note\na     1,000\nkäse      7  x\n");
    assert_eq!(table.render(true).matches('\u{1b}').count(), 2 * 5);
}

#[test]
fn texts_are_clipped_and_safe() {
    let check = |text: &str, columns: usize, expected: &str| assert_eq!(clip(text, columns), expected);
    check("abc", 3, "abc");
    check("abcd", 3, "ab…");
    check("a\u{1b}[2J", 9, "a\u{fffd}[2J");
    check("abc", 0, "");
    check("", 0, "");
    assert_eq!(clean("a\u{1b}[2J\r\nb\tc"), "a\u{fffd}[2J\u{fffd}\nb c");
}
