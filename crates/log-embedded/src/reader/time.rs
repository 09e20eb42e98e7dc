//! From a time to a place in the log.

use weir_domain::{Position, Timestamp};
use weir_log::LogError;

use super::walk::frame_with;
use crate::{frame::Frame, shared::Shared};

/// Where in the log a time lies: the first position of the first frame that was written at or after it.
pub(crate) fn position_at(shared: &Shared, time: Timestamp) -> Result<Position, LogError> {
    let end = *shared.end.borrow();
    let (mut low, mut high) = (Position::ORIGIN.next(), end.next());
    // Clocks may go back a little; then any frame near the time is as good as another. Each round moves one of the two:
    // the frame holds the middle, so it ends behind `low` and begins before `high`.
    while low < high {
        let middle = Position::new(low.get() + (high.get() - low.get()) / 2);
        let holding = frame_with(shared, middle)?.frame;
        let begin = holding.header.base;
        match written_frame(shared, holding, high)? {
            Some(frame) if frame.header.recorded < time => low = frame.header.end(),
            _ => high = begin.max(low),
        }
    }
    // In a gap there is nothing to read: the answer is the event behind it.
    while low <= end {
        let frame = frame_with(shared, low)?.frame;
        if !frame.header.is_gap() {
            break;
        }
        low = frame.header.end();
    }
    Ok(low)
}

/// Returns the frame, or the next one with events where it is a gap: that one bears the time of the repair, which says
/// nothing about the events around it. `None` where there is no such frame before a position.
fn written_frame(shared: &Shared, mut frame: Frame, before: Position) -> Result<Option<Frame>, LogError> {
    while frame.header.is_gap() {
        let next = frame.header.end();
        if next >= before {
            return Ok(None);
        }
        frame = frame_with(shared, next)?.frame;
    }
    Ok(Some(frame))
}
