//! Adding a block: in sorted bulk, and so that it can be broken off anywhere and done again.
//!
//! Each part of a block is durable as soon as it is in, and the watermark is last. After a kill in between the events are
//! read again, and the blocks that are then made of them may end elsewhere. For identities, frames and spaces this is no
//! matter: what is written for an event is always the same. But lists lie in chunks that are counted from where the block
//! begins, so chunks of both divisions would overlap, and a look-up, which goes by the nearest chunk, would miss events.
//!
//! So it is noted beforehand up to where a block is being added. Blocks that begin at or before this place remove, from
//! their first position on, what their lists have already. That is enough: a chunk that remains begins with an event,
//! the block that holds this event has its list, and this block begins at or before the chunk. Until it is added the event
//! lies behind the watermark, where memory answers and not the store.

use fjall::PersistMode;
use weir_domain::Position;

use super::{
    WATERMARK, encode_watermark,
    handles::Handles,
    lists::{self, CHUNK},
    position,
};
use crate::{prepare::IdHash, store::Block};

const UNFINISHED: &str = "unfinished";

impl Handles {
    /// Adds a block and moves the watermark.
    pub(super) fn add(&self, block: &Block) -> Result<(), fjall::Error> {
        // Without a watermark nothing says where the block ends: the note then stays, and later blocks look for remains
        // that are not there.
        let end = block.watermark.as_ref().map_or(Position::MAX, |mark| mark.position);
        let unfinished = self.begin(end)?;
        self.ingest(block, unfinished >= block.start)?;
        self.finish(block, unfinished <= end)
    }

    /// Notes up to where the store may now hold parts of a block, and returns the place that was noted before.
    pub(super) fn begin(&self, end: Position) -> Result<Position, fjall::Error> {
        let noted = self.index.meta.get(UNFINISHED)?;
        // A note that cannot be understood is as good as one of the farthest place.
        let before = noted.map_or(Position::ORIGIN, |bytes| position(&bytes).unwrap_or(Position::MAX));
        if end > before {
            let mut batch = self.database.batch();
            batch.insert(&self.index.meta, UNFINISHED, &end.get().to_be_bytes()[..]);
            batch.commit()?;
            // Before the first part: each of them is durable at once.
            self.database.persist(PersistMode::SyncAll)?;
        }
        Ok(before)
    }

    /// Writes the parts of a block that are found by events.
    pub(super) fn ingest(&self, block: &Block, remains: bool) -> Result<(), fjall::Error> {
        let mut ids: Vec<(IdHash, Position)> = block.ids.iter().map(|(id, position)| (*id, *position)).collect();
        if !ids.is_empty() {
            ids.sort_unstable();
            let mut ingestion = self.index.ids.start_ingestion()?;
            for (id, position) in ids {
                ingestion.write(&id[..], &position.get().to_be_bytes()[..])?;
            }
            ingestion.finish()?;
        }
        self.ingest_lists(block, remains)?;
        // Noted in the order of the log.
        if !block.frames.is_empty() {
            let mut ingestion = self.index.frames.start_ingestion()?;
            for place in &block.frames {
                let mut value = place.segment.get().to_be_bytes().to_vec();
                value.extend_from_slice(&place.offset.to_be_bytes());
                ingestion.write(&place.base.get().to_be_bytes()[..], value)?;
            }
            ingestion.finish()?;
        }
        Ok(())
    }

    /// Writes the lists of a block, and in the same step removes what remains of a block that was not finished.
    fn ingest_lists(&self, block: &Block, remains: bool) -> Result<(), fjall::Error> {
        let mut entries: Vec<(Vec<u8>, Option<Vec<u8>>)> = Vec::with_capacity(block.lists.len());
        for (name, positions) in &block.lists {
            let written = entries.len();
            let chunks = positions.chunks(CHUNK);
            entries.extend(chunks.map(|chunk| (lists::key(name, chunk[0]), Some(lists::encode(chunk)))));
            if !remains {
                continue;
            }
            let mut removed = Vec::new();
            for entry in self.index.lists.range(lists::key(name, block.start)..=lists::key(name, Position::MAX)) {
                let key = entry.key()?.to_vec();
                if entries[written..].iter().all(|(fresh, _)| *fresh != key) {
                    removed.push((key, None));
                }
            }
            entries.append(&mut removed);
        }
        if entries.is_empty() {
            return Ok(());
        }
        entries.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let mut ingestion = self.index.lists.start_ingestion()?;
        for (key, value) in entries {
            match value {
                Some(value) => ingestion.write(key, value)?,
                None => ingestion.write_tombstone(key)?,
            }
        }
        ingestion.finish()
    }

    /// Moves the watermark over a block whose parts are all there. It completes what was not finished where nothing of
    /// that lies behind it.
    fn finish(&self, block: &Block, completes: bool) -> Result<(), fjall::Error> {
        let mut batch = self.database.batch();
        for (space, position) in &block.spaces {
            batch.insert(&self.index.spaces, space.as_str(), &position.get().to_be_bytes()[..]);
        }
        if let Some(watermark) = &block.watermark {
            batch.insert(&self.index.meta, WATERMARK, encode_watermark(watermark));
            if completes {
                batch.remove(&self.index.meta, UNFINISHED);
            }
        }
        batch.commit()?;
        self.database.persist(PersistMode::SyncAll)
    }
}
