//! A server in the test's own process: what ends it, and how a start is refused.

use super::*;
use crate::{
    picture::{FailuresToLog, GuestToLog},
    run,
    settings::Settings,
};

/// No wait here is longer.
const BOUND: Duration = Duration::from_secs(30);

async fn build(directory: &std::path::Path, host: &str) -> anyhow::Result<App> {
    let settings = Settings {
        data_dir: directory.to_owned(),
        host: host.parse().expect("an address"),
        events_port: 0,
        config_port: 0,
        log_segment_bytes: 1024 * 1024,
        ..Settings::default()
    };
    App::build(run::plan(&settings)?, Arc::new(FailuresToLog), Arc::new(GuestToLog)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_log_has_ended_ends_with_an_error() {
    let directory = tempfile::tempdir().expect("a directory");
    let app = build(directory.path(), "127.0.0.1").await.expect("built");
    let log = app.log.clone();
    let running = Box::pin(app.run(std::future::ready(()), CancellationToken::new()));
    // The threads of a closed log end as they would in a panic.
    let (outcome, closed) = tokio::join!(tokio::time::timeout(BOUND, running), log.close());
    closed.expect("closed");
    let error = outcome.expect("it does not go on without its log").expect_err("nobody asked for the end");
    assert!(error.to_string().starts_with("the thread log-"), "{error:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_of_another_machine_is_wrong_input() {
    let directory = tempfile::tempdir().expect("a directory");
    // Of a network for examples (RFC 5737), which no machine is in.
    let error = build(directory.path(), "192.0.2.1").await.err().expect("refused");
    assert_eq!(crate::cli::output::kind_of(&error), ErrorKind::Invalid, "{error:#}");
    assert!(error.to_string().ends_with("choose an address of this machine with --host"), "{error:#}");
}
