//! The tables of a manifest as typed declarations. What depends on more than one table is not looked at here.

mod aws;
mod subscription;

use std::path::{Path, PathBuf};

use weir_catalog::{
    Builtin, CloudEventsVersion, Code, Cors, EventType, EventTypeName, Function, FunctionKind, Instances, KeyRule,
    Method, OnInvalid, Schema, limits,
};
use weir_domain::{FunctionId, SpaceName};

use crate::{
    document::{Document, Placed, Table},
    manifest::read as read_file,
};
pub(super) use subscription::{Source, SubscriptionDraft};

/// The largest file with a schema that is read, in bytes; what counts is the schema without its white space.
const SCHEMA_FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// What the tables of a manifest declare, each with its place. Where a table has faults, what it declares is missing,
/// except for its name.
#[derive(Default)]
pub(super) struct Resources {
    pub(super) space: Option<SpaceName>,
    pub(super) event_types: Vec<Placed<EventType>>,
    pub(super) functions: Vec<Placed<Function>>,
    pub(super) subscriptions: Vec<SubscriptionDraft>,
    pub(super) cors: Vec<Placed<Cors>>,
    /// Names of all event types, also of those that have faults: who refers to them is not at fault.
    pub(super) event_type_names: Vec<Placed<String>>,
    /// Identifiers of all functions, likewise.
    pub(super) function_ids: Vec<Placed<String>>,
    /// The functions that event types name as their authorizers.
    pub(super) authorizers: Vec<Placed<String>>,
}

/// Reads all tables; `files` gets the files that they name.
pub(super) fn read(document: &Document<'_>, directory: &Path, files: &mut Vec<PathBuf>) -> Resources {
    let mut resources = Resources::default();
    let mut root = document.root("the manifest");
    resources.space = match root.text("space") {
        None => Some(SpaceName::default()),
        Some(name) => SpaceName::new(&name.value).map_err(|error| root.fault_at(name.at, error.to_string())).ok(),
    };
    let mut reader = Reader { directory, files };
    for table in root.tables("event") {
        reader.event_type(table, &mut resources);
    }
    for table in root.tables("function") {
        reader.function(table, &mut resources);
    }
    for table in root.tables("subscription") {
        resources.subscriptions.push(subscription::read(table));
    }
    for table in root.tables("cors") {
        resources.cors.extend(cors(table));
    }
    root.finish();
    resources
}

struct Reader<'a> {
    directory: &'a Path,
    files: &'a mut Vec<PathBuf>,
}

impl Reader<'_> {
    fn event_type(&mut self, mut table: Table<'_>, resources: &mut Resources) {
        let name = table.required_text("type", "give the event type a name such as order.placed");
        let name = name.and_then(|name| {
            resources.event_type_names.push(name.clone());
            table.entitle(format!("event type {:?}", name.value));
            EventTypeName::new(&name.value).map_err(|error| table.fault_at(name.at, error.to_string())).ok()
        });
        let key = match table.text("key") {
            None => Some(KeyRule::Default),
            Some(key) => KeyRule::parse(&key.value).map_err(|error| table.fault_at(key.at, error.to_string())).ok(),
        };
        // An empty text says nothing, as in the Configuration API.
        let description = table.text("description").map(|text| text.value).filter(|text| !text.is_empty());
        let (authorizer, authorizer_cache_ms) = authorizer(&mut table, resources);
        let metadata = table.texts("metadata");
        let schema = table.text("schema").and_then(|path| self.schema(&table, &path));
        let on_invalid = table.word("on_invalid", &OnInvalid::ALL.map(OnInvalid::as_str));
        let on_invalid = on_invalid.and_then(|word| OnInvalid::parse(&word.value)).unwrap_or_default();
        let at = table.at();
        table.finish();
        if let (Some(name), Some(key)) = (name, key) {
            let bare = EventType::new(name);
            let bare = EventType { key, description, authorizer, authorizer_cache_ms, ..bare };
            resources.event_types.push(Placed { value: EventType { schema, on_invalid, metadata, ..bare }, at });
        }
    }

    /// Reads a schema. One that cannot be used is told where the file is named, with the place within.
    fn schema(&mut self, table: &Table<'_>, path: &Placed<String>) -> Option<Schema> {
        let bytes = self.file(table, "schema", path, SCHEMA_FILE_BYTES_MAX)?;
        let schema = match serde_json::from_slice(&bytes) {
            Ok(document) => Schema::new(document),
            Err(error) => {
                table.fault_at(path.at, format!("the schema {} is not JSON, correct it: {error}", path.value));
                return None;
            }
        };
        match schema.cure() {
            Some(cure) => {
                table.fault_at(path.at, format!("the schema {}: {cure}", path.value));
                None
            }
            None => Some(schema),
        }
    }

    fn function(&mut self, mut table: Table<'_>, resources: &mut Resources) {
        let id = table.required_text("id", "give the function a name such as catalog");
        let id = id.and_then(|id| {
            resources.function_ids.push(id.clone());
            table.entitle(format!("function {:?}", id.value));
            FunctionId::new(&id.value).map_err(|error| table.fault_at(id.at, error.to_string())).ok()
        });
        let timeout = table.number("timeout_ms", 1..=u64::from(limits::TIMEOUT_MS_MAX));
        let timeout = timeout.map(|timeout| bounded(timeout.value));
        let kind = match aws::target(&table) {
            Some(target) => aws::read(&mut table, target, timeout),
            None if table.has("builtin") => builtin(&mut table),
            None => self.own_or_url(&mut table, timeout.unwrap_or(FunctionKind::TIMEOUT_MS)),
        };
        let metadata = table.texts("metadata");
        let at = table.at();
        table.finish();
        if let (Some(id), Some(kind)) = (id, kind) {
            resources.functions.push(Placed { value: Function { id, kind, metadata }, at });
        }
    }

    /// Reads a function that is called by Weir itself: in this process or at a URL.
    fn own_or_url(&mut self, table: &mut Table<'_>, timeout_ms: u32) -> Option<FunctionKind> {
        not_here(table, &aws::KEYS, "an arn, a stream or a queue of AWS");
        match (table.has("source"), table.has("url")) {
            (true, false) => {
                not_here(table, &["headers", "cloudevents_version"], "a url");
                self.wasm(table, timeout_ms)
            }
            (false, true) => {
                not_here(table, &["instances", "calls_max", "memory_bytes_max", "config"], "a source");
                http(table, timeout_ms)
            }
            (has_both, _) => {
                table.fault(if has_both {
                    "it has a source and a url: keep one of them"
                } else {
                    "it has nothing to call: give it a source such as functions/catalog.js, or a url"
                });
                // Read all the same, so that everything else that is wrong is told too.
                self.wasm(table, timeout_ms).and(http(table, timeout_ms))
            }
        }
    }

    fn wasm(&mut self, table: &mut Table<'_>, timeout_ms: u32) -> Option<FunctionKind> {
        let source = table.text("source");
        let words = table.word("instances", &["reuse", "fresh"]);
        let calls_max = table.number("calls_max", 1..=u64::from(u32::MAX));
        let instances = match (words.as_ref().map(|word| word.value.as_str()), &calls_max) {
            (Some("fresh"), Some(calls_max)) => {
                table.fault_at(calls_max.at, "\"calls_max\" has no meaning for fresh instances: remove it");
                Instances::Fresh
            }
            (Some("fresh"), None) => Instances::Fresh,
            (_, Some(calls_max)) => Instances::Reuse { calls_max: bounded(calls_max.value) },
            (_, None) => Instances::default(),
        };
        let memory = table.number("memory_bytes_max", limits::MEMORY_BYTES_MIN..=limits::MEMORY_BYTES_MAX);
        let config = table.texts("config");
        let code = self.code(table, &source?)?;
        let memory_bytes_max = memory.map_or(FunctionKind::MEMORY_BYTES_MAX, |memory| memory.value);
        Some(FunctionKind::Wasm { code, instances, timeout_ms, memory_bytes_max, config })
    }

    fn code(&mut self, table: &Table<'_>, path: &Placed<String>) -> Option<Code> {
        let extension = Path::new(&path.value).extension().and_then(|extension| extension.to_str());
        let is_script = match extension {
            Some("js") => true,
            Some("wasm") => false,
            _ => {
                let message = format!("the source {} must be a .js or a .wasm file", path.value);
                table.fault_at(path.at, message);
                return None;
            }
        };
        let bytes = self.file(table, "source", path, limits::CODE_BYTES_MAX as u64)?;
        if !is_script {
            return Some(Code::Component(bytes.into()));
        }
        match String::from_utf8(bytes) {
            Ok(text) => Some(Code::JavaScript(text.into())),
            Err(_) => {
                table.fault_at(path.at, format!("the source {} is not UTF-8: save it as such", path.value));
                None
            }
        }
    }

    /// Reads a file that a table names, which is looked for beside the manifest.
    fn file(&mut self, table: &Table<'_>, what: &str, path: &Placed<String>, bytes_max: u64) -> Option<Vec<u8>> {
        let place = self.directory.join(&path.value);
        let bytes = read_file(&place, bytes_max);
        if !self.files.contains(&place) {
            self.files.push(place);
        }
        bytes.map_err(|error| table.fault_at(path.at, format!("the {what} {}: {error}", path.value))).ok()
    }
}

/// Reads which function is asked about each event, and for how long what it allowed holds. Whether there is such a function
/// is looked at later.
fn authorizer(table: &mut Table<'_>, resources: &mut Resources) -> (Option<FunctionId>, u32) {
    let name = table.text("authorizer");
    let cache = table.number("authorizer_cache_ms", 0..=u64::from(limits::AUTHORIZER_CACHE_MS_MAX));
    if let Some(cache) = &cache
        && !table.has("authorizer")
    {
        let message =
            "\"authorizer_cache_ms\" has no meaning without an \"authorizer\": name the function, or remove it";
        table.fault_at(cache.at, message);
    }
    // A text that cannot be an identifier names no function that is declared, which is told with all others.
    let function = name.as_ref().and_then(|name| FunctionId::new(&name.value).ok());
    resources.authorizers.extend(name);
    (function, cache.map_or(0, |cache| bounded(cache.value)))
}

fn http(table: &mut Table<'_>, timeout_ms: u32) -> Option<FunctionKind> {
    let url = table.text("url");
    let headers = table.texts("headers");
    let version = version(table);
    Some(FunctionKind::Http { url: url?.value, timeout_ms, headers, version })
}

/// Reads the version of CloudEvents in which a function is given events.
fn version(table: &mut Table<'_>) -> Option<CloudEventsVersion> {
    let word = table.word("cloudevents_version", &CloudEventsVersion::NAMES)?;
    CloudEventsVersion::parse(&word.value)
}

/// Reads a function that is part of Weir, of which nothing else is said.
fn builtin(table: &mut Table<'_>) -> Option<FunctionKind> {
    not_here(table, &["source", "instances", "calls_max", "memory_bytes_max", "config"], "a source");
    not_here(table, &["url", "headers", "cloudevents_version"], "a url");
    not_here(table, &["timeout_ms"], "a source, a url or something at AWS");
    not_here(table, &aws::KEYS, "an arn, a stream or a queue of AWS");
    let word = table.word("builtin", Builtin::NAMES)?;
    Builtin::parse(&word.value).map(|name| FunctionKind::Builtin { name })
}

/// Refuses keys that belong to functions of the other kind.
fn not_here(table: &mut Table<'_>, keys: &[&'static str], belongs_to: &str) {
    for key in keys {
        if table.has(key) {
            table.fault(format!("{key:?} is for functions with {belongs_to}: remove it"));
            table.pass_over(key);
        }
    }
}

/// The number was checked against a bound of 32 bits.
fn bounded(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn cors(mut table: Table<'_>) -> Option<Placed<Cors>> {
    let route = table.required_text("route", "name the route that browsers may call, such as \"GET /products/:id\"");
    if let Some(route) = &route {
        table.entitle(format!("cors of {:?}", route.value));
    }
    let route = route.and_then(|route| parse_route(&table, &route));
    let origins = table.list("origins");
    let methods = table.list("methods");
    let headers = table.list("headers");
    let credentials = table.truth("credentials");
    let metadata = table.texts("metadata");
    let at = table.at();
    table.finish();
    let (method, path) = route?;
    let mut value = Cors::new(method, &path);
    // What a pre-flight is about is allowed where nothing else is said.
    value.allowed_methods = methods.unwrap_or_else(|| vec![method.to_string()]);
    value.allowed_origins = origins.unwrap_or(value.allowed_origins);
    value.allowed_headers = headers.unwrap_or(value.allowed_headers);
    value.allow_credentials = credentials.unwrap_or_default();
    value.metadata = metadata;
    Some(Placed { value, at })
}

fn parse_route(table: &Table<'_>, route: &Placed<String>) -> Option<(Method, String)> {
    let mut words = route.value.split_whitespace();
    let (Some(method), Some(path), None) = (words.next(), words.next(), words.next()) else {
        table.fault_at(route.at, format!("the route {:?} must be a method and a path: \"GET /path\"", route.value));
        return None;
    };
    let Some(known) = Method::parse(&method.to_ascii_uppercase()) else {
        let names = Method::ALL.map(Method::as_str).join(", ");
        table.fault_at(route.at, format!("there is no method {method:?}: use one of {names}"));
        return None;
    };
    if !path.starts_with('/') {
        table.fault_at(route.at, format!("the path {path:?} must begin with a slash: write \"{known} /{path}\""));
        return None;
    }
    Some((known, path.to_owned()))
}
