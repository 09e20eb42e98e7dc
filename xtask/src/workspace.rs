//! The repository as the checks see it: where it is, which crates it has, which files.
//!
//! It judges nothing.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail};

/// Folders that hold what was built or run, not what was written.
const SKIPPED_FOLDERS: [&str; 4] = [".git", ".weir", "node_modules", "target"];

/// Returns the root of the repository.
pub(crate) fn root() -> anyhow::Result<PathBuf> {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = xtask.parent().context("xtask lies beside the crates, below the root")?;
    Ok(root.to_owned())
}

/// Returns the cargo that started this program, so that checks run with the same toolchain.
#[expect(clippy::disallowed_methods, reason = "cargo hands its own path on by the environment")]
pub(crate) fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// For what a dependency is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// By the crate itself.
    Normal,
    /// By its build script.
    Build,
    /// By its tests, benches and examples.
    Dev,
}

/// One line of a crate's dependencies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dependency {
    /// The package's real name, whatever the crate calls it.
    pub(crate) name: String,
    /// For what it is needed.
    pub(crate) kind: Kind,
}

/// One member of the workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Package {
    /// Its name.
    pub(crate) name: String,
    /// All that its manifest lists, for whatever target or feature.
    pub(crate) dependencies: Vec<Dependency>,
}

/// Asks cargo for the members of the workspace. Needs no network and no lock file.
pub(crate) fn packages(root: &Path) -> anyhow::Result<Vec<Package>> {
    let output = Command::new(cargo())
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .current_dir(root)
        .output()
        .context("cargo metadata could not be started")?;
    if !output.status.success() {
        bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let metadata = serde_json::from_slice(&output.stdout).context("cargo metadata answered with broken JSON")?;
    parse_packages(&metadata)
}

/// Reads the answer of `cargo metadata --no-deps`.
pub(crate) fn parse_packages(metadata: &serde_json::Value) -> anyhow::Result<Vec<Package>> {
    let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
    packages
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"].as_array().context("a package without dependencies")?;
            Ok(Package {
                name: package["name"].as_str().context("a package without a name")?.to_owned(),
                dependencies: dependencies.iter().map(parse_dependency).collect::<anyhow::Result<_>>()?,
            })
        })
        .collect()
}

fn parse_dependency(dependency: &serde_json::Value) -> anyhow::Result<Dependency> {
    let name = dependency["name"].as_str().context("a dependency without a name")?.to_owned();
    let kind = match dependency["kind"].as_str() {
        None => Kind::Normal,
        Some("build") => Kind::Build,
        Some("dev") => Kind::Dev,
        Some(other) => bail!("unknown kind of the dependency {name}: {other}"),
    };
    Ok(Dependency { name, kind })
}

/// Reads every text file of the repository, by its path from the root with `/` between names.
pub(crate) fn texts(root: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let mut texts = BTreeMap::new();
    let mut folders = vec![(root.to_owned(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        let entries = fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot list {}", folder.display()))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{prefix}{name}");
            let kind = entry.file_type().with_context(|| format!("cannot look at {path}"))?;
            if kind.is_dir() && !SKIPPED_FOLDERS.contains(&name.as_str()) {
                folders.push((entry.path(), format!("{path}/")));
            } else if kind.is_file() {
                let bytes = fs::read(entry.path()).with_context(|| format!("cannot read {path}"))?;
                // What is no UTF-8 is a fixture, not a text.
                texts.extend(String::from_utf8(bytes).ok().map(|text| (path, text)));
            }
        }
    }
    Ok(texts)
}

/// Reads one text file at the root.
pub(crate) fn text(root: &Path, name: &str) -> anyhow::Result<String> {
    fs::read_to_string(root.join(name)).with_context(|| format!("cannot read {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_read_with_kinds_and_real_names() {
        let metadata = serde_json::json!({ "packages": [{ "name": "a", "dependencies": [
            { "name": "b", "kind": null, "rename": "c" },
            { "name": "d", "kind": "dev" },
            { "name": "e", "kind": "build" },
        ]}]});
        let packages = parse_packages(&metadata).expect("good");
        let read: Vec<_> = packages[0].dependencies.iter().map(|each| (each.name.as_str(), each.kind)).collect();
        assert_eq!(packages[0].name, "a");
        assert_eq!(read, [("b", Kind::Normal), ("d", Kind::Dev), ("e", Kind::Build)]);
    }

    #[test]
    fn metadata_of_another_form_is_refused() {
        let check = |metadata: serde_json::Value, part: &str| {
            let error = parse_packages(&metadata).expect_err(part).to_string();
            assert!(error.contains(part), "{error}");
        };
        check(serde_json::json!({}), "no packages");
        check(serde_json::json!({ "packages": [{ "dependencies": [] }] }), "without a name");
        check(
            serde_json::json!({ "packages": [{ "name": "a", "dependencies": [{ "name": "b", "kind": "x" }] }] }),
            "unknown kind of the dependency b: x",
        );
    }
}
