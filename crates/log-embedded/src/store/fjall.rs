//! The store on disk: fjall, an LSM tree, fed with sorted blocks.
//!
//! ```text
//! ids          16-byte identity                          → position u64be
//! lists        17-byte list name, first position u64be   → LEB128 distances of up to 1,024 positions
//! frames       first position u64be                      → segment u64be, offset u64be
//! spaces       name                                      → newest position u64be
//! meta         "watermark"                               → position, segment, offset u64be, chain value
//! checkpoints  name                                      → value
//! ```

use std::{fs, io, path::Path};

use bytes::Bytes;
use fjall::{
    Database, Keyspace, KeyspaceCreateOptions, PersistMode,
    config::{BloomConstructionPolicy, FilterPolicy, FilterPolicyEntry, PinningPolicy},
};
use parking_lot::RwLock;
use weir_domain::{Position, SpaceName};
use weir_log::{Direction, LogError};

use super::{Block, IndexStore, Watermark};
use crate::{
    index::FramePlace,
    prepare::{IdHash, ListName},
};

const LIST_CHUNK: usize = 1024;
const WATERMARK: &str = "watermark";
const CACHE_BYTES: u64 = 8 * 1024 * 1024;
const MEMTABLE_BYTES: u64 = 4 * 1024 * 1024;

/// Keeps index and checkpoints in a directory.
pub struct FjallStore {
    database: Database,
    /// Replaced as a whole when the index is cleared.
    index: RwLock<Keyspaces>,
    checkpoints: Keyspace,
}

/// The derived part.
#[derive(Clone)]
struct Keyspaces {
    ids: Keyspace,
    lists: Keyspace,
    frames: Keyspace,
    spaces: Keyspace,
    meta: Keyspace,
}

fn plain() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES)
}

impl Keyspaces {
    fn open(database: &Database) -> Result<Self, fjall::Error> {
        // Look-ups of identities nearly always miss: filters in memory answer them.
        let unique = || {
            let bloom = FilterPolicyEntry::Bloom(BloomConstructionPolicy::BitsPerKey(12.0));
            plain()
                .filter_policy(FilterPolicy::all(bloom))
                .filter_block_pinning_policy(PinningPolicy::all(true))
                .index_block_pinning_policy(PinningPolicy::all(true))
        };
        Ok(Self {
            ids: database.keyspace("ids", unique)?,
            lists: database.keyspace("lists", plain)?,
            frames: database.keyspace("frames", plain)?,
            spaces: database.keyspace("spaces", plain)?,
            meta: database.keyspace("meta", plain)?,
        })
    }
}

impl FjallStore {
    /// Opens the store in a directory and creates it where it is missing.
    ///
    /// # Errors
    /// Where the files are damaged or cannot be read; [`FjallStore::set_aside`] then makes room for a new store.
    pub fn open(directory: &Path) -> Result<Self, LogError> {
        let open = || -> Result<Self, fjall::Error> {
            let database = Database::builder(directory)
                .cache_size(CACHE_BYTES)
                .worker_threads(1)
                .max_cached_files(Some(128))
                .open()?;
            let index = Keyspaces::open(&database)?;
            Ok(Self { index: index.into(), checkpoints: database.keyspace("checkpoints", plain)?, database })
        };
        open().map_err(failed)
    }

    /// Moves a store that cannot be opened out of the way, so that a new one can be built beside it.
    ///
    /// # Errors
    /// Where the directory cannot be renamed.
    pub fn set_aside(directory: &Path) -> io::Result<std::path::PathBuf> {
        let aside = (1..)
            .map(|number: u32| directory.with_extension(format!("damaged-{number}")))
            .find(|candidate| !candidate.exists())
            .unwrap_or_else(|| directory.with_extension("damaged"));
        fs::rename(directory, &aside)?;
        Ok(aside)
    }

    fn index(&self) -> Keyspaces {
        self.index.read().clone()
    }

    fn ingest(keyspace: &Keyspace, mut pairs: Vec<(Vec<u8>, Vec<u8>)>) -> Result<(), fjall::Error> {
        if pairs.is_empty() {
            return Ok(());
        }
        pairs.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let mut ingestion = keyspace.start_ingestion()?;
        for (key, value) in pairs {
            ingestion.write(key, value)?;
        }
        ingestion.finish()
    }

    fn ingest_ids(keyspace: &Keyspace, block: &Block) -> Result<(), fjall::Error> {
        let mut ids: Vec<(IdHash, Position)> = block.ids.iter().map(|(id, position)| (*id, *position)).collect();
        ids.sort_unstable();
        let mut ingestion = keyspace.start_ingestion()?;
        for (id, position) in ids {
            ingestion.write(&id[..], &position.get().to_be_bytes()[..])?;
        }
        ingestion.finish()
    }

    fn add_all(&self, block: &Block) -> Result<(), fjall::Error> {
        let index = self.index();
        if !block.ids.is_empty() {
            Self::ingest_ids(&index.ids, block)?;
        }
        let lists = block.lists.iter().flat_map(|(name, positions)| {
            positions.chunks(LIST_CHUNK).map(|chunk| (list_key(name, chunk[0]), encode_chunk(chunk)))
        });
        Self::ingest(&index.lists, lists.collect())?;
        let frames = block.frames.iter().map(|place| {
            let mut value = place.segment.get().to_be_bytes().to_vec();
            value.extend_from_slice(&place.offset.to_be_bytes());
            (place.base.get().to_be_bytes().to_vec(), value)
        });
        Self::ingest(&index.frames, frames.collect())?;
        let mut batch = self.database.batch();
        for (space, position) in &block.spaces {
            batch.insert(&index.spaces, space.as_str(), &position.get().to_be_bytes()[..]);
        }
        if let Some(watermark) = &block.watermark {
            batch.insert(&index.meta, WATERMARK, encode_watermark(watermark));
        }
        batch.commit()?;
        self.database.persist(PersistMode::SyncAll)
    }
}

impl IndexStore for FjallStore {
    fn watermark(&self) -> Result<Option<Watermark>, LogError> {
        let Some(bytes) = self.index.read().meta.get(WATERMARK).map_err(failed)? else { return Ok(None) };
        decode_watermark(&bytes).map(Some).ok_or_else(|| malformed("watermark"))
    }

    fn add(&self, block: &Block) -> Result<(), LogError> {
        self.add_all(block).map_err(failed)
    }

    fn clear_index(&self) -> Result<(), LogError> {
        if self.watermark()?.is_none() {
            // Blocks that were added without a watermark are added again, with the same content.
            return Ok(());
        }
        let mut index = self.index.write();
        let Keyspaces { ids, lists, frames, spaces, meta } = index.clone();
        // The watermark goes first: a rebuild that is interrupted then begins again from the start. Keyspaces are
        // deleted, not cleared: a cleared one is cleared again when its journal is replayed, whatever came after.
        for keyspace in [meta, ids, lists, frames, spaces] {
            self.database.delete_keyspace(keyspace).map_err(failed)?;
        }
        *index = Keyspaces::open(&self.database).map_err(failed)?;
        Ok(())
    }

    fn id(&self, id: &IdHash) -> Result<Option<Position>, LogError> {
        let Some(bytes) = self.index.read().ids.get(id).map_err(failed)? else { return Ok(None) };
        position(&bytes).map(Some).ok_or_else(|| malformed("identity"))
    }

    fn list(
        &self,
        list: &ListName,
        from: Position,
        direction: Direction,
        most: usize,
    ) -> Result<Vec<Position>, LogError> {
        let mut found = Vec::new();
        if most == 0 {
            return Ok(found);
        }
        let index = self.index();
        let start = list_key(list, from);
        // The chunk that begins at or before `from` may contain it.
        let mut before = index.lists.range(list.to_vec()..=start.clone()).rev();
        match direction {
            Direction::Backward => {
                for chunk in before {
                    let chunk = decode_chunk(chunk.into_inner().map_err(failed)?)?;
                    found.extend(chunk.into_iter().rev().filter(|p| *p <= from).take(most - found.len()));
                    if found.len() >= most {
                        break;
                    }
                }
            }
            Direction::Forward => {
                let first = before.next();
                let mut end = list.to_vec();
                end.extend_from_slice(&[0xff; 8]);
                let after = index.lists.range((std::ops::Bound::Excluded(start), std::ops::Bound::Included(end)));
                for chunk in first.into_iter().chain(after) {
                    let chunk = decode_chunk(chunk.into_inner().map_err(failed)?)?;
                    found.extend(chunk.into_iter().filter(|p| *p >= from).take(most - found.len()));
                    if found.len() >= most {
                        break;
                    }
                }
            }
        }
        Ok(found)
    }

    fn newest_of_space(&self, space: &SpaceName) -> Result<Option<Position>, LogError> {
        let Some(bytes) = self.index.read().spaces.get(space.as_str()).map_err(failed)? else { return Ok(None) };
        position(&bytes).map(Some).ok_or_else(|| malformed("space"))
    }

    fn frame_before(&self, at: Position) -> Result<Option<FramePlace>, LogError> {
        let Some(entry) = self.index().frames.range(..=at.get().to_be_bytes()).next_back() else { return Ok(None) };
        let (key, value) = entry.into_inner().map_err(failed)?;
        let parts = value.split_at_checked(8).and_then(|(segment, offset)| {
            Some(FramePlace { base: position(&key)?, segment: position(segment)?, offset: position(offset)?.get() })
        });
        parts.map(Some).ok_or_else(|| malformed("frame"))
    }

    fn load_checkpoint(&self, name: &str) -> Result<Option<Bytes>, LogError> {
        let value = self.checkpoints.get(name).map_err(failed)?;
        Ok(value.map(|value| Bytes::copy_from_slice(&value)))
    }

    fn store_checkpoints(&self, values: &[(String, Bytes)]) -> Result<(), LogError> {
        let mut batch = self.database.batch();
        for (name, value) in values {
            batch.insert(&self.checkpoints, name.as_str(), &value[..]);
        }
        batch.commit().map_err(failed)
    }

    fn sync(&self) -> Result<(), LogError> {
        self.database.persist(PersistMode::SyncAll).map_err(failed)
    }
}

fn failed(error: fjall::Error) -> LogError {
    match error {
        fjall::Error::Io(source) => LogError::io("using the index", "index", source),
        other => LogError::Index { detail: other.to_string() },
    }
}

fn malformed(what: &str) -> LogError {
    LogError::Index { detail: format!("an entry about a {what} has the wrong length: run `weir log repair`") }
}

fn position(bytes: &[u8]) -> Option<Position> {
    Some(Position::new(u64::from_be_bytes(bytes.try_into().ok()?)))
}

fn list_key(list: &ListName, first: Position) -> Vec<u8> {
    let mut key = list.to_vec();
    key.extend_from_slice(&first.get().to_be_bytes());
    key
}

fn encode_chunk(positions: &[Position]) -> Vec<u8> {
    let mut out = Vec::with_capacity(positions.len() * 2);
    let mut last = positions[0];
    for position in &positions[1..] {
        let mut distance = position.get() - last.get();
        last = *position;
        while distance >= 0x80 {
            out.push(distance as u8 | 0x80);
            distance >>= 7;
        }
        out.push(distance as u8);
    }
    out
}

fn decode_chunk((key, value): (fjall::UserKey, fjall::UserValue)) -> Result<Vec<Position>, LogError> {
    let first = key.get(17..).and_then(position).ok_or_else(|| malformed("list"))?;
    let mut positions = vec![first];
    let (mut at, mut distance, mut shift) = (first.get(), 0u64, 0u32);
    for byte in value.iter() {
        if shift > 63 {
            return Err(malformed("list"));
        }
        distance |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if *byte < 0x80 {
            at = at.checked_add(distance).ok_or_else(|| malformed("list"))?;
            positions.push(Position::new(at));
            (distance, shift) = (0, 0);
        }
    }
    Ok(positions)
}

fn encode_watermark(watermark: &Watermark) -> Vec<u8> {
    let mut out = Vec::with_capacity(56);
    for number in [watermark.position.get(), watermark.segment.get(), watermark.offset] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    out.extend_from_slice(&watermark.chain);
    out
}

fn decode_watermark(bytes: &[u8]) -> Option<Watermark> {
    let (numbers, chain) = bytes.split_at_checked(24)?;
    Some(Watermark {
        position: position(&numbers[..8])?,
        segment: position(&numbers[8..16])?,
        offset: position(&numbers[16..])?.get(),
        chain: chain.try_into().ok()?,
    })
}
