//! Compiled functions of QuickJS, kept so that the next JavaScript file is compiled in a fraction of the time.
//!
//! All components of JavaScript files hold the same runtime with other data. wasmtime compiles one function after the
//! other and asks here first, so that only translating is left. The fragments are gathered while the runtime itself is
//! compiled, lie in one file with its hash at the beginning, and are in memory only while something is compiled: a
//! server at rest does not pay for them.

use std::{borrow::Cow, collections::HashMap, fs, io, mem, path::Path, sync::Arc};

use parking_lot::RwLock;
use wasmtime::CacheStore;

use super::artifact;

/// The whole runtime takes a fifth of it.
const FRAGMENTS_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Keeps fragments for as long as a [`Lease`] lives.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    held: RwLock<Held>,
}

#[derive(Debug, Default)]
struct Held {
    leases: usize,
    bytes: usize,
    by_key: HashMap<Box<[u8]>, Box<[u8]>>,
}

/// Holds the fragments in memory; the last one that is dropped lets them go.
pub(super) struct Lease(Arc<Fragments>);

impl Fragments {
    /// Holds what is gathered from now on.
    pub(super) fn lease(self: &Arc<Self>) -> Lease {
        self.held.write().leases += 1;
        Lease(Arc::clone(self))
    }
}

impl Lease {
    /// Takes in the fragments of a file. One that is missing is no error, it only costs time.
    ///
    /// # Errors
    /// Where the file cannot be read, or is not what was written.
    pub(super) fn load(&self, path: &Path) -> io::Result<()> {
        if !self.0.held.read().by_key.is_empty() {
            return Ok(());
        }
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let fragments =
            decode(&bytes).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the file is damaged"))?;
        let mut held = self.0.held.write();
        for (key, value) in fragments {
            held.put(key.into(), value.into());
        }
        Ok(())
    }

    /// Writes what is held to a file.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(super) fn save(&self, path: &Path) -> io::Result<()> {
        let bytes = encode(&self.0.held.read().by_key);
        artifact::write(path, &bytes)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut held = self.0.held.write();
        held.leases -= 1;
        let gone = if held.leases == 0 { mem::take(&mut *held) } else { Held::default() };
        drop(held);
        drop(gone);
    }
}

impl Held {
    fn put(&mut self, key: Box<[u8]>, value: Box<[u8]>) -> bool {
        let bytes = self.bytes + key.len() + value.len();
        if self.leases == 0 || bytes > FRAGMENTS_BYTES_MAX {
            return false;
        }
        self.bytes = bytes;
        self.by_key.insert(key, value);
        true
    }
}

impl CacheStore for Fragments {
    fn get(&self, key: &[u8]) -> Option<Cow<'_, [u8]>> {
        // Copied, for nothing may be lent out of the lock. It is a fraction of what compiling would cost.
        self.held.read().by_key.get(key).map(|value| Cow::Owned(value.to_vec()))
    }

    fn insert(&self, key: &[u8], value: Vec<u8>) -> bool {
        self.held.write().put(key.into(), value.into())
    }
}

/// The hash of the rest, then keys and values, each with its length before it.
fn encode(fragments: &HashMap<Box<[u8]>, Box<[u8]>>) -> Vec<u8> {
    let mut out = vec![0; blake3::OUT_LEN];
    for part in fragments.iter().flat_map(|(key, value)| [key, value]) {
        out.extend_from_slice(&(part.len() as u64).to_le_bytes());
        out.extend_from_slice(part);
    }
    let hash = blake3::hash(&out[blake3::OUT_LEN..]);
    out[..blake3::OUT_LEN].copy_from_slice(hash.as_bytes());
    out
}

fn decode(bytes: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let (hash, mut rest) = bytes.split_at_checked(blake3::OUT_LEN)?;
    if blake3::hash(rest).as_bytes() != hash {
        return None;
    }
    let mut fragments = Vec::new();
    while !rest.is_empty() {
        fragments.push((part(&mut rest)?, part(&mut rest)?));
    }
    Some(fragments)
}

fn part<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk()?;
    let (part, after) = after.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    *rest = after;
    Some(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragments_come_back_from_their_file_and_are_let_go() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("a.fragments");
        let fragments = Arc::new(Fragments::default());
        assert!(!fragments.insert(b"early", vec![1]), "nobody holds it");
        let lease = fragments.lease();
        lease.load(&path).expect("a missing file is no error");
        assert!(fragments.insert(b"key", vec![1, 2, 3]));
        assert!(fragments.insert(b"empty", Vec::new()));
        lease.save(&path).expect("saved");
        drop(lease);
        assert_eq!(fragments.get(b"key"), None);

        let lease = fragments.lease();
        lease.load(&path).expect("loaded");
        assert_eq!(fragments.get(b"key").as_deref(), Some(&[1, 2, 3][..]));
        assert_eq!(fragments.get(b"empty").as_deref(), Some(&[][..]));
        drop(lease);

        let whole = fs::read(&path).expect("readable");
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            fs::write(&path, changed).expect("written");
            assert!(fragments.lease().load(&path).is_err(), "byte {at}");
            fs::write(&path, &whole[..at]).expect("written");
            assert!(fragments.lease().load(&path).is_err(), "length {at}");
        }
    }
}
