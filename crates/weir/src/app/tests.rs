//! A server in the test's own process: what ends it, and how a start is refused.

use std::path::Path;

use weir_catalog::{Catalog, Code, Command, Function, FunctionKind, stored};
use weir_domain::{Data, Event, FunctionId, SpaceName};
use weir_flow::system_space;
use weir_log::{Append, NewEvent};

use super::*;
use crate::{
    picture::{FailuresToLog, GuestToLog},
    run,
    settings::Settings,
};

/// No wait here is longer.
const BOUND: Duration = Duration::from_secs(30);

fn plan(directory: &Path, host: &str) -> anyhow::Result<Plan> {
    run::plan(&Settings {
        data_dir: directory.to_owned(),
        host: host.parse().expect("an address"),
        events_port: 0,
        config_port: 0,
        log_segment_bytes: 1024 * 1024,
        ..Settings::default()
    })
}

async fn build(directory: &Path, host: &str) -> anyhow::Result<App> {
    App::build(plan(directory, host)?, Arc::new(FailuresToLog), Arc::new(GuestToLog)).await
}

/// Writes a function into a log as a server does that could make it.
async fn declare(directory: &Path, id: &str, source: &str) {
    let id = FunctionId::new(id).expect("valid");
    let function = Function::new(id, FunctionKind::wasm(Code::JavaScript(source.into())));
    let change = Catalog::default().plan(&SpaceName::default(), Command::CreateFunction(function)).expect("planned");
    let stored = stored::encode(&change);
    let event = Event::builder("1", "/weir/configuration", stored.event_type)
        .subject(&stored.subject)
        .datacontenttype("application/json")
        .data(Data::Json(stored.data.into()))
        .build()
        .expect("valid");
    let Plan { data_dir, log, .. } = plan(directory, "127.0.0.1").expect("planned");
    let opened = EmbeddedLog::open(&data_dir, log, Arc::new(SystemClock), &mut |_| {});
    let (log, workers, _) = opened.expect("opened");
    let mut threads = Threads::new();
    start_workers(&mut threads, workers).expect("started");
    log.append(Append::new(system_space(), vec![NewEvent { event, key: None }])).await.expect("appended");
    log.close().await.expect("closed");
    threads.join().expect("without a panic");
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

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_top_level_holds_up_a_start_for_no_longer_than_its_limit() {
    let directory = tempfile::tempdir().expect("a directory");
    declare(directory.path(), "endless", "while (true) {}\nexport function handle() {}").await;
    // Long before the limit of compiling, at which one ends that nothing interrupts.
    let bound = Duration::from_secs(50);
    let built = tokio::time::timeout(bound, build(directory.path(), "127.0.0.1")).await;
    let app = built.expect("the start goes on").expect("built");
    let catalog = app.flow.catalog();
    assert!(catalog.space_or_empty(&SpaceName::default()).function("endless").is_some());
}
