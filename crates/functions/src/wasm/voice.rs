//! What one instance says: its lines, bounded, with the event that it is about.

use std::sync::Arc;

use parking_lot::Mutex;

use weir_domain::{Event, FunctionId};

use crate::{GuestLevel, GuestLog};

/// Longer lines are cut.
pub(super) const LINE_BYTES_MAX: usize = 8 * 1024;
/// Lines of one call; further ones are counted and dropped.
const LINES_PER_CALL_MAX: u32 = 1000;

/// The way from one instance to the log.
pub(super) struct Voice {
    function: FunctionId,
    log: Arc<dyn GuestLog>,
    now: Mutex<Now>,
}

/// The call that is under way.
#[derive(Default)]
struct Now {
    event: Option<Event>,
    lines: u32,
    /// Beginnings of lines that were written without an end: standard output and error.
    partial: [Vec<u8>; 2],
}

/// A stream that has no lines of its own.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stream {
    Out,
    Err,
}

impl Stream {
    const ALL: [Self; 2] = [Self::Out, Self::Err];

    fn level(self) -> GuestLevel {
        match self {
            Self::Out => GuestLevel::Info,
            Self::Err => GuestLevel::Warn,
        }
    }
}

impl Voice {
    pub(super) fn new(function: FunctionId, log: Arc<dyn GuestLog>) -> Self {
        Self { function, log, now: Mutex::default() }
    }

    /// Begins a call.
    pub(super) fn begin(&self, event: &Event) {
        let mut now = self.now.lock();
        now.event = Some(event.clone());
        now.lines = 0;
    }

    /// Ends a call: lines without an end are complete, and what was dropped is told.
    pub(super) fn end(&self) {
        for stream in Stream::ALL {
            let rest = std::mem::take(&mut self.now.lock().partial[stream as usize]);
            if !rest.is_empty() {
                self.line(stream.level(), &String::from_utf8_lossy(&rest));
            }
        }
        let (event, lines) = {
            let mut now = self.now.lock();
            (now.event.take(), now.lines)
        };
        let dropped = lines.saturating_sub(LINES_PER_CALL_MAX);
        if dropped > 0 {
            self.tell(event.as_ref(), GuestLevel::Warn, &format!("further lines of this call were dropped: {dropped}"));
        }
    }

    /// Says one line.
    pub(super) fn line(&self, level: GuestLevel, text: &str) {
        let event = {
            let mut now = self.now.lock();
            now.lines = now.lines.saturating_add(1);
            if now.lines > LINES_PER_CALL_MAX {
                return;
            }
            now.event.clone()
        };
        self.tell(event.as_ref(), level, cut(text));
    }

    /// Says every line that these bytes complete.
    pub(super) fn bytes(&self, stream: Stream, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let line = {
                let mut now = self.now.lock();
                let partial = &mut now.partial[stream as usize];
                partial.extend_from_slice(piece);
                let is_whole = piece.ends_with(b"\n") || partial.len() >= LINE_BYTES_MAX;
                is_whole.then(|| std::mem::take(partial))
            };
            if let Some(line) = line {
                self.line(stream.level(), String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']));
            }
        }
    }

    /// The lock is not held here: what the log does with a line is its own affair.
    fn tell(&self, event: Option<&Event>, level: GuestLevel, text: &str) {
        self.log.line(&self.function, event.map_or("", Event::id), level, text);
    }
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(LINE_BYTES_MAX)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Lines(Mutex<Vec<String>>);

    impl GuestLog for Lines {
        fn line(&self, function: &FunctionId, event_id: &str, level: GuestLevel, text: &str) {
            self.0.lock().push(format!("{function} {event_id} {} {text}", level.as_str()));
        }
    }

    fn voice() -> (Voice, Arc<Lines>) {
        let lines = Arc::new(Lines::default());
        let voice = Voice::new(FunctionId::new("f").expect("valid"), Arc::clone(&lines) as Arc<dyn GuestLog>);
        voice.begin(&Event::builder("7", "/s", "t").build().expect("valid"));
        (voice, lines)
    }

    #[test]
    fn bytes_become_lines() {
        let (voice, lines) = voice();
        voice.bytes(Stream::Out, b"one\r\ntw");
        voice.bytes(Stream::Err, b"oh");
        voice.bytes(Stream::Out, b"o\n\nrest");
        voice.end();
        voice.line(GuestLevel::Debug, "after");
        assert_eq!(
            *lines.0.lock(),
            ["f 7 info one", "f 7 info two", "f 7 info ", "f 7 info rest", "f 7 warn oh", "f  debug after"]
        );
    }

    #[test]
    fn lines_and_their_number_are_bounded() {
        let (voice, lines) = voice();
        voice.line(GuestLevel::Info, &"é".repeat(LINE_BYTES_MAX));
        voice.bytes(Stream::Out, &[b'x'; 3 * LINE_BYTES_MAX]);
        for _ in 0..2 * LINES_PER_CALL_MAX {
            voice.line(GuestLevel::Info, "more");
        }
        voice.end();
        let lines = lines.0.lock();
        assert!(lines.iter().all(|line| line.len() <= LINE_BYTES_MAX + 16), "cut");
        assert_eq!(lines.len(), LINES_PER_CALL_MAX as usize + 1);
        let told = lines.last().expect("a line");
        assert!(told.starts_with("f 7 warn further lines of this call were dropped: 100"), "{told}");
    }
}
