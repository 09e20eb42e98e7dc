//! The newest frames in memory, as they were written: readers at the end of the log share them.

use std::collections::VecDeque;

use weir_domain::Position;

use crate::frame::Frame;

/// A bounded run of the newest frames.
pub(crate) struct Tail {
    frames: VecDeque<Frame>,
    bytes: usize,
    bytes_max: usize,
}

impl Tail {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { frames: VecDeque::new(), bytes: 0, bytes_max }
    }

    /// Adds the newest frame and drops the oldest ones beyond the bound.
    pub(crate) fn push(&mut self, frame: Frame) {
        self.bytes += frame.bytes.len();
        self.frames.push_back(frame);
        while self.bytes > self.bytes_max {
            let Some(oldest) = self.frames.pop_front() else { break };
            self.bytes -= oldest.bytes.len();
        }
    }

    /// Returns the frames from the one that holds a position on, up to about `bytes_max`; `None` where memory does not
    /// reach back that far.
    pub(crate) fn from(&self, position: Position, bytes_max: usize) -> Option<Vec<Frame>> {
        if self.frames.front()?.header.base > position {
            return None;
        }
        let begin = self.frames.partition_point(|frame| frame.header.end() <= position);
        let mut bytes = 0;
        let taken = self.frames.range(begin..).take_while(|frame| {
            let before = bytes;
            bytes += frame.bytes.len();
            before < bytes_max
        });
        Some(taken.cloned().collect())
    }

    /// Returns the frame that holds a position.
    pub(crate) fn frame_with(&self, position: Position) -> Option<Frame> {
        let index = self.frames.partition_point(|frame| frame.header.end() <= position);
        self.frames.get(index).filter(|frame| frame.header.base <= position).cloned()
    }
}
