//! From the command line to the command: runtime, logging, and how the process ends.

use std::{
    net::SocketAddr,
    path::{self, Path},
    process::ExitCode,
    sync::{Arc, mpsc::sync_channel},
    time::Duration,
};

use anyhow::Context;
use clap::Parser;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use tracing::Dispatch;
use tracing_subscriber::{EnvFilter, util::SubscriberInitExt};
use weir_domain::error_chain;
use weir_gateway::{Tls, TlsOptions};

use crate::{
    access_log,
    app::{App, Plan, Wanted},
    auth, aws,
    cli::{
        Cli, Command, DevArgs, ServeArgs, When, apply, completions, config, deadletter, delete, emit, explain, get,
        init, log, man,
        output::{Exit, Failure, Output},
        replay, status, subscription, tail, token,
    },
    descriptors, dev,
    event_gateway::{self, Asked},
    manifest::{Loaded, Manifest},
    picture::{FailuresToLog, GuestToLog, Picture, picture},
    ports::{RandomIds, SystemClock},
    settings::{self, AccessLog, Durability, LogFormat, Settings, Sources},
    signals, threads,
};

/// How long threads that wait for the operating system may hold up the end of the process.
const LAST_WAIT: Duration = Duration::from_secs(2);

/// Runs the command that was asked for.
pub(crate) fn main() -> ExitCode {
    if let Some(asked) = event_gateway::asked() {
        let output = Output::new(false, When::Auto);
        let outcome = asked.map_err(anyhow::Error::from).and_then(|asked| stand_in(asked, &output));
        return outcome.unwrap_or_else(|error| output.failure(&error)).into();
    }
    let cli = Cli::parse();
    let output = Output::new(cli.global.json, cli.global.color);
    let outcome = match cli.command {
        Command::Log(command) => log::run(&command, &output, &SystemClock),
        Command::Config(command) => config::run(&command, &output),
        Command::Init(args) => init::run(&args, &output),
        Command::Emit(args) => in_runtime(emit::run(args, &output, &RandomIds, &SystemClock)),
        Command::Tail(args) => in_runtime(tail::run(args, &output, &RandomIds)),
        Command::Replay(args) => in_runtime(replay::run(args, &output, &RandomIds)),
        Command::Explain(args) => in_runtime(explain::run(args, &output)),
        Command::Apply(args) => in_runtime(apply::run(args, &output)),
        Command::Get(args) => in_runtime(get::run(args, &output)),
        Command::Status(args) => in_runtime(status::run(args, &output)),
        Command::Delete(args) => in_runtime(delete::run(args, &output)),
        Command::Subscription(command) => in_runtime(subscription::run(command, &output)),
        Command::Deadletter(command) => in_runtime(deadletter::run(command, &output, &SystemClock)),
        Command::Completions(args) => completions::run(&args, &output),
        Command::Man(args) => man::run(&args, &output),
        Command::Token(command) => in_runtime(token::run(command, &output, &SystemClock)),
        Command::Serve(args) => without_json(&output).and_then(|()| serve(&args, &output)),
        Command::Dev(args) => without_json(&output).and_then(|()| develop(&args, &output)),
    };
    outcome.unwrap_or_else(|error| output.failure(&error)).into()
}

/// Refuses `--json` where there are no results that it could be about.
fn without_json(output: &Output) -> anyhow::Result<()> {
    if output.is_json() {
        let message = "--json is for commands with results, which a server has not: \
                       leave it out, and set log.format to json for a log that programs read";
        return Err(Failure::invalid(message).into());
    }
    Ok(())
}

fn in_runtime<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = runtime()?;
    let outcome = runtime.block_on(work);
    runtime.shutdown_timeout(LAST_WAIT);
    outcome
}

fn runtime() -> anyhow::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the async runtime cannot be started")
}

fn serve(args: &ServeArgs, output: &Output) -> anyhow::Result<Exit> {
    let (settings, _) = config::load(&args.settings)?;
    auth::check_reach(&settings, args.insecure)?;
    let plan = auth::guarded(plan(&settings)?, &settings)?;
    start_logging(&settings, output)?;
    run_server(plan)
}

/// Does what was asked in the words of the Event Gateway.
fn stand_in(asked: Asked, output: &Output) -> anyhow::Result<Exit> {
    let server = match asked {
        Asked::Version => {
            output.line(format!("Event Gateway version: {}", env!("CARGO_PKG_VERSION")))?;
            return Ok(Exit::Done);
        }
        Asked::Server(server) => server,
    };
    let (settings, _) = Settings::load(&server.sources())?;
    // Open to the network without being told so: what it stands in for was, and its clients have no token to show.
    let plan = auth::guarded(plan(&settings)?, &settings)?;
    start_logging(&settings, output)?;
    server.warn();
    run_server(plan)
}

fn run_server(mut plan: Plan) -> anyhow::Result<Exit> {
    bound_connections(&mut plan)?;
    let data_dir = plan.data_dir.clone();
    in_runtime(async {
        let is_new = !data_dir.join("log").exists();
        let stop = CancellationToken::new();
        let app = App::build(plan, Arc::new(FailuresToLog), Arc::new(GuestToLog)).await?;
        if is_new {
            tracing::info!(data_dir = %data_dir.display(), "there was no log here: a new one was made");
        }
        tracing::info!(
            events = app.events_url, configuration = app.config_url, data_dir = %data_dir.display(),
            end = %app.end(), "ready"
        );
        signals::watch(stop.clone())?;
        app.run(std::future::ready(()), stop).await
    })?;
    Ok(Exit::Done)
}

fn develop(args: &DevArgs, output: &Output) -> anyhow::Result<Exit> {
    let sources = Sources {
        defaults: Settings::for_development(&args.directory),
        file: None,
        environment: settings::environment(),
        flags: args.flags(),
    };
    let (settings, _) = Settings::load(&sources)?;
    start_logging(&settings, output)?;
    let loaded = Manifest::load(&args.directory)?;
    let (picture, printer) = picture(output.colour());
    let (printing, printed) = sync_channel::<()>(1);
    threads::start("picture", move || {
        printer.run();
        drop(printing);
    })?;
    let outcome = in_runtime(run_application(&args.directory, &settings, loaded, picture));
    // The flow held the picture as its observer until here, so the printer sees its last line. A terminal that takes
    // nothing any more is not waited for.
    let _ = printed.recv_timeout(LAST_WAIT);
    outcome?;
    Ok(Exit::Done)
}

async fn run_application(
    directory: &Path,
    settings: &Settings,
    loaded: Loaded,
    picture: Picture,
) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    let mut plan = auth::guarded(plan(settings)?, settings)?;
    bound_connections(&mut plan)?;
    let app = App::build(plan, Arc::new(picture.clone()), Arc::new(picture.clone())).await?;
    dev::greet(&app, directory, &settings.data_dir, &picture);
    let (flow, events) = (app.flow.clone(), app.events_url.clone());
    let shown = dev::show_entries(app.log.clone(), loaded.space.clone(), picture.clone(), stop.clone());
    let follower = dev::Follower::new(directory.to_owned(), flow.clone(), picture.clone(), &loaded)?;
    let begun = CancellationToken::new();
    let first = async {
        dev::begin(&loaded, &flow, &events, &picture).await;
        begun.cancel();
    };
    signals::watch(stop.clone())?;
    let running = async {
        let outcome = app.run(first, stop.clone()).await;
        // The others end with the server, however it ended.
        stop.cancel();
        outcome
    };
    let leaving = dev::take_leave(&flow, &picture, &stop);
    let (outcome, followed, (), ()) = tokio::join!(running, follower.run(begun.clone(), stop.clone()), shown, leaving);
    outcome.and(followed)
}

/// Makes room for connections, and takes no more of them than there is room for.
///
/// # Errors
/// Where there would be hardly any.
fn bound_connections(plan: &mut Plan) -> Result<(), Failure> {
    let files_max = descriptors::raise();
    descriptors::check(files_max)?;
    plan.gateway.connections_max = descriptors::connections_max(plan.gateway.connections_max, files_max);
    Ok(())
}

/// Says what a server needs to know, from its settings.
///
/// # Errors
/// Where the files of TLS are not any more what they were when the settings were read.
pub(crate) fn plan(settings: &Settings) -> anyhow::Result<Plan> {
    let address = |port| SocketAddr::new(settings.host, port);
    let limits = weir_domain::Limits {
        event_bytes_max: settings.limits.event_bytes_max,
        request_bytes_max: settings.limits.request_bytes_max,
        batch_events_max: settings.limits.batch_events_max,
        extensions_max: settings.limits.extensions_max,
        attribute_bytes_max: settings.limits.attribute_bytes_max,
        hops_max: settings.limits.hops_max,
    };
    let shown = settings.data_dir.display();
    let data_dir = path::absolute(&settings.data_dir).with_context(|| format!("nobody can say where {shown} is"))?;
    let cache: &Path = settings.functions.cache_dir.as_deref().unwrap_or(Path::new("cache"));
    Ok(Plan {
        // An absolute path stays what it is.
        cache_dir: data_dir.join(cache),
        data_dir,
        events_address: address(settings.events_port),
        config_address: address(settings.config_port),
        log: weir_log_embedded::Options {
            durability: match settings.durability {
                Durability::Synced => weir_log_embedded::Durability::Synced,
                Durability::Os => weir_log_embedded::Durability::Os,
            },
            segment_bytes: settings.log_segment_bytes,
            ..weir_log_embedded::Options::default()
        },
        gateway: weir_gateway::Options {
            limits,
            requests_max: settings.in_flight.requests_max,
            in_flight_bytes_max: settings.in_flight.bytes_max,
            head_bytes_max: settings.limits.head_bytes_max,
            headers_max: settings.limits.headers_max,
            connections_max: settings.connections.open_max,
            header_read_timeout: Duration::from_millis(settings.connections.head_timeout_ms),
            body_read_timeout: Duration::from_millis(settings.connections.body_timeout_ms),
            write_timeout: Duration::from_millis(settings.connections.write_timeout_ms),
            handshake_timeout: Duration::from_millis(settings.connections.tls_handshake_timeout_ms),
            events_tls: tls(settings.events_tls())?,
            configuration_tls: tls(settings.config_tls())?,
            compatibility: settings.compatibility.of_gateway(),
            ..weir_gateway::Options::default()
        },
        flow: weir_flow::Options {
            hops_max: limits.hops_max,
            deliveries_max: settings.delivery.calls_max,
            window_bytes_max: settings.delivery.window_bytes_max,
            windows_bytes_max: settings.delivery.windows_bytes_max,
            limits,
            compatibility: settings.compatibility.of_flow(),
            ..weir_flow::Options::default()
        },
        aws: aws::credentials(&settings::environment()),
        // Read from files: `auth::guarded` adds what there is.
        keys: None,
        observing: Wanted { access_log: access_log(settings), telemetry: settings.otlp().map_err(Failure::invalid)? },
        grace: Duration::from_millis(settings.grace_period_ms),
    })
}

fn access_log(settings: &Settings) -> Option<access_log::Options> {
    let format = match settings.access_log {
        AccessLog::Off => return None,
        AccessLog::Json => access_log::Format::Json,
        AccessLog::Text => access_log::Format::Text,
    };
    Some(access_log::Options { format, file: settings.access_log_file.clone() })
}

fn tls(files: Option<TlsOptions>) -> anyhow::Result<Option<Tls>> {
    files.map(Tls::load).transpose().map_err(|error| Failure::new(error.kind(), error_chain(&error)).into())
}

fn start_logging(settings: &Settings, output: &Output) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&settings.log.level).context("the log level cannot be understood")?;
    let format = settings.log.format;
    // Whatever the level: a server that promises less than others, or asks less, says so at every start.
    let always = logging(format, EnvFilter::new("warn"), output.remark_colour());
    tracing::dispatcher::with_default(&always, || {
        if settings.durability == Durability::Os {
            tracing::warn!("durability is \"os\": an acknowledged event can be lost with the machine");
        }
        auth::warn_if_open(settings);
    });
    logging(format, filter, output.remark_colour()).init();
    Ok(())
}

fn logging(format: LogFormat, filter: EnvFilter, is_coloured: bool) -> Dispatch {
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Json => builder.json().flatten_event(true).finish().into(),
        LogFormat::Text => builder.with_target(false).with_ansi(is_coloured).finish().into(),
    }
}
