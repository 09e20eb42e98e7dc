//! Compiled code that is kept between runs, so that a start does not compile again.
//!
//! A kept artefact is two files named by the key of what it was made from: the machine code, which is mapped into memory as it
//! is, and its BLAKE3 hash. Without the hash nothing is mapped: wasmtime trusts what it loads. A file that is missing,
//! cut or changed is a miss, never an error.

use std::{
    fs::{self, File},
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use tempfile::NamedTempFile;
use wasmtime::{Engine, component::Component};

use super::fragments::{Fragments, Lease};

/// Artefacts that are kept; the oldest go first. One of a JavaScript function has five megabytes.
const ARTIFACTS_MAX: usize = 64;

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

/// The folder of kept artefacts.
pub(super) struct Artifacts {
    dir: Option<PathBuf>,
    fragments: Arc<Fragments>,
}

impl Artifacts {
    /// Makes the folder where there is none yet.
    pub(super) fn open(dir: Option<PathBuf>, fragments: Arc<Fragments>) -> io::Result<Self> {
        if let Some(dir) = &dir {
            fs::create_dir_all(dir)?;
        }
        Ok(Self { dir, fragments })
    }

    /// Loads a component that was kept.
    pub(super) fn load(&self, engine: &Engine, key: Key) -> Option<Component> {
        let dir = self.dir.as_deref()?;
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
            Ok(component) => Some(component),
            Err(error) => {
                tracing::warn!(path = %code.display(), %error, "a kept function cannot be loaded: it is compiled again");
                None
            }
        }
    }

    /// Compiles a component and keeps it.
    pub(super) fn compile(&self, engine: &Engine, key: Key, component: &[u8]) -> wasmtime::Result<Component> {
        let Some(dir) = self.dir.as_deref() else {
            return Component::from_binary(engine, component);
        };
        let code = engine.precompile_component(component)?;
        let kept = keep(dir, key, &code);
        if let Err(error) = &kept {
            tracing::warn!(path = %dir.display(), %error, "a compiled function cannot be kept: it will be compiled again");
        }
        match kept {
            Ok(path) => map(engine, Precompiled::File(&path)),
            Err(_) => map(engine, Precompiled::Bytes(&code)),
        }
    }
}

impl Artifacts {
    /// Compiles a component from which others descend, and keeps with it what makes compiling them fast.
    pub(super) fn compile_base(&self, engine: &Engine, key: Key, component: &[u8]) -> wasmtime::Result<Component> {
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
    ) -> wasmtime::Result<Component> {
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
    prune(dir)?;
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

/// Removes the oldest artefacts beyond [`ARTIFACTS_MAX`]. Code that is mapped stays usable.
fn prune(dir: &Path) -> io::Result<()> {
    let mut kept: Vec<(SystemTime, PathBuf)> = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == CODE) {
            kept.push((entry.metadata()?.modified()?, path));
        }
    }
    kept.sort();
    let surplus = kept.len().saturating_sub(ARTIFACTS_MAX);
    for (_, code) in &kept[..surplus] {
        fs::remove_file(code)?;
        for extension in [HASH, FRAGMENTS] {
            match fs::remove_file(code.with_extension(extension)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
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

    #[test]
    fn the_number_of_artefacts_is_bounded() {
        let engine = Engine::default();
        let dir = tempfile::tempdir().expect("a folder");
        for number in 0..ARTIFACTS_MAX + 3 {
            let key = Key::new(&engine, &[&number.to_le_bytes()]);
            keep(dir.path(), key, b"code").expect("kept");
        }
        let files = fs::read_dir(dir.path()).expect("a folder").count();
        assert_eq!(files, 2 * ARTIFACTS_MAX);
    }
}
