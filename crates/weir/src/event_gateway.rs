//! The command line of the Event Gateway, for whoever starts it by its flags: the program then stands in for it.
//!
//! Its flags are those of Go programs: one dash or two, a value behind `=` or as the next word, and no command. Here
//! they become settings; what a setting may be is not known here.

use std::{
    ffi::OsString,
    net::{IpAddr, Ipv4Addr},
    slice,
};

use crate::{
    cli::output::Failure,
    report::did_you_mean,
    settings::{self, LogFormat, LogSettings, Settings, Sources},
};

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The version, in its words.
    Version,
    /// A server in its place.
    Server(StandIn),
}

/// A server in the place of the Event Gateway.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct StandIn {
    /// Whether it is for a developer's machine: then only this machine reaches it, and its log is for people.
    is_for_development: bool,
    /// Settings under their names.
    flags: Vec<(&'static str, String)>,
    /// Flags that are taken and do nothing.
    idle: Vec<&'static str>,
}

/// What a flag means here.
#[derive(Clone, Copy)]
enum Meaning {
    Version,
    Development,
    Setting(&'static str),
    Nothing,
    Plugin,
}

/// All flags of version 0.9.1.
const FLAGS: [(&str, Meaning); 17] = [
    ("version", Meaning::Version),
    ("dev", Meaning::Development),
    ("embed-data-dir", Meaning::Setting("data_dir")),
    ("events-port", Meaning::Setting("events_port")),
    ("config-port", Meaning::Setting("config_port")),
    ("events-tls-cert", Meaning::Setting("events_tls_cert")),
    ("events-tls-key", Meaning::Setting("events_tls_key")),
    ("config-tls-cert", Meaning::Setting("config_tls_cert")),
    ("config-tls-key", Meaning::Setting("config_tls_key")),
    ("log-level", Meaning::Setting("log.level")),
    ("log-format", Meaning::Setting("log.format")),
    ("db-hosts", Meaning::Nothing),
    ("embed-peer-addr", Meaning::Nothing),
    ("embed-cli-addr", Meaning::Nothing),
    ("workers", Meaning::Nothing),
    ("workers-backlog", Meaning::Nothing),
    ("plugin", Meaning::Plugin),
];

/// Returns what the process was asked for in the words of the Event Gateway; nothing where the words are others.
#[expect(
    clippy::disallowed_methods,
    reason = "this is a part of the command line: it sees words that clap would refuse"
)]
pub(crate) fn asked() -> Option<Result<Asked, Failure>> {
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    parse(&words)
}

/// A line of the Event Gateway begins with one of its flags; one of ours with a command or a flag that it has not.
fn parse(words: &[OsString]) -> Option<Result<Asked, Failure>> {
    let first = words.first()?.to_str()?;
    let (name, _) = flag(first)?;
    // Both have a flag with this name. With two dashes, it asks this program.
    if first == "--version" || !FLAGS.iter().any(|(known, _)| *known == name) {
        return None;
    }
    let words: Result<Vec<String>, OsString> = words.iter().cloned().map(OsString::into_string).collect();
    Some(match words {
        Ok(words) => read(words.iter()),
        Err(word) => Err(Failure::invalid(format!("a flag must be UTF-8, but is not: {}", word.display()))),
    })
}

/// Divides a word into the name and the value of a flag.
fn flag(word: &str) -> Option<(&str, Option<&str>)> {
    let word = word.strip_prefix('-')?;
    let word = word.strip_prefix('-').unwrap_or(word);
    match word.split_once('=') {
        Some((name, value)) => Some((name, Some(value))),
        None => Some((word, None)),
    }
}

fn read(mut words: slice::Iter<'_, String>) -> Result<Asked, Failure> {
    let mut server = StandIn::default();
    while let Some(word) = words.next() {
        let Some((given, value)) = flag(word) else {
            let message = format!(
                "the flags of the Event Gateway stand without commands and other words, but there is {word:?}: \
                 remove it, or begin with a command of `weir --help`"
            );
            return Err(Failure::invalid(message));
        };
        let Some((name, meaning)) = FLAGS.iter().copied().find(|(name, _)| *name == given) else {
            let known: Vec<&str> = FLAGS.iter().map(|(name, _)| *name).collect();
            let guess = did_you_mean(given, &known);
            return Err(Failure::invalid(format!("the Event Gateway has no flag -{given}: {guess}")));
        };
        match meaning {
            Meaning::Version => return Ok(Asked::Version),
            Meaning::Development => server.is_for_development = truth(name, value.unwrap_or("true"))?,
            Meaning::Plugin => {
                let message = "plugins of the Event Gateway cannot be run: leave -plugin out, and subscribe a function \
                               to the events that the plugin was for";
                return Err(Failure::invalid(message));
            }
            Meaning::Setting(_) | Meaning::Nothing => {
                let value = value.or_else(|| words.next().map(String::as_str));
                let value =
                    value.ok_or_else(|| Failure::invalid(format!("-{name} needs a value: write -{name}=VALUE")))?;
                match meaning {
                    Meaning::Setting("log.level") if value == "err" => server.flags.push(("log.level", "error".into())),
                    Meaning::Setting(key) => server.flags.push((key, value.to_owned())),
                    _ => server.idle.push(name),
                }
            }
        }
    }
    Ok(Asked::Server(server))
}

/// Reads a truth value as Go does.
fn truth(name: &str, value: &str) -> Result<bool, Failure> {
    match value {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(Failure::invalid(format!("-{name} cannot be {value:?}: write -{name} or -{name}=false"))),
    }
}

impl StandIn {
    /// Says where its settings come from: what the Event Gateway takes where nothing is said, the environment, and the
    /// flags. There is no file.
    pub(crate) fn sources(&self) -> Sources {
        Sources {
            defaults: self.defaults(),
            file: None,
            environment: settings::environment(),
            flags: self.flags.clone(),
        }
    }

    /// As the Event Gateway, but for two: what is for development is not open to the network, and data lies where Weir
    /// has it, because `default.etcd` may be the database of an Event Gateway.
    fn defaults(&self) -> Settings {
        let (host, format) = match self.is_for_development {
            true => (Ipv4Addr::LOCALHOST, LogFormat::Text),
            false => (Ipv4Addr::UNSPECIFIED, LogFormat::Json),
        };
        Settings { host: IpAddr::V4(host), log: LogSettings { format, level: "info".into() }, ..Settings::default() }
    }

    /// Tells which flags do nothing here.
    pub(crate) fn warn(&self) {
        for name in &self.idle {
            tracing::warn!(
                "-{name} does nothing here and can be left out: there is no etcd, and no fixed set of workers"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &str) -> Option<Result<Asked, String>> {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        parse(&words).map(|asked| asked.map_err(|failure| failure.to_string()))
    }

    #[test]
    fn flags_of_go_become_settings() {
        let check = |line: &str, is_for_development: bool, flags: &[(&'static str, &str)], idle: &[&'static str]| {
            let flags = flags.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
            let expected = StandIn { is_for_development, flags, idle: idle.to_vec() };
            assert_eq!(asked(line), Some(Ok(Asked::Server(expected))), "{line}");
        };
        let ports = [("data_dir", "d"), ("config_port", "4101"), ("events_port", "4100")];
        check("--dev --embed-data-dir=d --config-port=4101 --events-port=4100", true, &ports, &[]);
        check("-dev -embed-data-dir d -config-port 4101 --events-port 4100", true, &ports, &[]);
        check("-dev=false -embed-data-dir=a=b", false, &[("data_dir", "a=b")], &[]);
        check("-log-level err -log-level=warn -dev", true, &[("log.level", "error"), ("log.level", "warn")], &[]);
        check(
            "-db-hosts a:1,b:1 -workers=7 -embed-peer-addr x",
            false,
            &[],
            &["db-hosts", "workers", "embed-peer-addr"],
        );
        // A value may look like a flag, as it does in Go.
        check("-log-format -dev", false, &[("log.format", "-dev")], &[]);
        assert_eq!(asked("-version"), Some(Ok(Asked::Version)));
        assert_eq!(asked("-dev --version"), Some(Ok(Asked::Version)));
    }

    #[test]
    fn other_lines_are_not_meant() {
        for line in
            ["", "dev", "serve -dev", "--version", "--help", "-h", "--json emit", "--color=never tail", "--devil", "-"]
        {
            assert_eq!(asked(line), None, "{line}");
        }
    }

    #[test]
    fn what_cannot_be_done_is_said() {
        let check = |line: &str, beginning: &str| {
            let Some(Err(message)) = asked(line) else { panic!("taken: {line}") };
            assert!(message.starts_with(beginning), "{line}: {message}");
        };
        check("-plugin ./x", "plugins of the Event Gateway cannot be run: leave -plugin out");
        check("-dev -config-prot 1", "the Event Gateway has no flag -config-prot: did you mean \"config-port\"?");
        check("-config-port", "-config-port needs a value: write -config-port=VALUE");
        check("-dev=maybe", "-dev cannot be \"maybe\": write -dev or -dev=false");
        check(
            "-dev true",
            "the flags of the Event Gateway stand without commands and other words, but there is \"true\"",
        );
    }

    #[test]
    fn what_is_for_development_is_not_open_to_the_network() {
        let defaults = |is_for_development| StandIn { is_for_development, ..StandIn::default() }.defaults();
        assert_eq!((defaults(true).host, defaults(true).log.format), (Ipv4Addr::LOCALHOST.into(), LogFormat::Text));
        assert_eq!((defaults(false).host, defaults(false).log.format), (Ipv4Addr::UNSPECIFIED.into(), LogFormat::Json));
    }
}
