//! The seeds that are kept beside the code, and where what is found is put.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::Target;

/// One input with the name of its file, which says what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seed {
    /// The name of the file.
    pub name: String,
    /// Its bytes.
    pub data: Vec<u8>,
}

/// Returns the folder of libFuzzer's programs, which holds the seeds too.
#[must_use]
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

/// Reads the seeds of a target in the order of their names.
///
/// # Errors
/// Where the folder or a file of it cannot be read.
pub fn seeds(target: &Target) -> io::Result<Vec<Seed>> {
    let mut seeds = Vec::new();
    for entry in fs::read_dir(folder().join("corpus").join(target.name))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        seeds.push(Seed { name, data: fs::read(entry.path())? });
    }
    seeds.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(seeds)
}

/// Keeps an input that broke a promise, under a name that follows from its bytes; returns its file.
///
/// # Errors
/// Where the file cannot be written.
pub fn keep(folder: &Path, data: &[u8]) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let file = folder.join(format!("finding-{}", &blake3::hash(data).to_hex()[..16]));
    fs::write(&file, data)?;
    Ok(file)
}
