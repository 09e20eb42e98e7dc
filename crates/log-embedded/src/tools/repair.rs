//! Repairing a log: what cannot be read is given up, so that the rest can be.

use std::{path::Path, sync::Arc};

use weir_domain::{Clock, PositionRange};
use weir_log::LogError;

use super::verify::{Damage, base_of, verify_on};
use crate::{
    disk::Disk,
    engine,
    frame::{self, Chain},
    options::Options,
    recovery::{self, RECORD_BYTES_MIN, Recovered, Replayed},
    segment,
    store::{self, IndexStore},
};

/// A gap at the end of a file takes as much room as the positions it stands for would have taken, up to this.
const ROOM_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What a repair is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It looks for damage.
    Checking,
    /// It builds the index anew.
    Indexing,
}

/// What a repair did.
#[derive(Clone, Debug)]
pub struct Repaired {
    /// The damage that was found, each with the positions that were given up.
    pub given_up: Vec<Damage>,
    /// The files in which the damaged bytes are kept.
    pub kept_in: Vec<String>,
    /// What opening the repaired log found; its `cut` tells of an unfinished end.
    pub recovered: Recovered,
}

/// Repairs the log in a data directory: puts a gap in the place of damaged frames, cuts an unfinished end and builds
/// the index anew. Checkpoints are kept. `progress` is told of each of the two stages for itself, how much is done of how
/// much, in bytes.
///
/// # Errors
/// [`LogError::Corrupt`] where acknowledged events would be given up and `accept_loss` is false; otherwise as
/// [`verify`](super::verify()).
pub fn repair(
    directory: &Path,
    accept_loss: bool,
    clock: &dyn Clock,
    progress: &mut dyn FnMut(Stage, u64, u64),
) -> Result<Repaired, LogError> {
    let disk = engine::open_disk(directory)?;
    let _lock = engine::lock(disk.as_ref())?;
    let store: Arc<dyn IndexStore> = Arc::new(engine::open_store(&directory.join("index"))?);
    repair_on(&disk, &store, &Options::default(), accept_loss, clock, progress)
}

/// As [`repair`], on any disk and store.
///
/// # Errors
/// As [`repair`].
pub fn repair_on(
    disk: &Arc<dyn Disk>,
    store: &Arc<dyn IndexStore>,
    options: &Options,
    accept_loss: bool,
    clock: &dyn Clock,
    progress: &mut dyn FnMut(Stage, u64, u64),
) -> Result<Repaired, LogError> {
    let mut checked = |done: u64, total: u64| progress(Stage::Checking, done, total);
    let found = verify_on(disk.as_ref(), store::sealed(store.as_ref())?, &mut checked)?;
    if let Some(first) = found.damage.first().filter(|_| !accept_loss) {
        return Err(LogError::Corrupt {
            file: disk.path(&first.file),
            offset: first.offset,
            detail: format!(
                "damaged places: {}, the first because {}{}; repeat with --accept-loss to give up what cannot be read",
                found.damage.len(),
                first.what,
                first.lost.map(|lost| format!(" (positions {} to {})", lost.first, lost.last)).unwrap_or_default(),
            ),
        });
    }
    // Before the first is written: a repair that cannot be finished changes nothing.
    for damage in &found.damage {
        check_size(disk.as_ref(), damage)?;
    }
    let mut kept_in = Vec::new();
    for damage in &found.damage {
        kept_in.extend(mend(disk.as_ref(), damage, clock)?);
    }
    store.clear_index()?;
    let mut indexed = |replayed: Replayed| progress(Stage::Indexing, replayed.bytes, replayed.total_bytes);
    let opened = recovery::open(disk, store, options, clock, &mut indexed)?;
    let mut recovered = opened.recovered;
    recovered.rebuilt = true;
    Ok(Repaired { given_up: found.damage, kept_in, recovered })
}

/// Refuses what does not fit into the fields of a gap.
fn check_size(disk: &dyn Disk, damage: &Damage) -> Result<(), LogError> {
    let positions = damage.lost.map_or(0, |lost| lost.last.get() - lost.first.get() + 1);
    let bytes = damage.until - damage.offset;
    if positions.max(bytes) <= u64::from(u32::MAX) {
        return Ok(());
    }
    Err(LogError::Corrupt {
        file: disk.path(&damage.file),
        offset: damage.offset,
        detail: format!(
            "no gap can stand for so much ({positions} positions, {bytes} bytes): nothing was changed, restore a copy"
        ),
    })
}

/// Writes what lets the log be read over a damaged place. What was there is kept: a person may yet read something out of
/// it. Returns the name of the copy; `None` where nothing was written over.
fn mend(disk: &dyn Disk, damage: &Damage, clock: &dyn Clock) -> Result<Option<String>, LogError> {
    let failed = |error| LogError::io("repairing a segment", disk.path(&damage.file), error);
    let file = disk.open(&damage.file).map_err(failed)?;
    let there = recovery::read_remains(file.as_ref(), damage.offset, damage.until).map_err(failed)?;
    let patch = match damage.lost {
        _ if damage.offset == 0 && damage.until > 0 => {
            let base = base_of(&damage.file).unwrap_or_default();
            segment::header(base, &damage.chain_before, clock.now()).to_vec()
        }
        // Bytes cannot stand for a file that is missing.
        Some(lost) if damage.offset > 0 => {
            let nothing_follows = damage.until == file.length().map_err(failed)?;
            let length = if nothing_follows {
                // Should the gap be damaged one day, then what is written behind it is believed only if there was room
                // for the positions between.
                let room = (lost.last.get() - lost.first.get() + 1) * RECORD_BYTES_MIN;
                (there.len() as u64).max(room.min(ROOM_BYTES_MAX))
            } else {
                // It covers the damaged bytes exactly, so that what follows is found behind it.
                damage.until - damage.offset
            };
            gap(lost, length, &damage.chain_before, clock)
        }
        _ => return Ok(None),
    };
    let kept_in = if there.is_empty() {
        None
    } else {
        Some(recovery::keep(disk, &damage.file, damage.offset, &there).map_err(failed)?)
    };
    file.write_all_at(&patch, damage.offset).and_then(|()| file.sync()).map_err(failed)?;
    Ok(kept_in)
}

/// Makes a gap frame of a length. Both the length and the number of positions were checked.
fn gap(lost: PositionRange, length: u64, chain_before: &Chain, clock: &dyn Clock) -> Vec<u8> {
    let mut gap = Vec::new();
    let start = frame::begin("", &mut gap);
    gap.resize((length as usize).max(frame::HEADER_BYTES), 0);
    let draft = frame::Draft {
        flags: frame::FLAG_GAP,
        space: "",
        base: lost.first,
        count: (lost.last.get() - lost.first.get() + 1) as u32,
        recorded: clock.now(),
        durable: lost.last,
    };
    frame::finish(&draft, chain_before, start, &mut gap);
    gap
}
