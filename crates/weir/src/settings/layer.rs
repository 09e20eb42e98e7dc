//! One layer of settings: what it sets, where it says so, and what is wrong with it.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fs,
    path::Path,
    sync::Arc,
};

use figment::{
    Metadata, Profile, Provider,
    value::{Dict, Map, Value},
};
use toml::{Spanned, de::DeValue};

use crate::{
    document::{Document, with_article},
    report::{Fault, did_you_mean},
    settings::{
        Settings, TOKEN_VARIABLE, VARIABLE_PREFIX,
        field::{self, FIELDS, Field, Given, Rule},
        otlp,
    },
};

/// The origin of what nobody has set.
pub(super) const DEFAULT: &str = "default";

/// The largest settings file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// What a layer sets.
#[derive(Clone, Debug, Default)]
pub(super) struct Layer {
    values: BTreeMap<&'static str, (Value, String)>,
    faulty: Vec<&'static str>,
    faults: Vec<Fault>,
    is_missing: bool,
}

impl Layer {
    /// Makes the layer below all others.
    pub(super) fn defaults(defaults: &Settings) -> Self {
        let mut layer = Self::default();
        match field::values(defaults) {
            Ok(values) => {
                layer.values = values.into_iter().map(|(key, value)| (key, (value, DEFAULT.into()))).collect();
            }
            Err(problem) => layer.faults.push(Fault::new(DEFAULT, problem)),
        }
        layer
    }

    /// Reads a TOML file.
    pub(super) fn file(path: &Path) -> Self {
        let mut layer = Self::default();
        match read(path) {
            Ok(text) => {
                layer.document(&path.display().to_string(), &text);
                layer.resolve(path.parent().unwrap_or(Path::new("")));
            }
            Err(problem) => {
                layer.faults.push(Fault::new(path.display().to_string(), problem));
                layer.is_missing = fs::metadata(path).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound);
            }
        }
        layer
    }

    /// Reads a TOML document.
    pub(super) fn document(&mut self, name: &str, text: &str) {
        let document = Document::parse(name, text);
        if document.is_sound() {
            for (key, value) in document.entries() {
                self.entry(&document, key.get_ref(), key.span().start, value);
            }
        }
        self.faults.extend(document.into_faults());
    }

    fn entry(&mut self, document: &Document<'_>, key: &str, at: usize, value: &Spanned<DeValue<'_>>) {
        let is_table = FIELDS.iter().any(|field| field.key.split_once('.').is_some_and(|(table, _)| table == key));
        match value.get_ref() {
            DeValue::Table(entries) if is_table => {
                for (inner, value) in entries {
                    self.entry(document, &format!("{key}.{}", inner.get_ref()), inner.span().start, value);
                }
            }
            other if is_table => {
                let found = with_article(other.type_str());
                document.fault(at, format!("{key} must be a table such as [{key}], but is {found}"));
            }
            given => match Field::find(key) {
                Some(field) => {
                    if let Err(problem) = self.set(field, Given::Toml(given), document.place(at)) {
                        document.fault(at, problem);
                    }
                }
                None => document.fault(at, unknown("setting", key, &known_keys())),
            },
        }
    }

    /// Makes what a file says about other files and directories true where the server runs: it names them from its own directory.
    fn resolve(&mut self, directory: &Path) {
        for (key, (value, origin)) in &mut self.values {
            let is_seen = Field::find(key).is_some_and(|field| matches!(field.rule, Rule::Directory | Rule::File));
            let Value::String(_, text) = value else { continue };
            if !is_seen {
                continue;
            }
            match directory.join(text.as_str()).to_str() {
                Some(path) => *text = path.to_owned(),
                None => {
                    let problem =
                        format!("{key} is seen from a directory whose name is not UTF-8: name it from the root");
                    self.faulty.push(*key);
                    self.faults.push(Fault::new(origin.clone(), problem));
                }
            }
        }
    }

    /// Reads the variables of the environment that set something.
    pub(super) fn environment(variables: &[(OsString, OsString)]) -> Self {
        let mut layer = Self::default();
        layer.standard(variables);
        for (name, value) in variables.iter().filter(|(name, _)| name != TOKEN_VARIABLE) {
            let name = name.to_string_lossy();
            let rest = name.strip_prefix(VARIABLE_PREFIX).filter(|rest| !is_service_link(rest, value));
            let Some(rest) = rest else { continue };
            let key = rest.to_ascii_lowercase().replace("__", ".");
            let field = Field::find(&key).filter(|field| field.variable() == name);
            match (field, value.to_str()) {
                (Some(field), Some(text)) => layer.set_text(field, text, &name),
                (Some(field), None) => {
                    layer.faulty.push(field.key);
                    layer.faults.push(Fault::new(name, format!("{} must be UTF-8, but is not", field.key)));
                }
                (None, _) => {
                    let variables: Vec<String> = FIELDS.iter().map(Field::variable).collect();
                    let variables: Vec<&str> = variables.iter().map(String::as_str).collect();
                    layer.faults.push(Fault::new(&*name, unknown("variable", &name, &variables)));
                }
            }
        }
        layer
    }

    /// Reads the variables that all programs with OpenTelemetry share. One that is empty counts as none, and one of Weir
    /// for the same setting takes its place.
    fn standard(&mut self, variables: &[(OsString, OsString)]) {
        if !otlp::is_standard_wanted(variables) {
            return;
        }
        for (name, key) in otlp::STANDARD {
            let Some(field) = Field::find(key) else { continue };
            let own = field.variable();
            let is_ours = variables.iter().any(|(name, _)| *name == *own);
            let value = variables.iter().find(|(given, value)| given == name && !value.is_empty());
            match value.map(|(_, value)| value.to_str()) {
                Some(Some(text)) if !is_ours => self.set_text(field, text, name),
                Some(None) if !is_ours => {
                    self.faulty.push(field.key);
                    self.faults.push(Fault::new(name, format!("{key} must be UTF-8, but is not")));
                }
                _ => {}
            }
        }
    }

    /// Takes what was given as flags, which the command line has told apart.
    pub(super) fn flags(flags: &[(&'static str, String)]) -> Self {
        let mut layer = Self::default();
        for (key, text) in flags {
            match Field::find(key) {
                Some(field) => layer.set_text(field, text, &field.flag()),
                None => layer.faults.push(Fault::new("flags", unknown("setting", key, &known_keys()))),
            }
        }
        layer
    }

    fn set_text(&mut self, field: &'static Field, text: &str, origin: &str) {
        if let Err(problem) = self.set(field, Given::Text(text), origin.to_owned()) {
            self.faults.push(Fault::new(origin, problem));
        }
    }

    fn set(&mut self, field: &'static Field, given: Given<'_>, origin: String) -> Result<(), String> {
        let value = field.read(given).inspect_err(|_| self.faulty.push(field.key))?;
        self.values.insert(field.key, (value, origin));
        Ok(())
    }

    /// Tells whether the layer sets this to something that it can be.
    pub(super) fn sets(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    /// Returns the settings whose values are mistakes.
    pub(super) fn faulty(&self) -> &[&'static str] {
        &self.faulty
    }

    /// Tells whether it is a file that is not there.
    pub(super) const fn is_missing(&self) -> bool {
        self.is_missing
    }

    /// Returns the mistakes.
    pub(super) fn faults(&self) -> &[Fault] {
        &self.faults
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        let origins = self.values.iter().map(|(key, (_, origin))| ((*key).to_owned(), origin.clone()));
        let origins: Arc<BTreeMap<String, String>> = Arc::new(origins.collect());
        Metadata::named("settings").interpolater(move |_: &Profile, keys: &[&str]| {
            origins.get(&keys.join(".")).cloned().unwrap_or_else(|| DEFAULT.into())
        })
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        let mut table = Dict::new();
        for (key, (value, _)) in &self.values {
            field::nest(&mut table, key, value.clone());
        }
        Ok(Profile::Default.collect(table))
    }
}

fn known_keys() -> Vec<&'static str> {
    FIELDS.iter().map(|field| field.key).collect()
}

fn unknown(what: &str, given: &str, known: &[&str]) -> String {
    format!("there is no {what} {given}: {}", did_you_mean(given, known))
}

/// Kubernetes and linked containers set such variables for every service, so that one called `weir`, or `weir-config`,
/// could otherwise keep a server from being started beside it.
fn is_service_link(rest: &str, value: &OsStr) -> bool {
    let value = value.to_string_lossy();
    let is_address = ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
    let words: Vec<&str> = rest.split('_').collect();
    let is_number = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    let is_link = |pair: &[&str]| match pair {
        ["SERVICE", "HOST" | "PORT"] => true,
        ["PORT", number] => is_number(number),
        _ => false,
    };
    is_address || words.windows(2).any(is_link)
}

fn read(path: &Path) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("the settings cannot be read: {error}");
    let length = fs::metadata(path).map_err(failed)?.len();
    if length > FILE_BYTES_MAX {
        return Err(format!("the file has {length} bytes, more than the {FILE_BYTES_MAX} that settings may have"));
    }
    fs::read_to_string(path).map_err(failed)
}
