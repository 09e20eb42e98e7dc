//! What a function calls, on the wire: the member `provider`, whose form depends on the member `type`.
//!
//! | `type` | members of `provider` |
//! |---|---|
//! | `http` | `url`; `timeoutMs`, `headers`, `cloudEventsVersion` |
//! | `wasm` | `javascript` (source) or `component` (base64); `instances` (`reuse`, `fresh`), `callsMax`, `timeoutMs`, `memoryBytesMax`, `config` |
//! | `builtin` | `name` (`count`) |
//! | `awslambda`, `awskinesis`, `awsfirehose`, `awssqs` | see [`aws`] |
//!
//! Values of headers and of the configuration, and credentials, may be secret: they are never shown. Where a client
//! writes back what it was shown, the value stays that is there when the change is made. A component is shown by its size
//! and its digest. What a client sends has all of it: [`Shown::whole`].

mod aws;
mod members;

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use weir_catalog::{AwsService, CloudEventsVersion, Code, Detail, FunctionKind, Instances, draft::ProviderDraft};

use crate::{
    configuration::{
        components::{Components, digest},
        fields::Fields,
    },
    openapi::Member,
};
#[cfg(test)]
pub(super) use members::tables;
pub(super) use members::{choices, kinds, schemas};

/// What the Event Gateway says before what is wrong with a provider.
const CONTEXT: &str = "unable to load function provider config: ";

/// Shown in the place of a value that may be secret.
pub(in crate::configuration) const HIDDEN: &str = "*****";

/// Reads a provider, and the names of the values that are to stay. These are not in it; for credentials of AWS, which must be
/// there together, the mark is. A type that there is not, or none, is for the draft to refuse.
///
/// # Errors
/// Where a member has another type than it should, or members contradict each other.
pub(super) fn read(kind: &str, given: Option<&RawValue>) -> Result<(ProviderDraft, BTreeSet<String>), Detail> {
    let fields = |members: &'static [Member]| Fields::read(given.map_or("{}", RawValue::get), CONTEXT, members);
    match kind {
        "" => Ok((ProviderDraft::Unset, BTreeSet::new())),
        "http" => http(fields(members::HTTP)?),
        "wasm" => wasm(fields(members::WASM)?),
        "builtin" => {
            let name = fields(members::BUILTIN)?.optional("name")?;
            Ok((ProviderDraft::Builtin { name }, BTreeSet::new()))
        }
        other => match AwsService::parse(other) {
            Some(service) => aws::read(service, fields(members::AWS)?),
            None => Ok((ProviderDraft::Unsupported(other.to_owned()), BTreeSet::new())),
        },
    }
}

/// Reads a provider as a server shows it. What is hidden stays hidden: such a value is `*****`, and a component that is not
/// among these has no bytes. Neither equals anything that a client can declare.
///
/// # Errors
/// As [`read`].
pub(super) fn read_shown(
    kind: &str,
    given: Option<&RawValue>,
    components: &Components,
) -> Result<ProviderDraft, Detail> {
    let fields = |members: &'static [Member]| Fields::read(given.map_or("{}", RawValue::get), CONTEXT, members);
    match kind {
        "http" => {
            let mut fields = fields(members::HTTP)?;
            Ok(ProviderDraft::Http {
                url: fields.optional("url")?,
                timeout_ms: fields.take("timeoutMs")?,
                headers: fields.map("headers")?,
                version: version(&mut fields)?,
            })
        }
        "wasm" => {
            let mut fields = fields(members::WASM)?;
            let bytes: Option<u64> = fields.take("componentBytes")?;
            let digest = fields.optional("componentDigest")?;
            let component = bytes.map(|_| Code::Component(components.find(digest.as_deref())));
            Ok(ProviderDraft::Wasm {
                code: code(&mut fields)?.or(component),
                instances: instances(&mut fields)?,
                timeout_ms: fields.take("timeoutMs")?,
                memory_bytes_max: fields.take("memoryBytesMax")?,
                config: fields.map("config")?,
            })
        }
        // Hidden credentials of AWS are read as they are shown.
        _ => read(kind, given).map(|(draft, _)| draft),
    }
}

fn http(mut fields: Fields<'_>) -> Result<(ProviderDraft, BTreeSet<String>), Detail> {
    let (url, timeout_ms) = (fields.optional("url")?, fields.take("timeoutMs")?);
    let (headers, kept) = parted(fields.map("headers")?);
    Ok((ProviderDraft::Http { url, timeout_ms, headers, version: version(&mut fields)? }, kept))
}

/// Reads the version of CloudEvents in which a function is given events.
fn version(fields: &mut Fields<'_>) -> Result<Option<CloudEventsVersion>, Detail> {
    let Some(name) = fields.optional("cloudEventsVersion")? else { return Ok(None) };
    CloudEventsVersion::parse(&name).map(Some).ok_or_else(|| {
        let name: String = name.chars().take(64).collect();
        fault(&format!("cloudEventsVersion must be \"1.0\" or \"0.1\", not {name:?}"), "give one of the two")
    })
}

fn wasm(mut fields: Fields<'_>) -> Result<(ProviderDraft, BTreeSet<String>), Detail> {
    let (code, instances) = (code(&mut fields)?, instances(&mut fields)?);
    let (timeout_ms, memory_bytes_max) = (fields.take("timeoutMs")?, fields.take("memoryBytesMax")?);
    let (config, kept) = parted(fields.map("config")?);
    Ok((ProviderDraft::Wasm { code, instances, timeout_ms, memory_bytes_max, config }, kept))
}

fn code(fields: &mut Fields<'_>) -> Result<Option<Code>, Detail> {
    let source: Option<String> = fields.take("javascript")?;
    let component: Option<String> = fields.take("component")?;
    match (source, component) {
        (Some(_), Some(_)) => Err(fault("javascript and component exclude each other", "give one of them")),
        (Some(source), None) => Ok(Some(Code::JavaScript(source.into()))),
        (None, Some(base64)) => match STANDARD.decode(base64) {
            Ok(bytes) => Ok(Some(Code::Component(bytes.into()))),
            Err(error) => {
                let reason = error.to_string();
                let message = format!("component is not base64: {}", reason.trim_end_matches('.'));
                Err(fault(&message, "encode it by RFC 4648, section 4, with padding"))
            }
        },
        (None, None) => Ok(None),
    }
}

fn instances(fields: &mut Fields<'_>) -> Result<Option<Instances>, Detail> {
    let name: Option<String> = fields.take("instances")?;
    let calls_max: Option<u32> = fields.take("callsMax")?;
    match (name.as_deref(), calls_max) {
        (None, None) => Ok(None),
        (None | Some("reuse"), calls_max) => {
            Ok(Some(Instances::Reuse { calls_max: calls_max.unwrap_or(Instances::CALLS_MAX) }))
        }
        (Some("fresh"), None) => Ok(Some(Instances::Fresh)),
        (Some("fresh"), Some(_)) => {
            Err(fault("callsMax has no meaning where instances is \"fresh\"", "leave callsMax out, or reuse instances"))
        }
        (Some(other), _) => {
            let other: String = other.chars().take(64).collect();
            Err(fault(&format!("instances must be \"reuse\" or \"fresh\", not {other:?}"), "give one of the two"))
        }
    }
}

/// Parts the values that a client gave from the names of those which it wrote back as it was shown them.
fn parted(given: BTreeMap<String, String>) -> (BTreeMap<String, String>, BTreeSet<String>) {
    let (shown, given): (BTreeMap<_, _>, BTreeMap<_, _>) = given.into_iter().partition(|(_, value)| value == HIDDEN);
    (given, shown.into_keys().collect())
}

fn fault(message: &str, cure: &str) -> Detail {
    Detail::new(format!("{CONTEXT}{message}"), cure)
}

/// A provider as clients see it. What an `http` provider has as its default is left out, so that clients of the Event
/// Gateway see what they know.
#[derive(Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub(super) enum Shown<'a> {
    Http {
        url: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        timeout_ms: Option<u32>,
        #[serde(skip_serializing_if = "Texts::is_empty")]
        headers: Texts<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cloud_events_version: Option<&'static str>,
    },
    Aws(aws::Shown<'a>),
    Wasm {
        #[serde(skip_serializing_if = "Option::is_none")]
        javascript: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        component_bytes: Option<usize>,
        #[serde(skip_serializing_if = "Option::is_none")]
        component_digest: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        component: Option<String>,
        instances: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        calls_max: Option<u32>,
        timeout_ms: u32,
        memory_bytes_max: u64,
        #[serde(skip_serializing_if = "Texts::is_empty")]
        config: Texts<'a>,
    },
    Builtin {
        name: &'static str,
    },
}

impl<'a> Shown<'a> {
    /// Shows a provider to a reader.
    pub(super) fn of(kind: &'a FunctionKind) -> Self {
        Self::new(kind, true)
    }

    /// Writes a provider as a client sends it, with code and values.
    pub(super) fn whole(kind: &'a FunctionKind) -> Self {
        Self::new(kind, false)
    }

    fn new(kind: &'a FunctionKind, is_covered: bool) -> Self {
        match kind {
            FunctionKind::Http { url, timeout_ms, headers, version } => Self::Http {
                url,
                timeout_ms: Some(*timeout_ms).filter(|given| *given != FunctionKind::TIMEOUT_MS),
                headers: Texts { texts: headers, is_covered },
                cloud_events_version: version.map(CloudEventsVersion::as_str),
            },
            FunctionKind::Aws(function) => Self::Aws(aws::Shown { function, is_covered }),
            FunctionKind::Builtin { name } => Self::Builtin { name: name.as_str() },
            FunctionKind::Wasm { code, instances, timeout_ms, memory_bytes_max, config } => {
                let (javascript, covered, component) = match code {
                    Code::JavaScript(source) => (Some(&**source), None, None),
                    Code::Component(component) if is_covered => {
                        (None, Some((component.len(), digest(component))), None)
                    }
                    Code::Component(component) => (None, None, Some(STANDARD.encode(component))),
                };
                let (component_bytes, component_digest) = covered.unzip();
                let (instances, calls_max) = match instances {
                    Instances::Reuse { calls_max } => ("reuse", Some(*calls_max)),
                    Instances::Fresh => ("fresh", None),
                };
                Self::Wasm {
                    javascript,
                    component_bytes,
                    component_digest,
                    component,
                    instances,
                    calls_max,
                    timeout_ms: *timeout_ms,
                    memory_bytes_max: *memory_bytes_max,
                    config: Texts { texts: config, is_covered },
                }
            }
        }
    }
}

/// A map of texts, whose values are not shown where they are covered.
pub(super) struct Texts<'a> {
    texts: &'a BTreeMap<String, String>,
    is_covered: bool,
}

impl Texts<'_> {
    fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }
}

impl Serialize for Texts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let pairs = self.texts.iter().map(|(key, value)| (key, if self.is_covered { HIDDEN } else { value.as_str() }));
        serializer.collect_map(pairs)
    }
}
