//! Compiled code that is kept between runs, so that a start does not compile again.
//!
//! A kept artefact is two files named by the key of what it was made from: the machine code, which is mapped into memory as it
//! is, and its BLAKE3 hash. Without the hash nothing is mapped: wasmtime trusts what it loads. A file that is missing,
//! cut or changed is a miss, never an error.
//!
//! The folder is bounded, and what was used last stays: the time of the file with the hash tells when that was. What
//! this process runs stays in any case, or a server with many functions would compile some of them at every start.

use std::{
    collections::HashMap,
    fs::{self, File},
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use parking_lot::Mutex;
use tempfile::NamedTempFile;
use wasmtime::{Engine, component::Component};

use super::fragments::{Fragments, Lease};

/// How much is kept. An artefact of a JavaScript function has five megabytes.
const BOUNDS: Bounds = Bounds { artifacts_max: 256, bytes_max: 2 * 1024 * 1024 * 1024 };

/// Counted up where the key must change though nothing that it is made of did.
const KEY_VERSION: u32 = 1;

const CODE: &str = "cwasm";
const HASH: &str = "blake3";
/// What was gathered while the code was compiled ([`super::fragments`]).
const FRAGMENTS: &str = "fragments";

/// What an artefact was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key(blake3::Hash);

impl Key {
    /// Makes the key of code that this engine compiles from these parts.
    pub(super) fn new(engine: &Engine, parts: &[&[u8]]) -> Self {
        let mut compatibility = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut compatibility);
        let mut hasher = blake3::Hasher::new();
        hasher.update(&KEY_VERSION.to_le_bytes());
        hasher.update(&compatibility.finish().to_le_bytes());
        for part in parts {
            // With its length, so that no two lists of parts look alike.
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Self(hasher.finalize())
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// How much the folder may hold.
#[derive(Clone, Copy)]
struct Bounds {
    artifacts_max: usize,
    bytes_max: u64,
}

/// The folder of kept artefacts.
pub(super) struct Artifacts {
    dir: Option<PathBuf>,
    fragments: Arc<Fragments>,
    held: Arc<Held>,
}

/// A component, and what keeps its artefact from being removed.
pub(super) struct Compiled {
    pub(super) component: Component,
    pub(super) hold: Hold,
}

/// How often each artefact is held.
type Held = Mutex<HashMap<blake3::Hash, usize>>;

/// Keeps an artefact for as long as it lives.
pub(super) struct Hold {
    key: Key,
    held: Arc<Held>,
}

impl Hold {
    fn new(held: &Arc<Held>, key: Key) -> Self {
        *held.lock().entry(key.0).or_default() += 1;
        Self { key, held: Arc::clone(held) }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut held = self.held.lock();
        let count = held.entry(self.key.0).or_default();
        *count = count.saturating_sub(1);
        if *count == 0 {
            held.remove(&self.key.0);
        }
    }
}

impl Artifacts {
    /// Makes the folder where there is none yet.
    pub(super) fn open(dir: Option<PathBuf>, fragments: Arc<Fragments>) -> io::Result<Self> {
        if let Some(dir) = &dir {
            fs::create_dir_all(dir)?;
        }
        Ok(Self { dir, fragments, held: Arc::default() })
    }

    /// Loads a component that was kept.
    pub(super) fn load(&self, engine: &Engine, key: Key) -> Option<Compiled> {
        let dir = self.dir.as_deref()?;
        // Held first: nothing removes what is about to be read.
        let hold = Hold::new(&self.held, key);
        let code = path(dir, key, CODE);
        match verify(&code, &path(dir, key, HASH)) {
            Ok(true) => {}
            Ok(false) => {
                tracing::warn!(path = %code.display(), "a kept function is damaged: it is compiled again");
                return None;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(path = %code.display(), %error, "a kept function cannot be read: it is compiled again");
                return None;
            }
        }
        match map(engine, Precompiled::File(&code)) {
            Ok(component) => {
                self.touch(key);
                Some(Compiled { component, hold })
            }
            Err(error) => {
                tracing::warn!(path = %code.display(), %error, "a kept function cannot be loaded: it is compiled again");
                None
            }
        }
    }

    /// Loads a component that was kept and descends from another one. That one counts as used too: without its fragments
    /// the next descendant would take long.
    pub(super) fn load_descendant(&self, engine: &Engine, base: Key, key: Key) -> Option<Compiled> {
        let compiled = self.load(engine, key)?;
        self.touch(base);
        Some(compiled)
    }

    /// Marks an artefact as used just now, where it is kept.
    fn touch(&self, key: Key) {
        let Some(dir) = self.dir.as_deref() else { return };
        let hash = path(dir, key, HASH);
        match touch(&hash) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(path = %hash.display(), %error, "a kept function cannot be marked as used: it may be removed");
            }
            _ => {}
        }
    }

    /// Compiles a component and keeps it.
    pub(super) fn compile(&self, engine: &Engine, key: Key, component: &[u8]) -> wasmtime::Result<Compiled> {
        let hold = Hold::new(&self.held, key);
        let component = self.compile_held(engine, key, component)?;
        Ok(Compiled { component, hold })
    }

    fn compile_held(&self, engine: &Engine, key: Key, component: &[u8]) -> wasmtime::Result<Component> {
        let Some(dir) = self.dir.as_deref() else {
            return Component::from_binary(engine, component);
        };
        let code = engine.precompile_component(component)?;
        let kept = keep(dir, key, &code);
        if let Err(error) = &kept {
            tracing::warn!(path = %dir.display(), %error, "a compiled function cannot be kept: it will be compiled again");
        }
        if let Err(error) = prune(dir, BOUNDS, |hash| self.held.lock().contains_key(hash)) {
            tracing::warn!(path = %dir.display(), %error, "compiled functions that are old cannot be removed: the folder grows");
        }
        match kept {
            Ok(path) => map(engine, Precompiled::File(&path)),
            Err(_) => map(engine, Precompiled::Bytes(&code)),
        }
    }
}

impl Artifacts {
    /// Compiles a component from which others descend, and keeps with it what makes compiling them fast.
    pub(super) fn compile_base(&self, engine: &Engine, key: Key, component: &[u8]) -> wasmtime::Result<Compiled> {
        let lease = self.fragments.lease();
        let compiled = self.compile(engine, key, component)?;
        self.with_fragments(key, |path| lease.save(path));
        Ok(compiled)
    }

    /// Compiles a component that descends from another one, and keeps it.
    pub(super) fn compile_descendant(
        &self,
        engine: &Engine,
        base: Key,
        key: Key,
        component: &[u8],
    ) -> wasmtime::Result<Compiled> {
        let lease: Lease = self.fragments.lease();
        self.with_fragments(base, |path| lease.load(path));
        self.compile(engine, key, component)
    }

    /// Does something with the fragments of a base; a failure costs time and nothing else.
    fn with_fragments(&self, base: Key, work: impl FnOnce(&Path) -> io::Result<()>) {
        let Some(dir) = self.dir.as_deref() else { return };
        let path = path(dir, base, FRAGMENTS);
        if let Err(error) = work(&path) {
            tracing::warn!(path = %path.display(), %error, "compiled parts cannot be kept or read: compiling takes longer");
        }
    }
}

fn path(dir: &Path, key: Key, extension: &str) -> PathBuf {
    dir.join(format!("{}.{extension}", key.0.to_hex()))
}

/// Tells whether the code is what was written.
fn verify(code: &Path, hash: &Path) -> io::Result<bool> {
    let told = fs::read(hash)?;
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(code)?)?;
    Ok(told == hasher.finalize().as_bytes())
}

/// Writes code, then its hash: a crash between leaves a miss.
fn keep(dir: &Path, key: Key, code: &[u8]) -> io::Result<PathBuf> {
    let to = path(dir, key, CODE);
    write(&to, code)?;
    write(&path(dir, key, HASH), blake3::hash(code).as_bytes())?;
    Ok(to)
}

/// Replaces a file in one step: others see the old one or the new one.
pub(super) fn write(to: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = NamedTempFile::new_in(to.parent().unwrap_or(Path::new(".")))?;
    file.write_all(bytes)?;
    // Not synced: what a power failure leaves behind does not fit its hash.
    file.persist(to).map_err(|error| error.error)?;
    Ok(())
}

/// Gives a file the time of the machine, by writing over it what is in it: nothing else asks for the time here.
fn touch(path: &Path) -> io::Result<()> {
    let bytes = fs::read(path)?;
    File::options().write(true).open(path)?.write_all(&bytes)
}

/// An artefact in the folder.
struct Kept {
    used: SystemTime,
    bytes: u64,
    code: PathBuf,
}

impl Kept {
    /// Looks at the files of an artefact; `None` where it is gone meanwhile.
    fn read(code: PathBuf) -> io::Result<Option<Self>> {
        let Some((made, mut bytes)) = look(&code)? else { return Ok(None) };
        let mut used = made;
        if let Some((touched, more)) = look(&code.with_extension(HASH))? {
            used = touched;
            bytes += more;
        }
        if let Some((_, more)) = look(&code.with_extension(FRAGMENTS))? {
            bytes += more;
        }
        Ok(Some(Self { used, bytes, code }))
    }

    fn is_held(&self, is_held: impl Fn(&blake3::Hash) -> bool) -> bool {
        let name = self.code.file_stem().and_then(|stem| stem.to_str());
        name.and_then(|name| blake3::Hash::from_hex(name).ok()).is_some_and(|hash| is_held(&hash))
    }

    /// Removes the files, the code last: as long as it is there, the others are found with it.
    fn remove(&self) -> io::Result<()> {
        for extension in [HASH, FRAGMENTS, CODE] {
            match fs::remove_file(self.code.with_extension(extension)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Returns the time and the length of a file, where it is there.
fn look(path: &Path) -> io::Result<Option<(SystemTime, u64)>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some((metadata.modified()?, metadata.len()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes the artefacts beyond the bounds that were not used for the longest time, except those that are held. Code
/// that is mapped stays usable.
fn prune(dir: &Path, bounds: Bounds, is_held: impl Fn(&blake3::Hash) -> bool) -> io::Result<()> {
    let mut kept = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == CODE) {
            kept.extend(Kept::read(path)?);
        }
    }
    kept.sort_by_key(|each| each.used);
    let (mut count, mut bytes) = (kept.len(), kept.iter().map(|each| each.bytes).sum::<u64>());
    for each in kept {
        if count <= bounds.artifacts_max && bytes <= bounds.bytes_max {
            break;
        }
        if !each.is_held(&is_held) {
            each.remove()?;
            count -= 1;
            bytes -= each.bytes;
        }
    }
    Ok(())
}

/// Machine code that wasmtime made.
enum Precompiled<'a> {
    File(&'a Path),
    Bytes(&'a [u8]),
}

/// Loads machine code.
#[expect(unsafe_code, reason = "wasmtime runs what it is given here; only its own output gets here, see SAFETY")]
fn map(engine: &Engine, code: Precompiled<'_>) -> wasmtime::Result<Component> {
    match code {
        // SAFETY: `keep` wrote the file from the output of `precompile_component` and `verify` or `keep` itself has just
        // found it unchanged. Files here are replaced by renaming and never written in place, so what is mapped stays
        // what it was. wasmtime itself refuses code of another version or configuration.
        Precompiled::File(path) => unsafe { Component::deserialize_file(engine, path) },
        // SAFETY: the bytes are the output of `precompile_component` of this engine.
        Precompiled::Bytes(bytes) => unsafe { Component::deserialize(engine, bytes) },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    #[test]
    fn a_kept_artefact_is_loaded_and_a_broken_one_is_made_again() {
        let engine = Engine::default();
        let dir = tempfile::tempdir().expect("a folder");
        let artifacts = Artifacts::open(Some(dir.path().join("deep/er")), Arc::default()).expect("made");
        let key = Key::new(&engine, &[b"a", b"b"]);
        assert_ne!(key, Key::new(&engine, &[b"ab", b""]));
        assert!(artifacts.load(&engine, key).is_none());
        artifacts.compile(&engine, key, EMPTY).expect("compiled");
        assert!(artifacts.load(&engine, key).is_some());

        let file = |extension| path(&dir.path().join("deep/er"), key, extension);
        let whole = fs::read(file(CODE)).expect("kept");
        let mut changed = whole.clone();
        changed[whole.len() / 2] ^= 1;
        for broken in [&whole[..whole.len() - 1], &changed[..], &[]] {
            fs::write(file(CODE), broken).expect("written");
            assert!(artifacts.load(&engine, key).is_none());
            artifacts.compile(&engine, key, EMPTY).expect("compiled");
            assert!(artifacts.load(&engine, key).is_some());
        }
        fs::remove_file(file(HASH)).expect("removed");
        assert!(artifacts.load(&engine, key).is_none());
    }

    /// Keeps artefacts by these numbers, each used a second after the one before it.
    fn fill(dir: &Path, engine: &Engine, numbers: impl Iterator<Item = u8>) {
        for number in numbers {
            let key = Key::new(engine, &[&[number]]);
            keep(dir, key, &[0_u8; 68]).expect("kept");
            date(dir, key, u64::from(number));
        }
    }

    fn date(dir: &Path, key: Key, seconds: u64) {
        let hash = File::options().write(true).open(path(dir, key, HASH)).expect("there");
        hash.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).expect("set");
    }

    #[test]
    fn what_was_not_used_for_long_goes_first_unless_it_is_held() {
        let engine = Engine::default();
        let key = |number: u8| Key::new(&engine, &[&[number]]);
        let check = |artifacts_max: usize, bytes_max: u64, held: &[u8], left: &[u8]| {
            let dir = tempfile::tempdir().expect("a folder");
            fill(dir.path(), &engine, 1..=5);
            // Of the first one, which is the base of others, there is more.
            fs::write(path(dir.path(), key(1), FRAGMENTS), [0_u8; 100]).expect("written");
            let bounds = Bounds { artifacts_max, bytes_max };
            let is_held = |hash: &blake3::Hash| held.iter().any(|number| key(*number).0 == *hash);
            prune(dir.path(), bounds, is_held).expect("pruned");
            let is_there = |number: &u8| path(dir.path(), key(*number), CODE).exists();
            let there: Vec<u8> = (1..=5).filter(is_there).collect();
            assert_eq!(there, left, "{artifacts_max} {bytes_max} {held:?}");
            let files = fs::read_dir(dir.path()).expect("a folder").count();
            assert_eq!(files, 2 * left.len() + usize::from(left.contains(&1)));
        };
        check(5, 600, &[], &[1, 2, 3, 4, 5]);
        check(3, 600, &[], &[3, 4, 5]);
        check(3, 600, &[1, 3], &[1, 3, 5]);
        check(1, 600, &[1, 3], &[1, 3]);
        check(5, 599, &[], &[2, 3, 4, 5]);
        check(5, 400, &[], &[2, 3, 4, 5]);
        check(5, 399, &[], &[3, 4, 5]);
        check(5, 400, &[1], &[1, 4, 5]);
    }

    #[test]
    fn loading_is_using_and_what_is_loaded_is_held() {
        let engine = Engine::default();
        let dir = tempfile::tempdir().expect("a folder");
        let artifacts = Artifacts::open(Some(dir.path().to_owned()), Arc::default()).expect("made");
        let [base, old, new] = [b"base", b"-old", b"-new"].map(|name| Key::new(&engine, &[name]));
        for (key, seconds) in [(base, 1), (old, 2), (new, 3)] {
            artifacts.compile(&engine, key, EMPTY).expect("compiled");
            date(dir.path(), key, seconds);
        }
        let is_held = |key: Key| artifacts.held.lock().contains_key(&key.0);
        let loaded = artifacts.load_descendant(&engine, base, old).expect("kept");
        let again = artifacts.load(&engine, old).expect("kept");
        assert!(is_held(old) && !is_held(new) && !is_held(base));
        drop(loaded);
        assert!(is_held(old));
        drop(again);
        assert!(!is_held(old));

        prune(dir.path(), Bounds { artifacts_max: 2, bytes_max: u64::MAX }, |_| false).expect("pruned");
        assert!(artifacts.load(&engine, new).is_none(), "the others were used after it");
        assert!(artifacts.load(&engine, base).is_some() && artifacts.load(&engine, old).is_some());
    }
}
