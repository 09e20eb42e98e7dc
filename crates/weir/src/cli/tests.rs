//! Which arguments are taken together.

use clap::{CommandFactory, error::ErrorKind};

use super::*;
use crate::client::TlsFiles;

fn parse(line: &str) -> Result<Cli, ErrorKind> {
    Cli::try_parse_from(line.split(' ')).map_err(|error| error.kind())
}

#[test]
fn the_definition_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn one_event_and_files_exclude_each_other() {
    let check = |line: &str, expected: Result<(), ErrorKind>| assert_eq!(parse(line).map(drop), expected, "{line}");
    check("weir emit events.jsonl more.jsonl", Ok(()));
    check("weir emit - --batch 7 --in-flight 1 --space shop", Ok(()));
    check("weir emit --type t --source /s", Ok(()));
    check("weir emit --type t --source /s --ext a=b --ext c=d=e --data - --json", Ok(()));
    // Told by the command itself, with both ways to use it.
    check("weir emit", Ok(()));
    check("weir emit --type t", Err(ErrorKind::MissingRequiredArgument));
    check("weir emit --source /s", Err(ErrorKind::MissingRequiredArgument));
    check("weir emit --type t --source /s events.jsonl", Err(ErrorKind::ArgumentConflict));
    check("weir emit --type t --source /s --ext a", Err(ErrorKind::ValueValidation));
    check("weir emit x --space a", Err(ErrorKind::ValueValidation));
    check("weir emit x --url ftp://a", Err(ErrorKind::ValueValidation));
    check("weir emit x --batch 0", Err(ErrorKind::ValueValidation));
}

#[test]
fn a_certificate_comes_with_its_key() {
    let Ok(Cli { command: Command::Tail(args), .. }) =
        parse("weir tail --url https://weir:4001 --ca-cert a --client-cert b --client-key c")
    else {
        panic!("another command");
    };
    let path = std::path::Path::new;
    assert_eq!(args.access.tls.files(), TlsFiles { ca: Some(path("a")), identity: Some((path("b"), path("c"))) });
    for alone in ["weir emit x --client-cert b", "weir emit x --client-key c"] {
        assert_eq!(parse(alone).map(drop), Err(ErrorKind::MissingRequiredArgument), "{alone}");
    }
    assert!(parse("weir emit --type t --source /s --ca-cert a").is_ok());
}

#[test]
fn a_tail_begins_at_one_place() {
    assert!(parse("weir tail -f --type a --type b --key k --from 7").is_ok());
    assert_eq!(parse("weir tail --from 7 --last 3").map(drop), Err(ErrorKind::ArgumentConflict));
    assert_eq!(parse("weir tail --last 10001").map(drop), Err(ErrorKind::ValueValidation));
    assert_eq!(parse("weir --color=never tail --colour").map(drop), Err(ErrorKind::UnknownArgument));
}

#[test]
fn a_token_has_scopes() {
    assert!(parse("weir token create --scope emit@shop/a.* --scope read --days 90 --token-file t").is_ok());
    assert_eq!(parse("weir token create").map(drop), Err(ErrorKind::MissingRequiredArgument));
    assert_eq!(parse("weir token create --scope own").map(drop), Err(ErrorKind::ValueValidation));
    assert!(parse("weir token revoke 0f8e --url http://127.0.0.1:1").is_ok());
}

#[test]
fn a_subscription_is_paused_by_its_identifier() {
    for verb in ["pause", "resume", "drain"] {
        assert!(parse(&format!("weir subscription {verb} YXN5bmM --space shop --json")).is_ok());
        assert_eq!(
            parse(&format!("weir subscription {verb}")).map(drop),
            Err(ErrorKind::MissingRequiredArgument),
            "{verb}"
        );
    }
}

#[test]
fn a_replay_begins_somewhere_or_is_looked_at() {
    assert!(parse("weir replay invoice --from 3d --to 17 --rate 100 --as again --with-effects --dry-run").is_ok());
    assert!(parse("weir replay invoice --from earliest --detach --space shop --json").is_ok());
    assert!(parse("weir replay invoice --status 7").is_ok() && parse("weir replay invoice --cancel 7").is_ok());
    assert_eq!(parse("weir replay invoice").map(drop), Err(ErrorKind::MissingRequiredArgument));
    assert_eq!(parse("weir replay --from 3d").map(drop), Err(ErrorKind::MissingRequiredArgument));
    assert_eq!(parse("weir replay a --from 3d --rate 0").map(drop), Err(ErrorKind::ValueValidation));
    for both in
        ["--status 7 --cancel 7", "--status 7 --from 3d", "--cancel 7 --dry-run", "--from 3d --dry-run --detach"]
    {
        assert_eq!(parse(&format!("weir replay a {both}")).map(drop), Err(ErrorKind::ArgumentConflict), "{both}");
    }
    assert!(parse("weir status").is_ok() && parse("weir status invoice --space shop").is_ok());
}

#[test]
fn dead_letters_are_named_or_selected() {
    let check = |line: &str, expected: Result<(), ErrorKind>| assert_eq!(parse(line).map(drop), expected, "{line}");
    check("weir deadletter list --state all --limit 7 --space shop", Ok(()));
    check("weir deadletter redrive 7 8 --to s", Ok(()));
    check("weir deadletter redrive --type a --key k --all", Ok(()));
    check("weir deadletter redrive", Err(ErrorKind::MissingRequiredArgument));
    check("weir deadletter discard --reason r", Err(ErrorKind::MissingRequiredArgument));
    check("weir deadletter discard 7 --all", Err(ErrorKind::ArgumentConflict));
    check("weir deadletter patch 7 --set a.b=1 --set c=2", Ok(()));
    check("weir deadletter patch 7 --merge -", Ok(()));
    check("weir deadletter patch 7", Err(ErrorKind::MissingRequiredArgument));
    check("weir deadletter patch 7 --set a..b=1", Err(ErrorKind::ValueValidation));
    check("weir deadletter patch 7 --set a=1 --event {}", Err(ErrorKind::ArgumentConflict));
}

#[test]
fn flags_come_under_the_names_of_settings() {
    let Ok(Cli { command: Command::Serve(args), .. }) = parse("weir serve --log-level debug --data-dir d --host x")
    else {
        panic!("another command");
    };
    let pair = |key: &'static str, value: &str| (key, value.to_owned());
    assert!(!args.insecure);
    assert_eq!(args.settings.flags(), [pair("data_dir", "d"), pair("host", "x"), pair("log.level", "debug")]);
}
