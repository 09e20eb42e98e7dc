//! The live picture of `weir dev`: what enters, which function it is given, what comes out, in time and colour.
//!
//! The paths that events take must not wait for a terminal: lines go through a bounded queue to one printing thread, and
//! what does not fit is counted and said.

use std::{
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    time::Duration,
};

use owo_colors::{OwoColorize, Style};
use weir_catalog::{Subscription, SubscriptionKind};
use weir_domain::{Clock, FunctionId};
use weir_flow::{Counting, Happening, Observer};
use weir_functions::{GuestLevel, GuestLog};
use weir_log::Recorded;

use crate::{
    cli::output::{clean, clip},
    naming::Action,
    ports::SystemClock,
};

const LINES_MAX: usize = 2048;
/// As much of a key as is shown, and of an event's identifier, in characters.
const KEY_WIDTH_MAX: usize = 40;
const ID_WIDTH_MAX: usize = 36;
/// As much of an error as is shown, and as is logged, in characters. Of a delivery the record has the whole.
const ERROR_WIDTH_MAX: usize = 240;
const LOGGED_ERROR_MAX: usize = 2000;

/// Where lines are put.
#[derive(Clone)]
pub(crate) struct Picture {
    lines: SyncSender<String>,
    missed: Arc<AtomicU64>,
    styles: Styles,
}

#[derive(Clone, Copy, Default)]
struct Styles {
    time: Style,
    event: Style,
    function: Style,
    good: Style,
    bad: Style,
    note: Style,
}

/// Prints lines until the last [`Picture`] is gone.
pub(crate) struct Printer {
    lines: Receiver<String>,
    missed: Arc<AtomicU64>,
}

/// Makes a picture and its printer.
pub(crate) fn picture(colour: bool) -> (Picture, Printer) {
    let (sender, lines) = sync_channel(LINES_MAX);
    let missed = Arc::new(AtomicU64::new(0));
    let styles = if colour {
        Styles {
            time: Style::new().dimmed(),
            event: Style::new().cyan(),
            function: Style::new().yellow(),
            good: Style::new().green(),
            bad: Style::new().red(),
            note: Style::new().dimmed(),
        }
    } else {
        Styles::default()
    };
    (Picture { lines: sender, missed: missed.clone(), styles }, Printer { lines, missed })
}

impl Printer {
    /// Prints until nobody can say anything any more.
    pub(crate) fn run(self) {
        let mut out = std::io::stdout().lock();
        while let Ok(line) = self.lines.recv() {
            let mut text = line;
            // What has piled up goes out in one write.
            while let Ok(line) = self.lines.try_recv() {
                text.push('\n');
                text.push_str(&line);
            }
            let missed = self.missed.swap(0, Ordering::Relaxed);
            if missed > 0 {
                text.push_str(&format!("\n  … {missed} more lines than the terminal can show"));
            }
            // A terminal that is gone is no reason to stop the server.
            if writeln!(out, "{text}").is_err() {
                return;
            }
        }
    }
}

impl Picture {
    /// Adds a line. What others have written is made safe for a terminal before.
    pub(crate) fn say(&self, line: impl Into<String>) {
        if self.lines.try_send(line.into()).is_err() {
            self.missed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Adds a line that reports something good.
    pub(crate) fn good(&self, line: &str) {
        self.say(clean(line).style(self.styles.good).to_string());
    }

    /// Adds a line that reports something bad.
    pub(crate) fn bad(&self, line: &str) {
        self.say(clean(line).style(self.styles.bad).to_string());
    }

    /// Adds a line that tells what was done to a part of the configuration.
    pub(crate) fn changed(&self, action: Action, what: &str) {
        let (word, style) = match action {
            Action::Create => ("created", self.styles.good),
            Action::Update => ("changed", self.styles.event),
            Action::Delete => ("deleted", self.styles.function),
            Action::Keep => ("unchanged", self.styles.note),
        };
        self.say(format!("  {} {}", word.style(style), clean(what)));
    }

    fn now(&self) -> String {
        let text = weir_cloudevents::time::format(SystemClock.now());
        // Hours to milliseconds of the RFC 3339 form.
        text.get(11..23).unwrap_or_default().style(self.styles.time).to_string()
    }

    /// Shows an event that has entered.
    pub(crate) fn entered(&self, recorded: &Recorded) {
        let Styles { event, note, .. } = self.styles;
        let key = recorded.key.as_ref().map(|key| format!("  {key}")).unwrap_or_default();
        self.say(format!(
            "{} {} {}{}",
            self.now(),
            format!("{:>8}", recorded.position.get()).style(note),
            format!("● {}", recorded.event.event_type()).style(event),
            clip(&key, KEY_WIDTH_MAX).style(note)
        ));
    }
}

impl Observer for Picture {
    fn observe(&self, happening: &Happening<'_>) {
        let Styles { event: event_style, function: function_style, good, bad, note, .. } = self.styles;
        match happening {
            Happening::Called { function, event, position, attempt, took, returned, status, .. } => {
                let made: Vec<_> = returned.iter().map(weir_domain::Event::event_type).collect();
                let mut result = String::new();
                if let Some(status) = status {
                    result.push_str(&format!(" → {status}"));
                }
                if !made.is_empty() {
                    result.push_str(&format!(" → {}", made.join(", ")));
                }
                let again = if *attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
                self.say(format!(
                    "{} {} {} → {} {}{}{}",
                    self.now(),
                    format!("{:>8}", position.map(|p| p.to_string()).unwrap_or_default()).style(note),
                    event.event_type().style(event_style),
                    function.style(function_style),
                    duration(*took).style(note),
                    again.style(note),
                    result.style(good)
                ));
            }
            Happening::Failed {
                subscription,
                function,
                event,
                position,
                attempt,
                took,
                error,
                counting,
                retry_in,
                ..
            } => {
                let then = match subscription.kind {
                    SubscriptionKind::Sync => String::new(),
                    SubscriptionKind::Async => format!(" ({})", consequence(*attempt, *counting, *retry_in)),
                };
                self.say(format!(
                    "{} {} {} → {} {} {}",
                    self.now(),
                    format!("{:>8}", position.map(|p| p.to_string()).unwrap_or_default()).style(note),
                    event.event_type().style(event_style),
                    function.style(function_style),
                    duration(*took).style(note),
                    format!("✗ {}{then}", one_line(error, ERROR_WIDTH_MAX)).style(bad)
                ));
            }
        }
    }
}

impl GuestLog for Picture {
    fn line(&self, function: &FunctionId, event_id: &str, level: GuestLevel, text: &str) {
        let start = format!("{:>21} ", "│");
        let text = clean(text.trim_end()).replace('\n', &format!("\n{start}  "));
        let line = format!("{start}{function} [{}] {text}", clip(event_id, ID_WIDTH_MAX));
        match level {
            GuestLevel::Error | GuestLevel::Warn => self.bad(&line),
            _ => self.say(line.style(self.styles.note).to_string()),
        }
    }
}

/// Writes what functions log to the log of the server.
pub(crate) struct GuestToLog;

impl GuestLog for GuestToLog {
    fn line(&self, function: &FunctionId, event_id: &str, level: GuestLevel, text: &str) {
        match level {
            GuestLevel::Error => tracing::error!(target: "guest", %function, event_id, "{text}"),
            GuestLevel::Warn => tracing::warn!(target: "guest", %function, event_id, "{text}"),
            GuestLevel::Info => tracing::info!(target: "guest", %function, event_id, "{text}"),
            _ => tracing::debug!(target: "guest", %function, event_id, "{text}"),
        }
    }
}

/// Writes failed calls to the log of the server.
pub(crate) struct FailuresToLog;

impl Observer for FailuresToLog {
    fn observe(&self, happening: &Happening<'_>) {
        let Happening::Failed { space, subscription, function, event, position, attempt, error, retry_in, .. } =
            happening
        else {
            return;
        };
        let (event_id, event_type) = (event.id(), event.event_type());
        let route = route_of(subscription);
        let position = position.map(weir_domain::Position::get);
        let error = one_line(error, LOGGED_ERROR_MAX);
        let retry_in_ms = retry_in.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        tracing::warn!(
            %space, %function, route, event_id, event_type, position, attempt, retry_in_ms, error, "a function failed"
        );
    }
}

/// Says what follows from a failed attempt of a delivery.
fn consequence(attempt: u32, counting: Counting, retry_in: Option<Duration>) -> String {
    let again = match retry_in {
        Some(wait) if wait < Duration::from_millis(1) => "again at once".to_owned(),
        Some(wait) => format!("again in {}", duration(wait)),
        None => "given up".to_owned(),
    };
    match counting {
        Counting::Counted if retry_in.is_none() => format!("given up after attempt {attempt}"),
        Counting::Counted => format!("attempt {attempt} failed, {again}"),
        Counting::Unreached => format!("not reached, does not count; {again}"),
        Counting::Platform => format!("does not count; {again}"),
    }
}

/// Makes a text one line, such as a page or a stack of calls, and at most so many characters long.
fn one_line(text: &str, columns: usize) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    clip(&words.join(" "), columns)
}

/// Returns the route on which a caller waits, where one does.
fn route_of(subscription: &Subscription) -> Option<String> {
    let Subscription { kind, method, path, .. } = subscription;
    (*kind == SubscriptionKind::Sync).then(|| format!("{} {path}", method.as_str()))
}

fn duration(duration: Duration) -> String {
    let micros = duration.as_micros();
    match micros {
        0..1000 => format!("{micros} µs"),
        1000..1_000_000 => format!("{:.1} ms", micros as f64 / 1e3),
        _ => format!("{:.1} s", micros as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;
    use weir_catalog::{EventTypeName, Method};
    use weir_domain::{Event, Key, Position, SpaceName, Timestamp};

    use super::*;

    /// What was written to the log.
    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// Tells of a delivery that is to be tried again, or of a call on a route, which is not.
    fn failure(observer: &dyn Observer, subscription: &Subscription, error: &str) {
        let event = Event::builder("7", "/shop", subscription.event_type.as_str()).build().expect("valid");
        let is_route = subscription.kind == SubscriptionKind::Sync;
        observer.observe(&Happening::Failed {
            space: &SpaceName::default(),
            subscription,
            function: &subscription.function,
            event: &event,
            position: (!is_route).then_some(Position::new(5)),
            attempt: 1,
            took: Duration::from_millis(2),
            error,
            counting: Counting::Counted,
            retry_in: (!is_route).then_some(Duration::from_millis(1500)),
        });
    }

    fn listener() -> Subscription {
        let event_type = EventTypeName::new("order.placed").expect("valid");
        Subscription::to_events(event_type, FunctionId::new("bill").expect("valid"))
    }

    fn route() -> Subscription {
        Subscription::to_route(Method::Post, "/bill", FunctionId::new("bill").expect("valid"))
    }

    #[test]
    fn a_failure_in_the_log_says_whose_it_is() {
        let written = Written::default();
        let writer = written.clone();
        let log = tracing_subscriber::fmt().with_writer(move || writer.clone()).json().flatten_event(true).finish();
        tracing::subscriber::with_default(log, || {
            failure(&FailuresToLog, &listener(), "it threw");
            failure(&FailuresToLog, &route(), "it threw");
        });
        let writer = written.clone();
        let log = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish();
        tracing::subscriber::with_default(log, || failure(&FailuresToLog, &route(), "it threw\nhere"));
        let text = String::from_utf8(written.0.lock().clone()).expect("text");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        let json = |line: &str| serde_json::from_str::<serde_json::Value>(line).expect("JSON");
        let (delivery, called) = (json(lines[0]), json(lines[1]));
        for line in [&delivery, &called] {
            let named = ["space", "function", "event_id", "error"].map(|name| line[name].as_str().unwrap_or_default());
            assert_eq!(named, ["default", "bill", "7", "it threw"], "{line}");
        }
        assert_eq!((&delivery["retry_in_ms"], delivery.get("route")), (&serde_json::json!(1500), None), "{delivery}");
        assert_eq!((&called["route"], called.get("retry_in_ms")), (&serde_json::json!("POST /bill"), None), "{called}");
        for part in ["space=default", "function=bill", "route=\"POST /bill\"", "event_id=\"7\""] {
            assert!(lines[2].contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn nothing_that_others_have_written_reaches_the_terminal() {
        let (picture, printer) = picture(false);
        let function = FunctionId::new("greet").expect("valid");
        picture.line(&function, "7\u{1b}[2J", GuestLevel::Info, "\u{1b}]0;title\u{7}one\ntwo\n");
        picture.line(&function, "7", GuestLevel::Error, "\u{9b}31m");
        picture.bad("of a \u{1b}[8m function");
        let event = Event::builder("1", "/shop", "order.placed").build().expect("valid");
        picture.entered(&Recorded {
            position: Position::new(7),
            recorded: Timestamp::from_unix_micros(0),
            key: Key::new("\u{1b}c\n"),
            event,
        });
        let lines: Vec<String> = printer.lines.try_iter().collect();
        assert_eq!(lines.len(), 4, "{lines:?}");
        assert!(lines.concat().chars().all(|c| !c.is_control() || c == '\n'), "{lines:?}");
        assert!(lines[0].ends_with("\u{fffd}]0;title\u{fffd}one\n                    │   two"), "{lines:?}");
        assert!(lines[3].ends_with("● order.placed  \u{fffd}c\u{fffd}"), "{lines:?}");
    }

    #[test]
    fn a_failure_is_one_line_and_says_what_follows() {
        let (picture, printer) = picture(false);
        failure(&picture, &listener(), "it threw\n    at handle (g.js:1:38)\n");
        failure(&picture, &route(), &format!("<html>\n{}", "<p>no</p>\n".repeat(100)));
        let lines: Vec<String> = printer.lines.try_iter().collect();
        let told = "✗ it threw at handle (g.js:1:38) (attempt 1 failed, again in 1.5 s)";
        assert!(lines[0].ends_with(told), "{lines:?}");
        assert!(lines[1].ends_with('…') && lines[1].contains("✗ <html> <p>no</p> <p>no"), "{lines:?}");
        assert!(lines.iter().all(|line| line.chars().count() < 320 && !line.contains('\n')), "{lines:?}");
    }

    #[test]
    fn attempts_that_do_not_count_say_so() {
        let check = |counting, retry_in: Option<u64>, expected: &str| {
            assert_eq!(consequence(3, counting, retry_in.map(Duration::from_micros)), expected);
        };
        check(Counting::Counted, Some(669_000), "attempt 3 failed, again in 669.0 ms");
        check(Counting::Counted, Some(0), "attempt 3 failed, again at once");
        check(Counting::Counted, None, "given up after attempt 3");
        check(Counting::Unreached, Some(669_000), "not reached, does not count; again in 669.0 ms");
        check(Counting::Unreached, None, "not reached, does not count; given up");
        check(Counting::Platform, Some(500_000), "does not count; again in 500.0 ms");
    }

    #[test]
    fn colour_that_was_asked_for_is_given() {
        let (picture, printer) = picture(true);
        picture.good("done");
        assert!(printer.lines.try_iter().all(|line| line.contains("\u{1b}[32m")));
    }
}
