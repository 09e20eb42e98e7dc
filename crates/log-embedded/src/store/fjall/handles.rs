//! The open database and its keyspaces.

use std::path::Path;

use fjall::{
    Database, Keyspace, KeyspaceCreateOptions,
    config::{BloomConstructionPolicy, FilterPolicy, FilterPolicyEntry, PinningPolicy},
};

const CACHE_BYTES: u64 = 8 * 1024 * 1024;
const MEMTABLE_BYTES: u64 = 4 * 1024 * 1024;

/// Everything that must be given up before the database can be opened again.
pub(super) struct Handles {
    pub(super) index: Keyspaces,
    pub(super) checkpoints: Keyspace,
    pub(super) database: Database,
}

/// The derived part.
pub(super) struct Keyspaces {
    pub(super) ids: Keyspace,
    pub(super) lists: Keyspace,
    pub(super) frames: Keyspace,
    pub(super) spaces: Keyspace,
    pub(super) meta: Keyspace,
}

fn plain() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES)
}

impl Handles {
    pub(super) fn open(directory: &Path) -> Result<Self, fjall::Error> {
        let database = Database::builder(directory)
            .cache_size(CACHE_BYTES)
            .worker_threads(1)
            .max_cached_files(Some(128))
            .open()?;
        let index = Keyspaces::open(&database)?;
        Ok(Self { index, checkpoints: database.keyspace("checkpoints", plain)?, database })
    }

    /// Forgets the index.
    pub(super) fn clear(&mut self) -> Result<(), fjall::Error> {
        // The watermark goes first: a rebuild that is interrupted then begins again from the start, and clears what is
        // left. Keyspaces are deleted, not cleared: a cleared one is cleared again when its journal is replayed, whatever
        // came after.
        for keyspace in self.index.watermark_first() {
            self.database.delete_keyspace(keyspace.clone())?;
        }
        self.index = Keyspaces::open(&self.database)?;
        Ok(())
    }
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

    fn watermark_first(&self) -> [&Keyspace; 5] {
        [&self.meta, &self.ids, &self.lists, &self.frames, &self.spaces]
    }

    /// Tells whether nothing at all is known. A missing watermark alone does not: what was added before it was lost would
    /// answer for events that the log no longer holds. A keyspace that cannot be read is not empty.
    pub(super) fn is_empty(&self) -> bool {
        self.watermark_first().iter().all(|keyspace| keyspace.is_empty().unwrap_or(false))
    }
}
