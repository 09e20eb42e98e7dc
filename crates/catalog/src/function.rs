//! The declaration of a function: code, or an address, that is given events.

use std::{collections::BTreeMap, fmt, sync::Arc};

use weir_domain::FunctionId;

use crate::{AwsFunction, Component, words::words};

/// A function of one space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its identifier.
    pub id: FunctionId,
    /// What is called, and how.
    pub kind: FunctionKind,
    /// Free texts of its owner.
    pub metadata: BTreeMap<String, String>,
}

impl Function {
    /// Declares a function.
    #[must_use]
    pub fn new(id: FunctionId, kind: FunctionKind) -> Self {
        Self { id, kind, metadata: BTreeMap::new() }
    }
}

/// What is called, and how. `Debug` shows neither code nor the values of headers and configuration: they may be secret.
#[derive(Clone, PartialEq, Eq)]
pub enum FunctionKind {
    /// A URL that is sent events.
    Http {
        /// Absolute, with the scheme `http` or `https`.
        url: String,
        /// How long one call may take.
        timeout_ms: u32,
        /// Headers that go with every call.
        headers: BTreeMap<String, String>,
        /// In which version of CloudEvents events are given; where none is said, in that of the server.
        version: Option<CloudEventsVersion>,
    },
    /// A resource of AWS.
    Aws(AwsFunction),
    /// A WebAssembly component that runs in this process.
    Wasm {
        /// Where the component comes from.
        code: Code,
        /// How long one instance lives.
        instances: Instances,
        /// How long one call may take.
        timeout_ms: u32,
        /// The most memory of one instance.
        memory_bytes_max: u64,
        /// What the function reads as its configuration.
        config: BTreeMap<String, String>,
    },
    /// A function that is part of Weir. No call of it waits for anything.
    Builtin {
        /// Which one.
        name: Builtin,
    },
}

words! {
    /// The functions that are part of Weir.
    Builtin {
        /// Takes every event, counts it and returns nothing.
        #[default]
        Count = "count",
    }
}

impl FunctionKind {
    /// How long one call may take where nothing is said.
    pub const TIMEOUT_MS: u32 = 5000;
    /// The most memory of one instance where nothing is said.
    pub const MEMORY_BYTES_MAX: u64 = 64 * 1024 * 1024;

    /// A URL with the default time-out and no headers.
    #[must_use]
    pub fn http(url: impl Into<String>) -> Self {
        Self::Http { url: url.into(), timeout_ms: Self::TIMEOUT_MS, headers: BTreeMap::new(), version: None }
    }

    /// A component with the default limits and no configuration.
    #[must_use]
    pub fn wasm(code: Code) -> Self {
        Self::Wasm {
            code,
            instances: Instances::default(),
            timeout_ms: Self::TIMEOUT_MS,
            memory_bytes_max: Self::MEMORY_BYTES_MAX,
            config: BTreeMap::new(),
        }
    }

    /// Returns the name of the kind, as the configuration API calls it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Http { .. } => "http",
            Self::Aws(aws) => aws.service.name(),
            Self::Wasm { .. } => "wasm",
            Self::Builtin { .. } => "builtin",
        }
    }

    /// Returns what the texts that may be secret are called in messages of the configuration API.
    #[must_use]
    pub const fn secrets(&self) -> &'static str {
        match self {
            Self::Http { .. } => "headers",
            Self::Aws(_) => "credentials",
            Self::Wasm { .. } => "config",
            // It has none.
            Self::Builtin { .. } => "values",
        }
    }

    /// Returns one of the texts that may be secret, by the name that the configuration API gives it.
    #[must_use]
    pub fn secret(&self, name: &str) -> Option<&str> {
        match self {
            Self::Http { headers: texts, .. } | Self::Wasm { config: texts, .. } => texts.get(name).map(String::as_str),
            Self::Aws(aws) => aws.credentials.as_ref()?.text(name),
            Self::Builtin { .. } => None,
        }
    }

    /// Puts such a text in its place. A name that the kind does not have is passed over.
    pub fn set_secret(&mut self, name: &str, text: String) {
        match self {
            Self::Http { headers: texts, .. } | Self::Wasm { config: texts, .. } => {
                texts.insert(name.to_owned(), text);
            }
            Self::Aws(aws) => aws.credentials.get_or_insert_default().set_text(name, text),
            Self::Builtin { .. } => {}
        }
    }
}

impl fmt::Debug for FunctionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http { url, timeout_ms, headers, version } => f
                .debug_struct("Http")
                .field("url", url)
                .field("timeout_ms", timeout_ms)
                .field("headers", &Names(headers))
                .field("version", version)
                .finish(),
            Self::Aws(aws) => fmt::Debug::fmt(aws, f),
            Self::Wasm { code, instances, timeout_ms, memory_bytes_max, config } => f
                .debug_struct("Wasm")
                .field("code", code)
                .field("instances", instances)
                .field("timeout_ms", timeout_ms)
                .field("memory_bytes_max", memory_bytes_max)
                .field("config", &Names(config))
                .finish(),
            Self::Builtin { name } => f.debug_struct("Builtin").field("name", name).finish(),
        }
    }
}

/// Shows a map without its values.
struct Names<'a>(&'a BTreeMap<String, String>);

impl fmt::Debug for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// The version of CloudEvents in which a function outside of this process is given events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloudEventsVersion {
    /// The present one.
    V1,
    /// The one that the Event Gateway spoke, for functions that were written for it.
    V01,
}

impl CloudEventsVersion {
    /// The names of all versions.
    pub const NAMES: [&str; 2] = ["1.0", "0.1"];

    /// Returns the name of the version: `1.0` or `0.1`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "1.0",
            Self::V01 => "0.1",
        }
    }

    /// Finds a version by its name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::V1, Self::V01].into_iter().find(|each| each.as_str() == name)
    }
}

/// Where a component comes from.
#[derive(Clone, PartialEq, Eq)]
pub enum Code {
    /// The source of one JavaScript file, which Weir makes into a component.
    JavaScript(Arc<str>),
    /// The component itself.
    Component(Component),
}

impl Code {
    /// Returns the number of bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::JavaScript(source) => source.len(),
            Self::Component(component) => component.len(),
        }
    }

    /// Tells whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let language = match self {
            Self::JavaScript(_) => "JavaScript",
            Self::Component(_) => "Component",
        };
        write!(f, "{language}({} bytes)", self.len())
    }
}

/// How long one instance of a component lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instances {
    /// For a bounded number of calls; a trap or a time-out ends it earlier.
    Reuse {
        /// After how many calls a new instance is made.
        calls_max: u32,
    },
    /// For one call.
    Fresh,
}

impl Instances {
    /// After how many calls a new instance is made where nothing is said.
    pub const CALLS_MAX: u32 = 1000;
}

impl Default for Instances {
    fn default() -> Self {
        Self::Reuse { calls_max: Self::CALLS_MAX }
    }
}
