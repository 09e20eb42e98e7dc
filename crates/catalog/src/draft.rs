//! Declarations as they come from outside: texts that nobody has checked yet.
//!
//! The configuration API and the manifest fill in a draft; [`EventTypeDraft::check`] and its like make it into the typed
//! declaration, or return every text that cannot be one. What depends on values and on the rest of the catalog is
//! checked by [`Catalog::plan`](crate::Catalog::plan).

mod aws;

use std::{collections::BTreeMap, fmt};

use weir_domain::{FunctionId, SpaceName, Timestamp};
use weir_routing::{Filter, FilterFault, Method};

use crate::{
    Builtin, CatalogError, CloudEventsVersion, Code, Cors, DeliveryPolicy, Detail, EventType, EventTypeName,
    EventTypeNameError, Function, FunctionKind, Instances, KeyRule, OnInvalid, Resource, RetryPolicy, Schema, Scope,
    Start, Subscription, SubscriptionKind, Token, TokenId, rules,
};

pub use aws::AwsDraft;

const NAME_CHARACTERS: &str = "use the characters a-z A-Z 0-9 . - _ only";
/// What a function can be.
const KINDS: &str = "http, wasm, awslambda, awskinesis, awsfirehose, awssqs or builtin";

/// An event type that is not checked yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventTypeDraft {
    /// Its name.
    pub name: String,
    /// Its key rule as [`KeyRule::parse`] reads it; none is the default rule.
    pub key: Option<String>,
    /// What it means, for people.
    pub description: Option<String>,
    /// The identifier of its authorizer.
    pub authorizer: Option<String>,
    /// For how long what the authorizer allowed holds, in milliseconds.
    pub authorizer_cache_ms: u32,
    /// The JSON Schema of its data.
    pub schema: Option<serde_json::Value>,
    /// `refuse`, which is the default, or `quarantine`.
    pub on_invalid: Option<String>,
    /// Free texts.
    pub metadata: BTreeMap<String, String>,
}

impl EventTypeDraft {
    /// Makes the event type, in a space that is `default` where its name is empty.
    ///
    /// # Errors
    /// All texts that cannot be what they should.
    pub fn check(self, space: &str) -> Result<(SpaceName, EventType), CatalogError> {
        let mut reader = Reader::of(Resource::EventType);
        let space = reader.space(space);
        let name = match EventTypeName::new(&self.name) {
            Ok(name) => Some(name),
            Err(EventTypeNameError::Empty) => reader.refuse("Name", "required", "give the event type a name"),
            Err(EventTypeNameError::TooLong) => {
                reader.refuse("Name", "max", format!("shorten the name to {} bytes", EventTypeName::BYTES_MAX))
            }
            Err(EventTypeNameError::Character(code)) => {
                reader.refuse("Name", "eventType", format!("remove the character U+{code:04X} from the name"))
            }
        };
        let key = match self.key.as_deref().map_or(Ok(KeyRule::Default), KeyRule::parse) {
            Ok(key) => Some(key),
            Err(error) => reader.refuse("Key", "key", format!("correct the key: {error}")),
        };
        let on_invalid = match self.on_invalid.as_deref() {
            None => Some(OnInvalid::default()),
            Some(text) => OnInvalid::parse(text).or_else(|| {
                reader.refuse("OnInvalid", "eq=refuse|eq=quarantine", "give onInvalid the value refuse or quarantine")
            }),
        };
        let (Some(space), Some(name), Some(key), Some(on_invalid)) = (space, name, key, on_invalid) else {
            return Err(reader.refused());
        };
        // A text that cannot be an identifier names no function.
        let authorizer = self.authorizer.as_deref().map(FunctionId::new).transpose();
        let authorizer = authorizer.map_err(|_| CatalogError::AuthorizerMissing)?;
        let event_type = EventType {
            name,
            key,
            description: self.description,
            authorizer,
            authorizer_cache_ms: self.authorizer_cache_ms,
            schema: self.schema.map(Schema::new),
            schema_version: 0,
            on_invalid,
            metadata: self.metadata,
        };
        Ok((space, event_type))
    }
}

/// A function that is not checked yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FunctionDraft {
    /// Its identifier.
    pub id: String,
    /// What is called, and how.
    pub provider: ProviderDraft,
    /// Free texts.
    pub metadata: BTreeMap<String, String>,
}

/// What a function calls, as far as it is known. `Debug` shows the type alone: the rest may be secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum ProviderDraft {
    /// No type is named.
    #[default]
    Unset,
    /// A type that Weir does not have.
    Unsupported(String),
    /// A URL.
    Http {
        /// Where to; must be given.
        url: Option<String>,
        /// How long one call may take, else [`FunctionKind::TIMEOUT_MS`].
        timeout_ms: Option<u32>,
        /// Headers that go with every call.
        headers: BTreeMap<String, String>,
        /// In which version of CloudEvents events are given.
        version: Option<CloudEventsVersion>,
    },
    /// A resource of AWS.
    Aws(AwsDraft),
    /// A component.
    Wasm {
        /// Where it comes from; must be given.
        code: Option<Code>,
        /// How long one instance lives, else the default of [`Instances`].
        instances: Option<Instances>,
        /// How long one call may take, else [`FunctionKind::TIMEOUT_MS`].
        timeout_ms: Option<u32>,
        /// The most memory of one instance, else [`FunctionKind::MEMORY_BYTES_MAX`].
        memory_bytes_max: Option<u64>,
        /// What the function reads as its configuration.
        config: BTreeMap<String, String>,
    },
    /// A function that is part of Weir.
    Builtin {
        /// Which one; must be given.
        name: Option<String>,
    },
}

impl FunctionDraft {
    /// Makes the function, in a space that is `default` where its name is empty.
    ///
    /// # Errors
    /// Where there is nothing to call, else all texts that cannot be what they should.
    pub fn check(self, space: &str) -> Result<(SpaceName, Function), CatalogError> {
        let kind = self.provider.check().map_err(|detail| CatalogError::invalid(Resource::Function, detail))?;
        let mut reader = Reader::of(Resource::Function);
        let space = reader.space(space);
        let id = reader.function("ID", &self.id);
        let (Some(space), Some(id)) = (space, id) else { return Err(reader.refused()) };
        Ok((space, Function { id, kind, metadata: self.metadata }))
    }
}

impl fmt::Debug for ProviderDraft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unset => f.write_str("Unset"),
            Self::Unsupported(name) => f.debug_tuple("Unsupported").field(name).finish(),
            Self::Http { .. } => f.write_str("Http(…)"),
            Self::Aws(_) => f.write_str("Aws(…)"),
            Self::Wasm { .. } => f.write_str("Wasm(…)"),
            Self::Builtin { .. } => f.write_str("Builtin(…)"),
        }
    }
}

impl ProviderDraft {
    fn check(self) -> Result<FunctionKind, Detail> {
        match self {
            Self::Unset => {
                Err(Detail::new("provider configuration not set", format!("give the function a type: {KINDS}")))
            }
            Self::Unsupported(name) => {
                let name: String = name.chars().take(128).collect();
                Err(Detail::new(format!("provider {name} not supported"), format!("choose one of the types: {KINDS}")))
            }
            Self::Http { url, timeout_ms, headers, version } => Ok(FunctionKind::Http {
                url: url.ok_or_else(rules::missing_url)?,
                timeout_ms: timeout_ms.unwrap_or(FunctionKind::TIMEOUT_MS),
                headers,
                version,
            }),
            Self::Aws(draft) => draft.check().map(FunctionKind::Aws),
            Self::Wasm { code, instances, timeout_ms, memory_bytes_max, config } => Ok(FunctionKind::Wasm {
                code: code
                    .ok_or_else(|| Detail::field(Resource::Function, "Code", "required", rules::missing_code()))?,
                instances: instances.unwrap_or_default(),
                timeout_ms: timeout_ms.unwrap_or(FunctionKind::TIMEOUT_MS),
                memory_bytes_max: memory_bytes_max.unwrap_or(FunctionKind::MEMORY_BYTES_MAX),
                config,
            }),
            Self::Builtin { name } => {
                let builtin = name.as_deref().and_then(Builtin::parse);
                builtin.map(|name| FunctionKind::Builtin { name }).ok_or_else(|| {
                    let rule = Builtin::NAMES.iter().map(|name| format!("eq={name}")).collect::<Vec<_>>().join("|");
                    let names = Builtin::NAMES.join(", ");
                    let cure = format!("name a function that is part of Weir: {names}");
                    Detail::field(Resource::Function, "Name", &rule, cure)
                })
            }
        }
    }
}

/// A subscription that is not checked yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubscriptionDraft {
    /// `sync` or `async`.
    pub kind: String,
    /// The name of the event type.
    pub event_type: String,
    /// The identifier of the function.
    pub function: String,
    /// The path; empty is `/`, and a missing first slash is added.
    pub path: String,
    /// The method in any case; empty is `POST`.
    pub method: String,
    /// Which of the events it is given, as [`Filter::parse`] reads it; none is all of them.
    pub filter: Option<serde_json::Value>,
    /// With which events it begins.
    pub start: Start,
    /// How it delivers.
    pub delivery: DeliveryPolicy,
    /// What happens when a delivery fails.
    pub retry: RetryPolicy,
    /// Free texts.
    pub metadata: BTreeMap<String, String>,
}

impl SubscriptionDraft {
    /// Makes the subscription, in a space that is `default` where its name is empty.
    ///
    /// # Errors
    /// All texts that cannot be what they should.
    pub fn check(self, space: &str) -> Result<(SpaceName, Subscription), CatalogError> {
        let mut reader = Reader::of(Resource::Subscription);
        let space = reader.space(space);
        let kind = match SubscriptionKind::parse(&self.kind) {
            Some(kind) => Some(kind),
            None if self.kind.is_empty() => reader.refuse("Type", "required", "give the type sync or async"),
            None => reader.refuse("Type", "eq=async|eq=sync", "give the type sync or async"),
        };
        let event_type = match EventTypeName::new(&self.event_type) {
            Ok(name) if name.is_subscribable() => Some(name),
            Err(EventTypeNameError::Empty) => reader.refuse("EventType", "required", "name the event type"),
            _ => reader.refuse("EventType", "eventType", NAME_CHARACTERS),
        };
        let function = reader.function("FunctionID", &self.function);
        let method = match self.method.as_str() {
            "" => Some(Method::default()),
            text => reader.method(&text.to_ascii_uppercase()),
        };
        let filter = reader.filter(self.filter.as_ref());
        let (Some(space), Some(kind), Some(event_type), Some(function), Some(method), Some(filter)) =
            (space, kind, event_type, function, method, filter)
        else {
            return Err(reader.refused());
        };
        let subscription = Subscription::new(kind, event_type, function, method, &self.path)
            .with_filter(filter)
            .with_start(self.start)
            .with_delivery(self.delivery)
            .with_retry(self.retry)
            .with_metadata(self.metadata);
        Ok((space, subscription))
    }
}

/// A CORS configuration that is not checked yet. What is left out has the defaults of [`Cors::new`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CorsDraft {
    /// The method, in capitals.
    pub method: String,
    /// The path.
    pub path: String,
    /// Origins that may call.
    pub allowed_origins: Option<Vec<String>>,
    /// Methods that may be asked for.
    pub allowed_methods: Option<Vec<String>>,
    /// Request headers that may be asked for.
    pub allowed_headers: Option<Vec<String>>,
    /// Whether credentials may come along.
    pub allow_credentials: bool,
    /// Free texts.
    pub metadata: BTreeMap<String, String>,
}

impl CorsDraft {
    /// Makes the configuration, in a space that is `default` where its name is empty.
    ///
    /// # Errors
    /// All texts that cannot be what they should.
    pub fn check(self, space: &str) -> Result<(SpaceName, Cors), CatalogError> {
        let mut reader = Reader::of(Resource::Cors);
        let space = reader.space(space);
        let method = match self.method.as_str() {
            "" => reader.refuse("Method", "required", "give the method in capitals, such as GET"),
            text => reader.method(text),
        };
        if self.path.is_empty() {
            reader.refuse::<()>("Path", "required", "give the path, which begins with a slash");
        }
        let (Some(space), Some(method), false) = (space, method, self.path.is_empty()) else {
            return Err(reader.refused());
        };
        let mut cors = Cors::new(method, &self.path);
        cors.allowed_origins = self.allowed_origins.unwrap_or(cors.allowed_origins);
        cors.allowed_methods = self.allowed_methods.unwrap_or(cors.allowed_methods);
        cors.allowed_headers = self.allowed_headers.unwrap_or(cors.allowed_headers);
        cors.allow_credentials = self.allow_credentials;
        cors.metadata = self.metadata;
        Ok((space, cors))
    }
}

/// A token that is not checked yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenDraft {
    /// What it is for, for people.
    pub description: Option<String>,
    /// Its scopes as [`Scope::parse`] reads them.
    pub scopes: Vec<String>,
    /// From when on it is worth nothing.
    pub expires: Option<Timestamp>,
}

impl TokenDraft {
    /// Makes the token of an identifier and the hash of what its owner shows.
    ///
    /// # Errors
    /// All texts that are no scopes.
    pub fn check(self, id: TokenId, hash: [u8; 32]) -> Result<Token, CatalogError> {
        let mut reader = Reader::of(Resource::Token);
        let scopes = self.scopes.iter().filter_map(|text| match Scope::parse(text) {
            Ok(scope) => Some(scope),
            Err(error) => reader.refuse("Scopes", "scope", format!("correct the scopes: {error}")),
        });
        let scopes = scopes.collect();
        if !reader.details.is_empty() {
            return Err(reader.refused());
        }
        Ok(Token { id, hash, description: self.description, scopes, expires: self.expires })
    }
}

/// Collects the texts that cannot be what they should.
struct Reader {
    resource: Resource,
    details: Vec<Detail>,
}

impl Reader {
    const fn of(resource: Resource) -> Self {
        Self { resource, details: Vec::new() }
    }

    /// Always `None`: what stands in the place of the value.
    fn refuse<T>(&mut self, field: &str, rule: &str, cure: impl Into<String>) -> Option<T> {
        self.details.push(Detail::field(self.resource, field, rule, cure));
        None
    }

    fn refused(self) -> CatalogError {
        CatalogError::Invalid { resource: self.resource, details: self.details }
    }

    fn space(&mut self, text: &str) -> Option<SpaceName> {
        if text.is_empty() {
            return Some(SpaceName::default());
        }
        SpaceName::new(text).ok().or_else(|| match text.chars().count() {
            0..3 => self.refuse("Space", "min", "give the space a name of 3 characters at least"),
            3..=128 => self.refuse("Space", "space", NAME_CHARACTERS),
            _ => self.refuse("Space", "max", "shorten the name of the space to 128 characters"),
        })
    }

    fn method(&mut self, text: &str) -> Option<Method> {
        Method::parse(text).or_else(|| {
            let rule = Method::ALL.map(|method| format!("eq={method}")).join("|");
            let names = Method::ALL.map(Method::as_str).join(", ");
            self.refuse("Method", &rule, format!("choose one of the methods {names}"))
        })
    }

    /// Reads a filter where there is one; `None` where it is none.
    fn filter(&mut self, given: Option<&serde_json::Value>) -> Option<Option<Filter>> {
        match given.map(Filter::parse).transpose() {
            Ok(filter) => Some(filter),
            Err(faults) => {
                self.details.extend(faults.into_iter().map(|FilterFault { pointer, problem }| {
                    Detail::new(format!("filter{pointer} {problem}"), "correct the filter, or leave it out")
                }));
                None
            }
        }
    }

    fn function(&mut self, field: &str, text: &str) -> Option<FunctionId> {
        FunctionId::new(text).ok().or_else(|| match text.chars().count() {
            0 => self.refuse(field, "required", "give the identifier of the function"),
            1..=256 => self.refuse(field, "functionid", NAME_CHARACTERS),
            _ => self.refuse(field, "max", "shorten the identifier of the function to 256 characters"),
        })
    }
}

#[cfg(test)]
mod tests;
