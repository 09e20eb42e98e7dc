//! Lines of files and of standard input as batches of events. What stands in an event is not looked at, except that it
//! is one JSON object: a broken line must not change what its neighbours mean.

use std::{ops::Range, path::PathBuf, time::Duration};

use anyhow::Context;
use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::{
    fs::File,
    io::{self, AsyncBufReadExt, AsyncRead, BufReader},
};

/// A batch goes out when it has so many bytes, whatever the number of its events.
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The longest line that is read, in bytes; longer ones are refused.
const LINE_BYTES_MAX: usize = 32 * 1024 * 1024;
/// A batch goes out when no further line comes for so long: a slow producer does not wait for its own events.
const LINGER: Duration = Duration::from_millis(50);
/// What is read from a file at once, in bytes.
const READ_BYTES: usize = 256 * 1024;

/// A line that was refused, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Refusal {
    /// The file and the line, counted from 1.
    pub(super) place: String,
    /// What is wrong with it.
    pub(super) message: String,
}

/// Events that are sent together: a JSON array, and where its elements come from.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// The events, each behind a comma.
    text: Vec<u8>,
    events: Vec<Element>,
    name: String,
    /// Lines that are no events at all.
    pub(super) refused: Vec<Refusal>,
    /// Bytes of the input that are dealt with when this is.
    pub(super) input_bytes: u64,
}

#[derive(Debug)]
struct Element {
    line: u64,
    place: Range<usize>,
}

impl Batch {
    fn of(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// Returns the number of events.
    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    /// Tells whether there is nothing to report about.
    fn is_empty(&self) -> bool {
        self.input_bytes == 0
    }

    fn is_full(&self, events_max: usize) -> bool {
        self.events.len() + self.refused.len() >= events_max || self.text.len() >= BATCH_BYTES_MAX
    }

    fn add(&mut self, line: Line<'_>) {
        self.input_bytes += line.bytes;
        let text = line.text.trim_ascii();
        if text.is_empty() && !line.is_cut {
            return;
        }
        let problem = if line.is_cut {
            format!("the line is longer than {LINE_BYTES_MAX} bytes: send less data with one event")
        } else if text[0] != b'{' {
            "the line is no JSON object: write each event as one on a line of its own".into()
        } else {
            match serde_json::from_slice::<&RawValue>(text) {
                Ok(_) => return self.push(line.number, text),
                Err(error) => format!("the line is no JSON object: {error}"),
            }
        };
        self.refused.push(Refusal { place: place(&self.name, line.number), message: problem });
    }

    fn push(&mut self, line: u64, text: &[u8]) {
        self.text.push(b',');
        let start = self.text.len();
        self.text.extend_from_slice(text);
        self.events.push(Element { line, place: start..self.text.len() });
    }

    /// Returns some of the events as a JSON array.
    pub(super) fn body(&self, events: Range<usize>) -> Bytes {
        let events = &self.events[events];
        let (Some(first), Some(last)) = (events.first(), events.last()) else { return Bytes::from_static(b"[]") };
        // Commas between the events are there already.
        let text = &self.text[first.place.start..last.place.end];
        let mut body = Vec::with_capacity(text.len() + 2);
        body.push(b'[');
        body.extend_from_slice(text);
        body.push(b']');
        body.into()
    }

    /// Returns the refusal of one of the events.
    pub(super) fn refusal(&self, event: usize, message: String) -> Refusal {
        let line = self.events.get(event).map_or(0, |element| element.line);
        Refusal { place: place(&self.name, line), message }
    }
}

fn place(name: &str, line: u64) -> String {
    format!("{name}:{line}")
}

/// One line as it was read.
struct Line<'a> {
    number: u64,
    /// Without its end; less of it where it is cut.
    text: &'a [u8],
    /// Bytes of the input, its end included.
    bytes: u64,
    /// Whether it was too long.
    is_cut: bool,
}

/// The lines of one file. The future of [`next`](Self::next) can be dropped without losing anything.
struct Lines {
    reader: BufReader<Box<dyn AsyncRead + Send + Unpin>>,
    number: u64,
    text: Vec<u8>,
    bytes: u64,
    /// Whether the line that is kept here is complete.
    done: bool,
}

impl Lines {
    fn new(reader: Box<dyn AsyncRead + Send + Unpin>) -> Self {
        let reader = BufReader::with_capacity(READ_BYTES, reader);
        Self { reader, number: 0, text: Vec::new(), bytes: 0, done: true }
    }

    /// Reads a line, which [`line`](Self::line) then shows; false at the end of the file.
    async fn next(&mut self) -> io::Result<bool> {
        if self.done {
            self.text.clear();
            (self.bytes, self.done) = (0, false);
        }
        loop {
            let available = self.reader.fill_buf().await?;
            if available.is_empty() && self.bytes == 0 {
                return Ok(false);
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let part = end.map_or(available, |end| &available[..end]);
            let room = LINE_BYTES_MAX + 1 - self.text.len();
            self.text.extend_from_slice(&part[..part.len().min(room)]);
            let (length, is_last) = (end.map_or(part.len(), |end| end + 1), end.is_some() || available.is_empty());
            self.reader.consume(length);
            self.bytes += length as u64;
            if is_last {
                break;
            }
        }
        self.number += 1;
        self.done = true;
        Ok(true)
    }

    fn line(&self) -> Line<'_> {
        let is_cut = self.text.len() > LINE_BYTES_MAX;
        Line { number: self.number, text: &self.text, bytes: self.bytes, is_cut }
    }
}

/// All files of the command line, one after another.
pub(super) struct Input {
    files: Vec<PathBuf>,
    /// How many of them were opened.
    opened: usize,
    current: Option<Lines>,
    batch: Batch,
    events_max: usize,
}

impl Input {
    /// Makes the input; nothing is opened yet.
    pub(super) fn new(files: Vec<PathBuf>, events_max: usize) -> Self {
        Self { files, opened: 0, current: None, batch: Batch::default(), events_max }
    }

    /// Returns the bytes of all files together, where that can be known before they are read.
    pub(super) async fn bytes(&self) -> Option<u64> {
        let mut bytes = 0;
        for path in &self.files {
            let metadata = tokio::fs::metadata(path).await.ok().filter(std::fs::Metadata::is_file)?;
            bytes += metadata.len();
        }
        Some(bytes)
    }

    /// Returns the next batch, which may have refused lines only; `None` when everything was read. The future can be
    /// dropped without losing anything.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<Batch>> {
        loop {
            if self.batch.is_full(self.events_max) {
                return Ok(Some(self.take()));
            }
            let Some(lines) = &mut self.current else {
                if !self.batch.is_empty() {
                    return Ok(Some(self.take()));
                }
                if !self.open().await? {
                    return Ok(None);
                }
                continue;
            };
            let read = if self.batch.is_empty() {
                lines.next().await
            } else {
                match tokio::time::timeout(LINGER, lines.next()).await {
                    Ok(read) => read,
                    Err(_) => return Ok(Some(self.take())),
                }
            };
            if read.with_context(|| format!("{} cannot be read", self.batch.name))? {
                self.batch.add(lines.line());
            } else {
                self.current = None;
            }
        }
    }

    /// Takes the batch that was collected; the next one is of the same file.
    fn take(&mut self) -> Batch {
        let next = Batch::of(&self.batch.name);
        std::mem::replace(&mut self.batch, next)
    }

    /// Opens the next file; false where there is none.
    async fn open(&mut self) -> anyhow::Result<bool> {
        let Some(path) = self.files.get(self.opened) else { return Ok(false) };
        let (name, reader): (String, Box<dyn AsyncRead + Send + Unpin>) = if path.as_os_str() == "-" {
            ("standard input".into(), Box::new(io::stdin()))
        } else {
            let name = path.display().to_string();
            let file = File::open(path).await.with_context(|| format!("{name} cannot be read"))?;
            (name, Box::new(file))
        };
        self.opened += 1;
        self.batch = Batch::of(&name);
        self.current = Some(Lines::new(reader));
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn batches(text: &[u8], events_max: usize) -> Vec<Batch> {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("events.jsonl");
        std::fs::write(&path, text).expect("written");
        let mut input = Input::new(vec![path], events_max);
        assert_eq!(input.bytes().await, Some(text.len() as u64));
        let mut batches = Vec::new();
        while let Some(batch) = input.next().await.expect("readable") {
            batches.push(batch);
        }
        assert_eq!(batches.iter().map(|batch| batch.input_bytes).sum::<u64>(), text.len() as u64);
        batches
    }

    fn bodies(batches: &[Batch]) -> Vec<String> {
        let whole = |batch: &Batch| String::from_utf8(batch.body(0..batch.len()).to_vec()).expect("JSON");
        batches.iter().map(whole).collect()
    }

    #[tokio::test]
    async fn lines_become_batches() {
        let found = batches(b"{\"a\":1}\n\n  {\"a\":2}\r\n{\"a\":3}", 2).await;
        assert_eq!(bodies(&found), ["[{\"a\":1},{\"a\":2}]", "[{\"a\":3}]"]);
        let refusal = found[0].refusal(1, "no".into());
        assert!(refusal.place.ends_with("events.jsonl:3"), "{refusal:?}");
        assert_eq!(found[0].body(1..2), "[{\"a\":2}]");
        assert_eq!(found[0].body(1..1), "[]");
        assert!(batches(b"", 2).await.is_empty());
    }

    #[tokio::test]
    async fn a_broken_line_does_not_touch_its_neighbours() {
        let found = batches(b"{\"a\":1}\n{\"a\":2},{\"a\":3}\n]\n{\"a\n{\"a\":4}\n\xff\n{\"\xff\":1}\n", 100).await;
        assert_eq!(bodies(&found), ["[{\"a\":1},{\"a\":4}]"]);
        let lines: Vec<_> = found[0].refused.iter().filter_map(|it| it.place.rsplit(':').next()).collect();
        assert_eq!(lines, ["2", "3", "4", "6", "7"]);
        assert!(found[0].refused[0].message.starts_with("the line is no JSON object: trailing characters"));
    }

    #[tokio::test]
    async fn a_file_of_refused_lines_comes_in_batches_too() {
        let found = batches(b"1\n2\n3\n", 2).await;
        assert_eq!(found.iter().map(|batch| (batch.len(), batch.refused.len())).collect::<Vec<_>>(), [(0, 2), (0, 1)]);
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_is_skipped() {
        let mut text = vec![b' '; LINE_BYTES_MAX];
        text.extend_from_slice(b"xy\n{}\n");
        let found = batches(&text, 100).await;
        assert_eq!(bodies(&found).concat().replace("[]", ""), "[{}]");
        let refused: Vec<_> = found.iter().flat_map(|batch| &batch.refused).collect();
        assert!(matches!(refused[..], [Refusal { message, .. }] if message.starts_with("the line is longer than")));
    }

    #[tokio::test]
    async fn a_slow_producer_does_not_wait_for_a_full_batch() {
        let (mut producer, reader) = tokio::io::duplex(64);
        let mut input = Input::new(Vec::new(), 100);
        input.current = Some(Lines::new(Box::new(reader)));
        tokio::io::AsyncWriteExt::write_all(&mut producer, b"{\"a\":1}\n{\"a\"").await.expect("room");
        let first = input.next().await.expect("readable").expect("a batch");
        assert_eq!(first.body(0..first.len()), "[{\"a\":1}]");
        tokio::io::AsyncWriteExt::write_all(&mut producer, b":2}\n").await.expect("room");
        drop(producer);
        let second = input.next().await.expect("readable").expect("a batch");
        assert_eq!(second.body(0..second.len()), "[{\"a\":2}]");
        assert!(input.next().await.expect("readable").is_none());
    }
}
