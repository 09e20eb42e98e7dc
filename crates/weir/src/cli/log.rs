//! `weir log`: the files of a log, offline. What is checked and mended is the engine's; here it is shown.

use std::path::Path;

use indicatif::{HumanBytes, HumanCount, ProgressBar};
use serde_json::{Value, json};
use weir_cloudevents::time;
use weir_domain::{Clock, ErrorKind, Position, PositionRange};
use weir_log_embedded::tools::{self, Damage, Repaired, Stage, Verified};

use crate::{
    cli::{
        InspectArgs, LogCommand, RepairArgs,
        output::{Exit, Failure, Output, Paint, Table, clean, clip, ending},
    },
    naming::counted,
};

/// How much of the data of an event is shown where no terminal bounds it, in characters.
const DATA_SHOWN_MAX: usize = 200;

/// Carries out the command. Reading and mending files blocks the thread.
pub(crate) fn run(command: &LogCommand, output: &Output, clock: &dyn Clock) -> anyhow::Result<Exit> {
    match command {
        LogCommand::Verify(args) => verify(present(&args.data_dir)?, output),
        LogCommand::Inspect(args) => inspect(present(&args.data.data_dir)?, args, output),
        LogCommand::Repair(args) => repair(present(&args.data.data_dir)?, args, output, clock),
    }
}

/// Refuses a directory without a log, which the engine would make one in.
fn present(directory: &Path) -> Result<&Path, Failure> {
    if directory.join("log").is_dir() {
        return Ok(directory);
    }
    let message = format!("there is no log in {}: name the data directory of a server", directory.display());
    Err(Failure::new(ErrorKind::NotFound, message))
}

fn verify(directory: &Path, output: &Output) -> anyhow::Result<Exit> {
    let bar = output.progress("verifying", Some(0));
    let verified = tools::verify(directory, &mut |done, total| advance(&bar, done, total));
    bar.finish_and_clear();
    let verified = verified?;
    let exit = if verified.damage.is_empty() { Exit::Done } else { Exit::Findings };
    ending(exit, show_verified(&verified, output))
}

fn show_verified(verified: &Verified, output: &Output) -> anyhow::Result<()> {
    if output.is_json() {
        return Ok(output.json(&verified_json(verified))?);
    }
    let mut pairs = vec![
        ("segments", HumanCount(verified.segments).to_string()),
        ("frames", HumanCount(verified.frames).to_string()),
        ("events", format!("{} in {}", HumanCount(verified.events), HumanBytes(verified.bytes))),
        ("end", format!("position {}", verified.end)),
        ("head of the chain", hex(&verified.head)),
    ];
    if let Some(recorded) = verified.last_recorded {
        pairs.push(("last written", time::format(recorded)));
    }
    pairs.extend(verified.gaps.iter().map(|gap| ("given up earlier", positions(*gap))));
    if verified.unfinished_bytes > 0 {
        let bytes = HumanBytes(verified.unfinished_bytes);
        pairs.push((
            "unfinished end",
            format!("{bytes} that belong to no acknowledged event; the next start cuts them"),
        ));
    }
    output.pairs(&pairs)?;
    if let Some(error) = &verified.index_error {
        let unknown = format!("the index cannot be read, so events missing from the very end go unnoticed: {error}");
        output.line(output.paint(Paint::Warn, clean(&unknown)))?;
    }
    if verified.damage.is_empty() {
        output.line(output.paint(Paint::Good, "the log is whole: every frame is what was written"))?;
    } else {
        output.table(&damage_table(&verified.damage))?;
        let places = counted(verified.damage.len() as u64, "place");
        output.line(output.paint(Paint::Bad, format!("the log is damaged in {places}")))?;
        output.line("keep a copy of the directory, then ask `weir log repair` what can be saved")?;
    }
    Ok(())
}

fn inspect(directory: &Path, args: &InspectArgs, output: &Output) -> anyhow::Result<Exit> {
    let most = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let from = Position::new(args.position.unwrap_or_default());
    if args.frames {
        frames(directory, from, most, output)?;
    } else if args.position.is_some() {
        events(directory, from, most, output)?;
    } else {
        segments(directory, output)?;
    }
    Ok(Exit::Done)
}

fn segments(directory: &Path, output: &Output) -> anyhow::Result<()> {
    let segments = tools::segments(directory)?;
    if output.is_json() {
        let rows = segments.iter().map(|it| json!({ "file": it.file, "base": it.base.get(), "bytes": it.bytes }));
        return Ok(output.json(&rows.collect::<Vec<Value>>())?);
    }
    let mut table = Table::with_heading(&["segment", "first position", "bytes"]);
    for it in &segments {
        table.row([plain(&it.file), plain(it.base), plain(HumanCount(it.bytes))]);
    }
    Ok(output.table(&table)?)
}

fn frames(directory: &Path, from: Position, most: usize, output: &Output) -> anyhow::Result<()> {
    let frames = tools::frames(directory, from, most)?;
    if output.is_json() {
        let rows = frames.iter().map(|it| {
            json!({
                "offset": it.offset,
                "bytes": it.bytes,
                "base": it.base.get(),
                "events": it.events,
                "space": it.space,
                "recordedtime": time::format(it.recorded),
                "chain": hex(&it.chain),
                "gap": it.gap,
            })
        });
        return Ok(output.json(&rows.collect::<Vec<Value>>())?);
    }
    let mut table =
        Table::with_heading(&["offset", "bytes", "first position", "events", "space", "written", "chain", ""]);
    for it in &frames {
        let gap = if it.gap { ("given up".to_owned(), Paint::Bad) } else { plain("") };
        table.row([
            plain(it.offset),
            plain(it.bytes),
            plain(it.base),
            plain(it.events),
            plain(clip(&it.space, 128)),
            plain(time::format(it.recorded)),
            // As much of it as tells two frames apart.
            plain(&hex(&it.chain)[..16]),
            gap,
        ]);
    }
    Ok(output.table(&table)?)
}

fn events(directory: &Path, from: Position, most: usize, output: &Output) -> anyhow::Result<()> {
    let events = tools::events_at(directory, from, most)?;
    for (space, recorded) in &events {
        let (position, written) = (recorded.position.to_string(), time::format(recorded.recorded));
        if output.is_json() {
            let mut event = Vec::new();
            weir_cloudevents::json::encode(&recorded.event, &mut event);
            let event: &serde_json::value::RawValue = serde_json::from_slice(&event)?;
            output.json(&Shown { position: &position, space, recordedtime: &written, event })?;
            continue;
        }
        let event = &recorded.event;
        let key = recorded.key.as_ref().map_or("-", |key| key.as_str());
        let data = String::from_utf8_lossy(event.data().as_bytes());
        let columns = output.width().unwrap_or(DATA_SHOWN_MAX).saturating_sub(DETAIL.len()).max(20);
        output.line(output.paint(Paint::Strong, format!("position {position}")))?;
        for (name, value) in [
            ("written", written.as_str()),
            ("space", space.as_str()),
            ("type", event.event_type()),
            ("source", event.source()),
            ("id", event.id()),
            ("key", key),
            ("data", &*data),
        ] {
            let name = output.paint(Paint::Dim, format!("{DETAIL}{name:<9}"));
            output.line(format!("{name}{}", clip(value, columns)))?;
        }
    }
    if events.is_empty() {
        output.note(Paint::Dim, format!("there is no event at position {from} or after it"));
    }
    Ok(())
}

/// What stands before the details of an event.
const DETAIL: &str = "  ";

/// An event of the log with what the log knows about it.
#[derive(serde::Serialize)]
struct Shown<'a> {
    position: &'a str,
    space: &'a str,
    recordedtime: &'a str,
    event: &'a serde_json::value::RawValue,
}

fn repair(directory: &Path, args: &RepairArgs, output: &Output, clock: &dyn Clock) -> anyhow::Result<Exit> {
    let bar = output.progress("checking", Some(0));
    let mut present = Stage::Checking;
    let mut progress = |stage: Stage, done: u64, total: u64| {
        if stage != present {
            // What is to go is reckoned anew.
            bar.reset();
            bar.set_message("building the index");
            present = stage;
        }
        advance(&bar, done, total);
    };
    let repaired = tools::repair(directory, args.accept_loss, clock, &mut progress);
    bar.finish_and_clear();
    let repaired = repaired?;
    show_repaired(&repaired, output)?;
    Ok(Exit::Done)
}

fn show_repaired(repaired: &Repaired, output: &Output) -> anyhow::Result<()> {
    if output.is_json() {
        return Ok(output.json(&repaired_json(repaired))?);
    }
    if !repaired.given_up.is_empty() {
        output.table(&damage_table(&repaired.given_up))?;
        let places = counted(repaired.given_up.len() as u64, "damaged place");
        output.line(output.paint(Paint::Warn, format!("given up, as listed: {places}")))?;
    }
    for copy in &repaired.kept_in {
        output.line(format!("a copy of what stood there is in {copy}"))?;
    }
    let recovered = &repaired.recovered;
    match &recovered.cut {
        Some(cut) => output.line(format!(
            "{} of an unfinished write were cut off {} at byte {}; a copy is in {}",
            HumanBytes(cut.bytes),
            cut.file,
            cut.offset,
            cut.kept_in
        ))?,
        None => output.line("nothing had to be cut off the end")?,
    }
    output.line(format!("the index was built anew from {}", counted(recovered.scanned_events, "event")))?;
    output.line(output.paint(Paint::Good, format!("the log is whole up to position {}", recovered.end)))?;
    Ok(())
}

fn advance(bar: &ProgressBar, done: u64, total: u64) {
    bar.set_length(total);
    bar.set_position(done);
}

fn plain(value: impl ToString) -> (String, Paint) {
    (value.to_string(), Paint::Plain)
}

fn positions(range: PositionRange) -> String {
    format!("positions {} to {}", range.first, range.last)
}

fn damage_table(damage: &[Damage]) -> Table {
    let mut table = Table::with_heading(&["file", "from byte", "to byte", "what is wrong", "what is lost"]);
    for it in damage {
        let lost = it.lost.map_or_else(|| "no event".into(), positions);
        table.row([
            plain(&it.file),
            plain(it.offset),
            plain(it.until),
            (it.what.clone(), Paint::Bad),
            (lost, Paint::Warn),
        ]);
    }
    table
}

fn range_json(range: PositionRange) -> Value {
    json!({ "first": range.first.get(), "last": range.last.get() })
}

fn damage_json(damage: &[Damage]) -> Value {
    let places = damage.iter().map(|it| {
        json!({
            "file": it.file,
            "offset": it.offset,
            "until": it.until,
            "what": it.what,
            "lost": it.lost.map(range_json),
        })
    });
    places.collect()
}

fn verified_json(verified: &Verified) -> Value {
    json!({
        "segments": verified.segments,
        "frames": verified.frames,
        "events": verified.events,
        "bytes": verified.bytes,
        "end": verified.end.get(),
        "head": hex(&verified.head),
        "last_recorded": verified.last_recorded.map(time::format),
        "gaps": verified.gaps.iter().copied().map(range_json).collect::<Vec<Value>>(),
        "damage": damage_json(&verified.damage),
        "unfinished_bytes": verified.unfinished_bytes,
        "index_error": verified.index_error,
    })
}

fn repaired_json(repaired: &Repaired) -> Value {
    let recovered = &repaired.recovered;
    let cut = recovered
        .cut
        .as_ref()
        .map(|cut| json!({ "file": cut.file, "offset": cut.offset, "bytes": cut.bytes, "kept_in": cut.kept_in }));
    json!({
        "given_up": damage_json(&repaired.given_up),
        "kept_in": repaired.kept_in,
        "cut": cut,
        "indexed_events": recovered.scanned_events,
        "end": recovered.end.get(),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{DataArgs, output::Captured};

    struct Noon;

    impl Clock for Noon {
        fn now(&self) -> weir_domain::Timestamp {
            weir_domain::Timestamp::from_unix_micros(43_200_000_000)
        }
    }

    fn data(directory: &Path) -> DataArgs {
        DataArgs { data_dir: directory.to_owned() }
    }

    #[test]
    fn a_directory_without_a_log_is_named() {
        let directory = tempfile::tempdir().expect("a directory");
        let inspect = InspectArgs { data: data(directory.path()), position: None, frames: false, limit: 20 };
        let output = Captured::default().output(false, None);
        let error = run(&LogCommand::Inspect(inspect), &output, &Noon).expect_err("no log");
        let expected = format!("there is no log in {}: name the data directory", directory.path().display());
        assert!(error.to_string().starts_with(&expected), "{error:#}");
        for command in [
            LogCommand::Verify(data(directory.path())),
            LogCommand::Repair(RepairArgs { data: data(directory.path()), accept_loss: true }),
        ] {
            assert!(run(&command, &output, &Noon).is_err());
        }
        assert_eq!(std::fs::read_dir(directory.path()).expect("the directory").count(), 0, "nothing was made");
    }

    #[test]
    fn what_was_found_is_told_to_programs_too() {
        let verified = Verified {
            segments: 2,
            events: 7,
            end: Position::new(9),
            head: [0xab; 32],
            gaps: vec![PositionRange { first: Position::new(3), last: Position::new(4) }],
            ..Verified::default()
        };
        let shown = verified_json(&verified);
        assert_eq!(shown["gaps"], json!([{ "first": 3, "last": 4 }]));
        assert_eq!((&shown["end"], &shown["damage"], &shown["last_recorded"]), (&json!(9), &json!([]), &Value::Null));
        assert_eq!(shown["head"], json!("ab".repeat(32)));
    }

    #[test]
    fn what_verify_could_not_look_at_is_told() {
        let verified = Verified { index_error: Some("it is locked".into()), ..Verified::default() };
        let captured = Captured::default();
        show_verified(&verified, &captured.output(false, None)).expect("shown");
        let told = "the index cannot be read, so events missing from the very end go unnoticed: it is locked\n";
        assert!(captured.text().contains(told), "{}", captured.text());
        assert_eq!(verified_json(&verified)["index_error"], "it is locked");
        assert_eq!(verified_json(&Verified::default())["index_error"], Value::Null);
    }

    #[test]
    fn a_repair_says_where_the_damaged_bytes_are_kept() {
        let recovered = weir_log_embedded::Recovered { end: Position::new(7), ..Default::default() };
        let repaired = Repaired { given_up: Vec::new(), kept_in: vec!["1.seg.cut-489".into()], recovered };
        let captured = Captured::default();
        show_repaired(&repaired, &captured.output(false, None)).expect("shown");
        let shown = captured.text();
        assert!(shown.contains("a copy of what stood there is in 1.seg.cut-489\n"), "{shown}");
        assert!(shown.ends_with("the log is whole up to position 7\n"), "{shown}");
        assert_eq!(repaired_json(&repaired)["kept_in"], json!(["1.seg.cut-489"]));
    }
}
