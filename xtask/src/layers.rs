//! Who may import whom: the manifests against `layers.toml`, and `layers.toml` against `deny-layers.toml`.
//!
//! It sees direct dependencies only. That no third-party crate brings in a second way to wasmtime is cargo-deny's part,
//! which reads `deny-layers.toml`.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use anyhow::{Context, bail};

use crate::workspace::{self, Dependency, Kind, Package};

#[cfg(test)]
mod tests;

/// Crates with an owner among ours that third-party crates may use as they like, so that cargo-deny is not told of them:
/// they are tools of WebAssembly, which come with wasmtime in any case, and a type of errors. Among ours the owner is
/// still the only importer.
const FREE_AMONG_OTHERS: [&str; 5] =
    ["anyhow", "wasi-preview1-component-adapter-provider", "wit-component", "wit-dylib", "wit-parser"];

/// A crate with the crates that a rule names for it.
type Lists = BTreeMap<String, BTreeSet<String>>;

/// What `layers.toml` says.
#[derive(Debug)]
pub(crate) struct Rules {
    imports: Lists,
    dev_only: Lists,
    owners: Lists,
    free_of: Lists,
}

/// Checks the repository; one sentence for each thing to mend.
pub(crate) fn check(root: &Path) -> anyhow::Result<Vec<String>> {
    let rules = Rules::parse(&workspace::text(root, "layers.toml")?).context("layers.toml")?;
    let mut found = rules.violations(&workspace::packages(root)?);
    let wrappers = parse_wrappers(&workspace::text(root, "deny-layers.toml")?).context("deny-layers.toml")?;
    found.extend(rules.differences(&wrappers));
    Ok(found)
}

impl Rules {
    /// Reads the table; a section too many or too few is an error.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let mut file: toml::Table = text.parse()?;
        let mut section = |name: &str| -> anyhow::Result<Lists> {
            let value = file.remove(name).with_context(|| format!("no section [{name}]"))?;
            let table = value.as_table().with_context(|| format!("[{name}] is no table"))?;
            table.iter().map(|(key, value)| Ok((key.clone(), names(key, value)?))).collect()
        };
        let rules = Self {
            imports: section("imports")?,
            dev_only: section("dev-only")?,
            owners: section("owners")?,
            free_of: section("free-of")?,
        };
        if let Some(section) = file.keys().next() {
            bail!("unknown section: {section}");
        }
        let named = rules.imports.values().chain(rules.dev_only.values()).chain(rules.owners.values()).flatten();
        let subjects = rules.dev_only.keys().chain(rules.free_of.keys());
        for name in named.chain(subjects) {
            if !rules.imports.contains_key(name) {
                bail!("names a crate that has no line in [imports]: {name}");
            }
        }
        Ok(rules)
    }

    /// Lists every import that no rule allows, and every crate that no rule knows.
    pub(crate) fn violations(&self, packages: &[Package]) -> Vec<String> {
        let mut found = Vec::new();
        for package in packages {
            let Some(imports) = self.imports.get(&package.name) else {
                found.push(format!("{0}: has no line in [imports] of layers.toml, add one", package.name));
                continue;
            };
            let refusals = package.dependencies.iter().filter_map(|each| {
                let why = self.refusal(&package.name, imports, each)?;
                Some(format!("{}: must not import {} ({why})", package.name, each.name))
            });
            found.extend(refusals);
        }
        let gone = self.imports.keys().filter(|name| packages.iter().all(|each| each.name != **name));
        found.extend(gone.map(|name| format!("{name}: is in [imports] of layers.toml but no member, remove the line")));
        found
    }

    /// Returns the rule that an import breaks.
    fn refusal(&self, importer: &str, imports: &BTreeSet<String>, dependency: &Dependency) -> Option<String> {
        let name = &dependency.name;
        if let Some(testers) = self.dev_only.get(name) {
            return match dependency.kind {
                Kind::Dev if testers.contains(importer) => None,
                Kind::Dev => Some(format!("[dev-only]: only tests of {} may", joined(testers))),
                Kind::Normal | Kind::Build => Some("[dev-only]: it is a dev-dependency, never more".to_owned()),
            };
        }
        if dependency.kind == Kind::Dev {
            return None;
        }
        if self.imports.contains_key(name) {
            return (!imports.contains(name)).then(|| format!("[imports]: it may import {}", joined(imports)));
        }
        if let Some(owners) = self.owners.get(name)
            && !owners.contains(importer)
        {
            return Some(format!("[owners]: only {} may", joined(owners)));
        }
        let banned = self.free_of.get(importer).is_some_and(|names| names.contains(name));
        banned.then(|| "[free-of]: this crate stays free of it".to_owned())
    }

    /// Lists where `deny-layers.toml` says something else than this table.
    pub(crate) fn differences(&self, wrappers: &Lists) -> Vec<String> {
        let mut found = Vec::new();
        for ours in self.imports.keys() {
            let expected = match self.dev_only.contains_key(ours) {
                // Refused to everybody, which cargo-deny is told by a parent that cannot occur.
                true => BTreeSet::from([ours.clone()]),
                false => self.importers(ours),
            };
            let stated = wrappers.get(ours).cloned().unwrap_or_default();
            if stated != expected {
                found.push(difference(ours, &stated, &expected));
            }
        }
        for (crate_name, parents) in wrappers.iter().filter(|(name, _)| !self.imports.contains_key(*name)) {
            let Some(owners) = self.owners.get(crate_name) else {
                found.push(format!("{crate_name}: is in deny-layers.toml but not in [owners] of layers.toml, add it"));
                continue;
            };
            let stated: BTreeSet<String> =
                parents.iter().filter(|name| self.imports.contains_key(*name)).cloned().collect();
            if stated != *owners {
                found.push(difference(crate_name, &stated, owners));
            }
        }
        for owned in self.owners.keys() {
            let (is_denied, is_free) = (wrappers.contains_key(owned), FREE_AMONG_OTHERS.contains(&owned.as_str()));
            if !is_denied && !is_free {
                found.push(format!("{owned}: is in [owners] of layers.toml but not in deny-layers.toml, add it"));
            } else if is_denied && is_free {
                found.push(format!("{owned}: is in deny-layers.toml and yet free in xtask/src/layers.rs, choose one"));
            }
        }
        found
    }

    fn importers(&self, imported: &str) -> BTreeSet<String> {
        let importers = self.imports.iter().filter(|(_, imports)| imports.contains(imported));
        importers.map(|(name, _)| name.clone()).collect()
    }
}

/// Reads the crates of `[bans] deny` with their wrappers.
pub(crate) fn parse_wrappers(text: &str) -> anyhow::Result<Lists> {
    let file: toml::Table = text.parse()?;
    let denied = file
        .get("bans")
        .and_then(|bans| bans.get("deny"))
        .and_then(toml::Value::as_array)
        .context("has no list `deny` in [bans]")?;
    denied
        .iter()
        .map(|entry| {
            let name =
                entry.get("crate").and_then(toml::Value::as_str).context("an entry of `deny` without `crate`")?;
            let wrappers = entry.get("wrappers").with_context(|| format!("{name} has no `wrappers`"))?;
            Ok((name.to_owned(), names(name, wrappers)?))
        })
        .collect()
}

fn names(key: &str, value: &toml::Value) -> anyhow::Result<BTreeSet<String>> {
    let list = value.as_array().with_context(|| format!("{key} is no list"))?;
    let mut names = BTreeSet::new();
    for entry in list {
        let name = entry.as_str().with_context(|| format!("{key} lists something that is no name: {entry}"))?;
        if !names.insert(name.to_owned()) {
            bail!("{key} lists a name twice: {name}");
        }
    }
    Ok(names)
}

fn joined(names: &BTreeSet<String>) -> String {
    if names.is_empty() {
        return "no crate of ours".to_owned();
    }
    names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn difference(name: &str, stated: &BTreeSet<String>, expected: &BTreeSet<String>) -> String {
    format!("{name}: deny-layers.toml lets in {}, layers.toml {}; make them agree", joined(stated), joined(expected))
}
