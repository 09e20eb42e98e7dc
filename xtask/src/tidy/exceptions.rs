//! The exceptions of `tidy.toml`: each names a rule, a file and a reason, and must still be needed.

use anyhow::{Context, bail};

use super::{Finding, Rule};

/// All exceptions.
#[derive(Debug, Default)]
pub(super) struct Exceptions(Vec<Exception>);

#[derive(Debug)]
struct Exception {
    rule: Rule,
    path: String,
    function: Option<String>,
}

impl Exceptions {
    /// Reads the list; an unknown key, an unknown rule and an empty reason are errors.
    pub(super) fn parse(text: &str) -> anyhow::Result<Self> {
        let mut file: toml::Table = text.parse()?;
        let entries = match file.remove("exception") {
            Some(toml::Value::Array(entries)) => entries,
            Some(_) => bail!("`exception` is no list: write [[exception]]"),
            None => Vec::new(),
        };
        if let Some(key) = file.keys().next() {
            bail!("unknown key: {key}");
        }
        let exceptions = entries.into_iter().map(Exception::parse).collect::<anyhow::Result<Vec<_>>>()?;
        Ok(Self(exceptions))
    }

    /// Tells whether a finding is excused.
    pub(super) fn cover(&self, finding: &Finding) -> bool {
        self.0.iter().any(|each| each.covers(finding))
    }

    /// Lists the exceptions that excuse nothing.
    pub(super) fn stale(&self, found: &[Finding]) -> Vec<String> {
        let stale = self.0.iter().filter(|each| !found.iter().any(|finding| each.covers(finding)));
        let sentence = |each: &Exception| {
            let function = each.function.as_ref().map(|name| format!(", function {name}")).unwrap_or_default();
            format!(
                "tidy.toml: the exception is no longer needed, remove it: {} for {}{function}",
                each.rule.name(),
                each.path
            )
        };
        stale.map(sentence).collect()
    }
}

impl Exception {
    fn parse(entry: toml::Value) -> anyhow::Result<Self> {
        let mut table = match entry {
            toml::Value::Table(table) => table,
            other => bail!("an exception is no table: {other}"),
        };
        let mut take = |key: &str| match table.remove(key) {
            Some(toml::Value::String(text)) if !text.trim().is_empty() => Ok(Some(text)),
            Some(value) => Err(anyhow::anyhow!("`{key}` is no text, or empty: {value}")),
            None => Ok(None),
        };
        let name = take("rule")?.context("an exception without `rule`")?;
        let path = take("path")?.context("an exception without `path`")?;
        let function = take("function")?;
        // The reason is for the reader of the file; here it only has to be there.
        take("reason")?.with_context(|| format!("an exception without `reason`: {path}"))?;
        if let Some(key) = table.keys().next() {
            bail!("unknown key of the exception for {path}: {key}");
        }
        let rule = Rule::EXCUSABLE.into_iter().find(|rule| rule.name() == name);
        let rule = rule.with_context(|| format!("no rule that knows exceptions: {name}"))?;
        if (rule == Rule::FunctionLength) != function.is_some() {
            bail!("`function` goes with the rule function-length, and only with it: {path}");
        }
        Ok(Self { rule, path, function })
    }

    fn covers(&self, finding: &Finding) -> bool {
        self.rule == finding.rule && self.path == finding.path && self.function == finding.function
    }
}
