//! The stored form since version 1. Never changed but by additions: those that older readers may ignore, and those that a
//! higher version announces.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use weir_domain::{FunctionId, Timestamp};
use weir_routing::Method;

use super::{
    StoredError,
    aws::{self, Aws},
};
use crate::{Builtin, EventTypeName, KeyRule, OnInvalid, Schema, Scope, TokenId};

/// Free texts; left out where there are none.
pub(super) type Texts<'a> = Cow<'a, BTreeMap<String, String>>;

pub(super) fn is_empty(texts: &BTreeMap<String, String>) -> bool {
    texts.is_empty()
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EventType<'a> {
    name: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    authorizer: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "is_zero")]
    authorizer_cache_ms: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schema: Option<Cow<'a, Value>>,
    /// That of the newest schema, whether the type still has it or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schema_version: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    on_invalid: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "is_empty")]
    metadata: Texts<'a>,
}

impl<'a> From<&'a crate::EventType> for EventType<'a> {
    fn from(it: &'a crate::EventType) -> Self {
        Self {
            name: it.name.as_str().into(),
            key: it.key.to_text().map(Cow::Owned),
            description: it.description.as_deref().map(Cow::Borrowed),
            authorizer: it.authorizer.as_ref().map(|id| id.as_str().into()),
            authorizer_cache_ms: it.authorizer_cache_ms,
            schema: it.schema.as_ref().map(|schema| Cow::Borrowed(schema.document())),
            schema_version: Some(it.schema_version).filter(|version| *version > 0),
            on_invalid: Some(it.on_invalid).filter(|it| *it != OnInvalid::default()).map(|it| it.as_str().into()),
            metadata: Cow::Borrowed(&it.metadata),
        }
    }
}

impl TryFrom<EventType<'_>> for Arc<crate::EventType> {
    type Error = StoredError;

    fn try_from(it: EventType<'_>) -> Result<Self, StoredError> {
        let on_invalid = it.on_invalid.as_deref().map_or(Some(OnInvalid::default()), OnInvalid::parse);
        let schema_version = it.schema_version.unwrap_or_else(|| u32::from(it.schema.is_some()));
        Ok(Self::new(crate::EventType {
            name: EventTypeName::new(&it.name).map_err(StoredError::value)?,
            key: it.key.as_deref().map_or(Ok(KeyRule::Default), KeyRule::parse).map_err(StoredError::value)?,
            description: it.description.map(Cow::into_owned),
            authorizer: it.authorizer.as_deref().map(FunctionId::new).transpose().map_err(StoredError::value)?,
            authorizer_cache_ms: it.authorizer_cache_ms,
            // Not compiled here: one that cannot be used must not keep the log from being read.
            schema: it.schema.map(|document| Schema::new(document.into_owned())),
            schema_version,
            on_invalid: on_invalid.ok_or_else(|| StoredError::value("onInvalid"))?,
            metadata: it.metadata.into_owned(),
        }))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Function<'a> {
    id: Cow<'a, str>,
    kind: Kind<'a>,
    #[serde(default, skip_serializing_if = "is_empty")]
    metadata: Texts<'a>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
enum Kind<'a> {
    Http {
        url: Cow<'a, str>,
        timeout_ms: u32,
        #[serde(default, skip_serializing_if = "is_empty")]
        headers: Texts<'a>,
        /// Since version 2.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cloud_events_version: Option<Cow<'a, str>>,
    },
    /// Since version 2.
    Aws(Aws<'a>),
    Wasm {
        code: Code<'a>,
        instances: Instances,
        timeout_ms: u32,
        memory_bytes_max: u64,
        #[serde(default, skip_serializing_if = "is_empty")]
        config: Texts<'a>,
    },
    /// Since version 4.
    Builtin { name: Cow<'a, str> },
}

/// Inline: the log alone must be enough to run what it tells of.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Code<'a> {
    JavaScript(Cow<'a, str>),
    /// RFC 4648, section 4.
    Component(Cow<'a, str>),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
enum Instances {
    Reuse { calls_max: u32 },
    Fresh,
}

impl<'a> From<&'a crate::Function> for Function<'a> {
    fn from(it: &'a crate::Function) -> Self {
        let kind = match &it.kind {
            crate::FunctionKind::Http { url, timeout_ms, headers, version } => Kind::Http {
                url: url.into(),
                timeout_ms: *timeout_ms,
                headers: Cow::Borrowed(headers),
                cloud_events_version: version.map(|version| version.as_str().into()),
            },
            crate::FunctionKind::Aws(aws) => Kind::Aws(aws.into()),
            crate::FunctionKind::Wasm { code, instances, timeout_ms, memory_bytes_max, config } => Kind::Wasm {
                code: match code {
                    crate::Code::JavaScript(source) => Code::JavaScript(Cow::Borrowed(&**source)),
                    crate::Code::Component(component) => Code::Component(STANDARD.encode(component).into()),
                },
                instances: match *instances {
                    crate::Instances::Reuse { calls_max } => Instances::Reuse { calls_max },
                    crate::Instances::Fresh => Instances::Fresh,
                },
                timeout_ms: *timeout_ms,
                memory_bytes_max: *memory_bytes_max,
                config: Cow::Borrowed(config),
            },
            crate::FunctionKind::Builtin { name } => Kind::Builtin { name: name.as_str().into() },
        };
        Self { id: it.id.as_str().into(), kind, metadata: Cow::Borrowed(&it.metadata) }
    }
}

impl TryFrom<Function<'_>> for Arc<crate::Function> {
    type Error = StoredError;

    fn try_from(it: Function<'_>) -> Result<Self, StoredError> {
        let kind = match it.kind {
            Kind::Http { url, timeout_ms, headers, cloud_events_version } => crate::FunctionKind::Http {
                url: url.into_owned(),
                timeout_ms,
                headers: headers.into_owned(),
                version: aws::version(cloud_events_version.as_deref())?,
            },
            Kind::Aws(aws) => crate::FunctionKind::Aws(aws.try_into()?),
            Kind::Wasm { code, instances, timeout_ms, memory_bytes_max, config } => crate::FunctionKind::Wasm {
                code: match code {
                    Code::JavaScript(source) => crate::Code::JavaScript(Arc::from(&*source)),
                    Code::Component(text) => {
                        crate::Code::Component(STANDARD.decode(&*text).map_err(StoredError::value)?.into())
                    }
                },
                instances: match instances {
                    Instances::Reuse { calls_max } => crate::Instances::Reuse { calls_max },
                    Instances::Fresh => crate::Instances::Fresh,
                },
                timeout_ms,
                memory_bytes_max,
                config: config.into_owned(),
            },
            Kind::Builtin { name } => {
                crate::FunctionKind::Builtin { name: Builtin::parse(&name).ok_or_else(|| StoredError::value(&name))? }
            }
        };
        let id = FunctionId::new(&it.id).map_err(StoredError::value)?;
        Ok(Self::new(crate::Function { id, kind, metadata: it.metadata.into_owned() }))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Cors<'a> {
    /// For readers of the log; it follows from the rest.
    id: Cow<'a, str>,
    method: Cow<'a, str>,
    path: Cow<'a, str>,
    allowed_origins: Cow<'a, [String]>,
    allowed_methods: Cow<'a, [String]>,
    allowed_headers: Cow<'a, [String]>,
    allow_credentials: bool,
    #[serde(default, skip_serializing_if = "is_empty")]
    metadata: Texts<'a>,
}

impl<'a> From<&'a crate::Cors> for Cors<'a> {
    fn from(it: &'a crate::Cors) -> Self {
        Self {
            id: it.id.as_str().into(),
            method: it.method.as_str().into(),
            path: it.path.as_str().into(),
            allowed_origins: it.allowed_origins.as_slice().into(),
            allowed_methods: it.allowed_methods.as_slice().into(),
            allowed_headers: it.allowed_headers.as_slice().into(),
            allow_credentials: it.allow_credentials,
            metadata: Cow::Borrowed(&it.metadata),
        }
    }
}

impl TryFrom<Cors<'_>> for Arc<crate::Cors> {
    type Error = StoredError;

    fn try_from(it: Cors<'_>) -> Result<Self, StoredError> {
        let method = Method::parse(&it.method).ok_or_else(|| StoredError::value(&it.method))?;
        let mut made = crate::Cors::new(method, &it.path);
        made.allowed_origins = it.allowed_origins.into_owned();
        made.allowed_methods = it.allowed_methods.into_owned();
        made.allowed_headers = it.allowed_headers.into_owned();
        made.allow_credentials = it.allow_credentials;
        made.metadata = it.metadata.into_owned();
        if made.id.as_str() == it.id { Ok(Self::new(made)) } else { Err(StoredError::value(&it.id)) }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Token<'a> {
    id: Cow<'a, str>,
    /// Of the whole token as text; RFC 4648, section 5, without padding.
    sha256: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<Cow<'a, str>>,
    scopes: Vec<String>,
    /// Microseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_micros: Option<u64>,
}

impl<'a> From<&'a crate::Token> for Token<'a> {
    fn from(it: &'a crate::Token) -> Self {
        Self {
            id: it.id.as_str().into(),
            sha256: URL_SAFE_NO_PAD.encode(it.hash).into(),
            description: it.description.as_deref().map(Cow::Borrowed),
            scopes: it.scopes.iter().map(ToString::to_string).collect(),
            expires_micros: it.expires.map(Timestamp::unix_micros),
        }
    }
}

impl TryFrom<Token<'_>> for Arc<crate::Token> {
    type Error = StoredError;

    fn try_from(it: Token<'_>) -> Result<Self, StoredError> {
        let hash = URL_SAFE_NO_PAD.decode(&*it.sha256).map_err(StoredError::value)?;
        let scopes = it.scopes.iter().map(|text| Scope::parse(text).map_err(StoredError::value));
        Ok(Self::new(crate::Token {
            id: TokenId::parse(&it.id).ok_or_else(|| StoredError::value(&it.id))?,
            hash: hash.try_into().map_err(|_| StoredError::value(&it.sha256))?,
            description: it.description.map(Cow::into_owned),
            scopes: scopes.collect::<Result<_, _>>()?,
            expires: it.expires_micros.map(Timestamp::from_unix_micros),
        }))
    }
}
