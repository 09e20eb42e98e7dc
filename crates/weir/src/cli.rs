//! The command line: what can be asked, with which flags, and the help for it.
//!
//! Nothing is done here: each command has a module of its own, and the server is started elsewhere.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, value_parser};
use weir_domain::{NameError, SpaceName};

use crate::client::BaseUrl;

mod access;
pub(crate) mod apply;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod deadletter;
pub(crate) mod delete;
pub(crate) mod emit;
pub(crate) mod explain;
pub(crate) mod get;
pub(crate) mod init;
pub(crate) mod log;
pub(crate) mod man;
pub(crate) mod output;
pub(crate) mod replay;
mod resources;
pub(crate) mod status;
pub(crate) mod subscription;
pub(crate) mod tail;
pub(crate) mod token;

pub(crate) use access::AccessArgs;

/// Where the Events API is where nothing is said.
const EVENTS_URL: &str = "http://127.0.0.1:4000";
/// Where the Configuration API is where nothing is said.
const CONFIG_URL: &str = "http://127.0.0.1:4001";

/// The most events that `weir tail --last` shows.
const LAST_MAX: i64 = 10_000;

/// An event gateway with a durable log: every event enters by one door, is kept, and reaches its functions.
#[derive(Debug, Parser)]
#[command(
    name = "weir",
    version,
    arg_required_else_help = true,
    after_help = "Example: weir dev examples/hello\n\n\
                  With the flags of the Event Gateway instead of a command (weir -dev -embed-data-dir DIR) it stands in \
                  for it.\n\n\
                  Exit codes: 0 done, 1 done with findings (events refused or in quarantine, refused resources, a damaged log), 2 wrong input, \
                  3 not found, 4 conflict, 5 unavailable, 6 damaged, 7 denied, 8 closed, 9 internal fault, 130 and 143 ended at once by a second Ctrl-C or SIGTERM"
)]
pub(crate) struct Cli {
    /// Flags that every command takes.
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags that every command takes.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct GlobalArgs {
    /// Print results as JSON, for programs; `dev`, `serve`, `completions` and `man` have none
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// When to use colour; NO_COLOR in the environment declines it as well
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t)]
    pub(crate) color: When,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// Where a terminal shows it
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// What can be asked.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the application of a directory, show what flows, and reload it when its files change
    #[command(
        after_help = "Examples:\n  weir dev examples/hello\n  weir dev --events-port 8000 --config-port 8001\n\n\
                            The directory has a weir.toml; data is kept in .weir beside it."
    )]
    Dev(DevArgs),
    /// Write a small application to begin with; nothing that is there is overwritten
    #[command(after_help = "Example: weir init shop")]
    Init(init::InitArgs),
    /// Run a server
    #[command(after_help = "Examples:\n  weir serve --data-dir /var/lib/weir\n  \
                            WEIR_AUTH__MODE=required WEIR_AUTH__ADMIN_TOKEN_FILE=/run/secrets/weir weir serve --host 0.0.0.0\n  \
                            WEIR_LOG__LEVEL=debug weir serve --config /etc/weir.toml\n\n\
                            Settings come from defaults, then the file, then WEIR_… in the environment, then flags; \
                            `weir config show` tells where each comes from.")]
    Serve(ServeArgs),
    /// Emit one event by flags, or many from JSON lines
    #[command(after_help = "Examples:\n  \
                            weir emit --type order.placed --source /shop --data '{\"id\":7}'\n  \
                            weir emit --type photo.taken --source /camera --data @a.jpg --datacontenttype image/jpeg\n  \
                            weir emit events.jsonl\n  weir emit history.jsonl --in-flight 4\n\n\
                            Each line of a file is one event as a JSON object (CloudEvents, structured mode). \
                            Emitting the same file again changes nothing: source and id are unique. Events are \
                            kept in the order of their lines; with --in-flight above 1, in that order within a batch \
                            only.\n\nEnds with 1 where the server refused an event or put it in quarantine, by flags as well as of a file, or where a \
                            line is none; with 2 where flags make no event.")]
    Emit(EmitArgs),
    /// Show what is in the log of a space, and follow it
    #[command(
        after_help = "Examples:\n  weir tail -f\n  weir tail --type order.placed --key customer-7 --last 100\n  \
                            weir tail --since 2026-01-31T12:00:00Z --json > events.jsonl"
    )]
    Tail(TailArgs),
    /// Deliver history to one subscription once more, before it goes on with what is new
    #[command(after_help = replay::EXAMPLES)]
    Replay(replay::ReplayArgs),
    /// Tell why an event did or did not reach somebody: from the log, and the configuration as it was
    #[command(after_help = explain::EXAMPLES)]
    Explain(explain::ExplainArgs),
    /// Make a space of a running server what a manifest or a JSON file says
    #[command(after_help = "Examples:\n  weir apply examples/hello --dry-run\n  \
                            weir apply shop/weir.toml --config-url http://weir.internal:4001\n  \
                            weir get functions --json | weir apply - --space copy\n\n\
                            A .toml file is a manifest, as `weir dev` reads it; everything else is JSON with the lists \
                            eventTypes, functions, subscriptions and cors, each of what the Configuration API takes. \
                            Without --prune nothing is deleted that the source does not name.\n\nEnds with 1 where the \
                            server refused a part; what was done is said all the same.")]
    Apply(apply::ApplyArgs),
    /// Show the event types, functions, subscriptions or CORS configurations of a space
    #[command(after_help = "Examples:\n  weir get functions\n  weir get sub --metadata team=depot --json\n  \
                            weir get fn greet --space shop")]
    Get(get::GetArgs),
    /// Show how deliveries to the subscriptions of a space stand, and what waits for them
    #[command(
        after_help = "Examples:\n  weir status\n  weir status invoice --space shop\n\nWhat waits is counted from the \
                            index of the log: of events that were not read yet, a filter may take fewer."
    )]
    Status(status::StatusArgs),
    /// Delete event types, functions, subscriptions or CORS configurations of a space
    #[command(after_help = "Examples:\n  weir delete function greet\n  weir delete cors 'GET /hello/:name'\n\n\
                            What others refer to is not deleted: subscriptions go before functions and event types.")]
    Delete(delete::DeleteArgs),
    /// Let a subscription deliver, or not
    #[command(subcommand)]
    Subscription(subscription::SubscriptionCommand),
    /// Look at deliveries that were given up, and decide what becomes of them
    #[command(subcommand)]
    Deadletter(deadletter::DeadletterCommand),
    /// Make, list and revoke the tokens of a server
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Check, inspect or repair the files of a log, without a server
    #[command(subcommand)]
    Log(LogCommand),
    /// Look at the settings of a server
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print the script with which a shell completes commands and flags
    #[command(after_help = "Examples:\n  mkdir -p ~/.local/share/bash-completion/completions\n  \
                            weir completions bash > ~/.local/share/bash-completion/completions/weir\n  \
                            weir completions zsh > ~/.zfunc/_weir\n  \
                            weir completions fish > ~/.config/fish/completions/weir.fish")]
    Completions(completions::CompletionsArgs),
    /// Print the manual page, or write one for each command
    #[command(after_help = "Examples:\n  weir man | man -l -\n  weir man --dir ~/.local/share/man/man1")]
    Man(man::ManArgs),
}

/// Flags of `weir dev`.
#[derive(Clone, Debug, Args)]
pub(crate) struct DevArgs {
    /// The directory of the application
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) directory: PathBuf,
    /// The address on which both APIs listen [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) host: Option<String>,
    /// The port of the Events API [default: 4000]
    #[arg(long, value_name = "PORT")]
    pub(crate) events_port: Option<String>,
    /// The port of the Configuration API [default: 4001]
    #[arg(long, value_name = "PORT")]
    pub(crate) config_port: Option<String>,
}

impl DevArgs {
    /// Returns the settings that were given, under their names.
    pub(crate) fn flags(&self) -> Vec<(&'static str, String)> {
        given([("host", &self.host), ("events_port", &self.events_port), ("config_port", &self.config_port)])
    }
}

/// Flags of `weir serve`.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ServeArgs {
    /// The settings.
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
    /// Let in everybody from other machines, although auth.mode is off
    #[arg(long)]
    pub(crate) insecure: bool,
}

/// Flags of `weir serve` and `weir config show`. They are texts here, so that the settings tell all mistakes at once.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct SettingsArgs {
    /// A TOML file with settings
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The directory of the log and of what is derived from it [default: weir-data]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<String>,
    /// The address on which both APIs listen [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) host: Option<String>,
    /// The port of the Events API; 0 takes a free one [default: 4000]
    #[arg(long, value_name = "PORT")]
    pub(crate) events_port: Option<String>,
    /// The port of the Configuration API; 0 takes a free one [default: 4001]
    #[arg(long, value_name = "PORT")]
    pub(crate) config_port: Option<String>,
    /// The certificate of the Events API (PEM), which then speaks TLS only
    #[arg(long, value_name = "FILE")]
    pub(crate) events_tls_cert: Option<String>,
    /// The private key of that certificate (PEM)
    #[arg(long, value_name = "FILE")]
    pub(crate) events_tls_key: Option<String>,
    /// Take only clients of the Events API with a certificate of these issuers (PEM)
    #[arg(long, value_name = "FILE")]
    pub(crate) events_tls_client_ca: Option<String>,
    /// The certificate of the Configuration API (PEM), which then speaks TLS only
    #[arg(long, value_name = "FILE")]
    pub(crate) config_tls_cert: Option<String>,
    /// The private key of that certificate (PEM)
    #[arg(long, value_name = "FILE")]
    pub(crate) config_tls_key: Option<String>,
    /// Take only clients of the Configuration API with a certificate of these issuers (PEM)
    #[arg(long, value_name = "FILE")]
    pub(crate) config_tls_client_ca: Option<String>,
    /// Answer when an event is on stable storage, or already when the operating system has it [default: synced]
    #[arg(long, value_name = "synced|os")]
    pub(crate) durability: Option<String>,
    /// The form of the server's own log, on standard error [default: json]
    #[arg(long, value_name = "text|json")]
    pub(crate) log_format: Option<String>,
    /// How much the server logs: off, error, warn, info, debug, trace, or as info,weir_flow=debug [default: info]
    #[arg(long, value_name = "LEVEL")]
    pub(crate) log_level: Option<String>,
}

impl SettingsArgs {
    /// Returns the settings that were given, under their names.
    pub(crate) fn flags(&self) -> Vec<(&'static str, String)> {
        given([
            ("data_dir", &self.data_dir),
            ("host", &self.host),
            ("events_port", &self.events_port),
            ("config_port", &self.config_port),
            ("events_tls_cert", &self.events_tls_cert),
            ("events_tls_key", &self.events_tls_key),
            ("events_tls_client_ca", &self.events_tls_client_ca),
            ("config_tls_cert", &self.config_tls_cert),
            ("config_tls_key", &self.config_tls_key),
            ("config_tls_client_ca", &self.config_tls_client_ca),
            ("durability", &self.durability),
            ("log.format", &self.log_format),
            ("log.level", &self.log_level),
        ])
    }
}

fn given<const N: usize>(flags: [(&'static str, &Option<String>); N]) -> Vec<(&'static str, String)> {
    flags.into_iter().filter_map(|(key, value)| Some((key, value.clone()?))).collect()
}

/// Flags of `weir emit`.
#[derive(Clone, Debug, Args)]
pub(crate) struct EmitArgs {
    /// Files of JSON lines, `-` for standard input
    #[arg(value_name = "FILE", conflicts_with = "event")]
    pub(crate) files: Vec<PathBuf>,
    /// One event instead of files.
    #[command(flatten)]
    pub(crate) event: EventArgs,
    /// The space to emit into
    #[arg(long, value_name = "SPACE", default_value = "default", value_parser = space)]
    pub(crate) space: SpaceName,
    /// The Events API of the server
    #[arg(long, value_name = "URL", default_value = EVENTS_URL)]
    pub(crate) url: BaseUrl,
    /// How the server is spoken to.
    #[command(flatten)]
    pub(crate) access: AccessArgs,
    /// Lines that are sent with one request
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = value_parser!(u32).range(1..=16_384))]
    pub(crate) batch: u32,
    /// Requests at the same time; more than 1 is faster, but the order of the lines is not kept
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u32).range(1..=64))]
    pub(crate) in_flight: u32,
}

/// The attributes and the data of one event.
#[derive(Clone, Debug, Args)]
#[group(id = "event", multiple = true)]
pub(crate) struct EventArgs {
    /// What happened: the event type
    #[arg(long = "type", value_name = "TYPE", requires = "source")]
    pub(crate) event_type: Option<String>,
    /// Where it happened: a URI-reference such as /shop
    #[arg(long, value_name = "URI", requires = "event_type")]
    pub(crate) source: Option<String>,
    /// The identifier, unique for its source [default: a new UUID]
    #[arg(long, value_name = "ID", requires = "event_type")]
    pub(crate) id: Option<String>,
    /// What it happened to
    #[arg(long, value_name = "SUBJECT", requires = "event_type")]
    pub(crate) subject: Option<String>,
    /// When it happened (RFC 3339) [default: now]
    #[arg(long, value_name = "TIME", requires = "event_type")]
    pub(crate) time: Option<String>,
    /// The data: JSON, @FILE, or - for standard input
    #[arg(long, value_name = "JSON|@FILE|-", requires = "event_type", allow_hyphen_values = true)]
    pub(crate) data: Option<String>,
    /// The media type of the data [default: application/json]
    #[arg(long, value_name = "TYPE", requires = "data")]
    pub(crate) datacontenttype: Option<String>,
    /// The schema of the data
    #[arg(long, value_name = "URI", requires = "event_type")]
    pub(crate) dataschema: Option<String>,
    /// An extension attribute as text, such as partitionkey=7; may come several times
    #[arg(long = "ext", value_name = "NAME=VALUE", value_parser = extension, requires = "event_type")]
    pub(crate) extensions: Vec<(String, String)>,
}

/// Flags of `weir tail`.
#[derive(Clone, Debug, Args)]
pub(crate) struct TailArgs {
    /// Only events of this type; may come several times
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) types: Vec<String>,
    /// Only events of this key
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
    /// Begin at this position
    #[arg(long, value_name = "POSITION", group = "start")]
    pub(crate) from: Option<u64>,
    /// Begin with what was recorded at this time (RFC 3339)
    #[arg(long, value_name = "TIME", group = "start")]
    pub(crate) since: Option<String>,
    /// Begin with the newest events, so many [default: 10]
    #[arg(long, value_name = "N", group = "start", value_parser = value_parser!(u32).range(0..=LAST_MAX))]
    pub(crate) last: Option<u32>,
    /// Wait for further events, until Ctrl-C
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// The space to look at
    #[arg(long, value_name = "SPACE", default_value = "default", value_parser = space)]
    pub(crate) space: SpaceName,
    /// The Configuration API of the server
    #[arg(long, visible_alias = "config-url", value_name = "URL", default_value = CONFIG_URL)]
    pub(crate) url: BaseUrl,
    /// How the server is spoken to.
    #[command(flatten)]
    pub(crate) access: AccessArgs,
}

/// What can be done with the files of a log.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Check every byte of the log: checksums, chain, positions and events
    #[command(after_help = "Example: weir log verify --data-dir weir-data\n\nThe server must be stopped. Ends with 1 \
                            where anything is damaged.")]
    Verify(DataArgs),
    /// Look into the files of the log
    #[command(after_help = "Examples:\n  weir log inspect --data-dir weir-data\n  \
                            weir log inspect --data-dir weir-data --frames --position 1000\n  \
                            weir log inspect --data-dir weir-data --position 1000 --limit 5")]
    Inspect(InspectArgs),
    /// Cut an unfinished end, rebuild the index, and make a damaged log readable again
    #[command(after_help = "Example: weir log repair --data-dir weir-data\n\nThe server must be stopped; keep a copy \
                            of the directory. Without --accept-loss nothing that was acknowledged is given up: the \
                            repair refuses and says what would be lost.")]
    Repair(RepairArgs),
}

/// Which log.
#[derive(Clone, Debug, Args)]
pub(crate) struct DataArgs {
    /// The data directory of the server
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: PathBuf,
}

/// Flags of `weir log inspect`.
#[derive(Clone, Debug, Args)]
pub(crate) struct InspectArgs {
    /// Which log.
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Show the events from this position on, or with --frames the frames
    #[arg(long, value_name = "POSITION")]
    pub(crate) position: Option<u64>,
    /// Show frames instead of events
    #[arg(long)]
    pub(crate) frames: bool,
    /// Show so many at most
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = value_parser!(u32).range(1..=100_000))]
    pub(crate) limit: u32,
}

/// Flags of `weir log repair`.
#[derive(Clone, Debug, Args)]
pub(crate) struct RepairArgs {
    /// Which log.
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Give up events that cannot be read any more; each is named
    #[arg(long)]
    pub(crate) accept_loss: bool,
}

/// What can be done with settings.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the settings that a server would have with these flags, and where each value comes from
    #[command(after_help = "Example: weir config show --config /etc/weir.toml")]
    Show(SettingsArgs),
}

fn space(text: &str) -> Result<SpaceName, NameError> {
    SpaceName::new(text)
}

fn extension(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write it as NAME=VALUE, such as partitionkey=7".into()),
    }
}

#[cfg(test)]
mod tests;
