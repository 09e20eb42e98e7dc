//! The types of the interface `weir:function/handler` and their way to and from ours. The order and the names of fields
//! and cases are those of `wit/function.wit`: wasmtime checks them when a function is prepared.

use serde::de::IgnoredAny;
use wasmtime::component::{ComponentType, Lift, Lower};

use weir_domain::{AttributeValue, Data, Event};

use crate::{Call, CallError, CallMode, Draft, DraftValue, HttpAnswer, Outcome};

/// The interface that a component exports.
pub(super) const HANDLER: &str = "weir:function/handler@0.1.0";
/// Its one function.
pub(super) const HANDLE: &str = "handle";

/// The parameters of `handle`.
pub(super) type Params<'a> = (WitEvent<'a>, WitContext<'a>);
/// The result of `handle`.
pub(super) type Results = (Result<WitOutcome, String>,);

#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct WitEvent<'a> {
    id: &'a str,
    source: &'a str,
    #[component(name = "type")]
    event_type: &'a str,
    subject: Option<&'a str>,
    time: Option<&'a str>,
    datacontenttype: Option<&'a str>,
    dataschema: Option<&'a str>,
    extensions: Vec<WitExtension<'a>>,
    data: WitData<'a>,
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct WitExtension<'a> {
    name: &'a str,
    value: WitValue<'a>,
}

#[derive(ComponentType, Lower)]
#[component(variant)]
pub(super) enum WitValue<'a> {
    #[component(name = "boolean")]
    Boolean(bool),
    #[component(name = "integer")]
    Integer(i32),
    #[component(name = "text")]
    Text(&'a str),
}

#[derive(ComponentType, Lower)]
#[component(variant)]
pub(super) enum WitData<'a> {
    #[component(name = "none")]
    None,
    #[component(name = "json")]
    Json(&'a str),
    #[component(name = "text")]
    Text(&'a str),
    #[component(name = "binary")]
    Binary(&'a [u8]),
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct WitContext<'a> {
    subscription: &'a str,
    attempt: u32,
    mode: WitMode,
}

#[derive(Clone, Copy, ComponentType, Lower)]
#[component(enum)]
#[repr(u8)]
pub(super) enum WitMode {
    #[component(name = "asynchronous")]
    Asynchronous,
    #[component(name = "synchronous")]
    Synchronous,
}

#[derive(ComponentType, Lift)]
#[component(variant)]
pub(super) enum WitOutcome {
    #[component(name = "events")]
    Events(Vec<WitDraft>),
    #[component(name = "answer")]
    Answer(WitAnswer),
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct WitDraft {
    #[component(name = "type")]
    event_type: String,
    id: Option<String>,
    source: Option<String>,
    subject: Option<String>,
    time: Option<String>,
    datacontenttype: Option<String>,
    dataschema: Option<String>,
    extensions: Vec<WitDraftExtension>,
    data: WitDraftData,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct WitDraftExtension {
    name: String,
    value: WitDraftValue,
}

#[derive(ComponentType, Lift)]
#[component(variant)]
pub(super) enum WitDraftValue {
    #[component(name = "boolean")]
    Boolean(bool),
    #[component(name = "integer")]
    Integer(i32),
    #[component(name = "text")]
    Text(String),
}

#[derive(ComponentType, Lift)]
#[component(variant)]
pub(super) enum WitDraftData {
    #[component(name = "none")]
    None,
    #[component(name = "json")]
    Json(String),
    #[component(name = "text")]
    Text(String),
    #[component(name = "binary")]
    Binary(Vec<u8>),
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct WitAnswer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// Lends a call to a component.
pub(super) fn params(call: &Call) -> Params<'_> {
    (WitEvent::from(&call.event), WitContext::from(call))
}

impl<'a> From<&'a Event> for WitEvent<'a> {
    fn from(event: &'a Event) -> Self {
        let extension =
            |(name, value): (&'a str, AttributeValue<'a>)| WitExtension { name, value: WitValue::from(value) };
        Self {
            id: event.id(),
            source: event.source(),
            event_type: event.event_type(),
            subject: event.subject(),
            time: event.time(),
            datacontenttype: event.datacontenttype(),
            dataschema: event.dataschema(),
            extensions: event.extensions().map(extension).collect(),
            data: match event.data() {
                Data::None => WitData::None,
                Data::Json(text) => WitData::Json(text),
                Data::Text(text) => WitData::Text(text),
                Data::Binary(bytes) => WitData::Binary(bytes),
            },
        }
    }
}

impl<'a> From<AttributeValue<'a>> for WitValue<'a> {
    fn from(value: AttributeValue<'a>) -> Self {
        match value {
            AttributeValue::Boolean(truth) => Self::Boolean(truth),
            AttributeValue::Integer(number) => Self::Integer(number),
            AttributeValue::String(text) => Self::Text(text),
        }
    }
}

impl<'a> From<&'a Call> for WitContext<'a> {
    fn from(call: &'a Call) -> Self {
        let mode = match call.mode {
            CallMode::Async => WitMode::Asynchronous,
            // The world has no way for a value but the body of an answer.
            CallMode::Sync | CallMode::Value => WitMode::Synchronous,
        };
        Self { subscription: &call.subscription, attempt: call.attempt, mode }
    }
}

impl WitOutcome {
    /// Returns how many bytes came, framing not counted.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Events(drafts) => drafts.iter().map(WitDraft::size).sum(),
            Self::Answer(WitAnswer { status: _, headers, body }) => {
                headers.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() + body.len()
            }
        }
    }

    /// Checks what only the mode, the number of events and HTTP can tell.
    pub(super) fn outcome(self, mode: CallMode, events_max: usize) -> Result<Outcome, CallError> {
        match self {
            Self::Answer(WitAnswer { status: 200..=299, body, .. }) if mode == CallMode::Value => {
                Outcome::value(body.into())
            }
            _ if mode == CallMode::Value => {
                Err(CallError::malformed("it must return an answer with a status of 2xx and JSON as its body"))
            }
            Self::Events(drafts) if drafts.len() > events_max => {
                Err(CallError::too_many_events(drafts.len(), events_max))
            }
            Self::Events(drafts) => {
                drafts.into_iter().map(Draft::try_from).collect::<Result<_, _>>().map(Outcome::Events)
            }
            Self::Answer(_) if mode == CallMode::Async => {
                let problem = "nobody waits for the HTTP answer that it returned: return events";
                Err(CallError::malformed(problem))
            }
            Self::Answer(WitAnswer { status, headers, body }) => HttpAnswer::checked(status, headers, body.into())
                .map(Outcome::Answer)
                .map_err(|problem| CallError::malformed(format!("in its answer, {problem}"))),
        }
    }
}

impl WitDraft {
    fn size(&self) -> usize {
        // Taken apart by name, so that no field can be forgotten.
        let Self { event_type, id, source, subject, time, datacontenttype, dataschema, extensions, data } = self;
        let optional = [id, source, subject, time, datacontenttype, dataschema];
        let data = match data {
            WitDraftData::None => 0,
            WitDraftData::Json(text) | WitDraftData::Text(text) => text.len(),
            WitDraftData::Binary(bytes) => bytes.len(),
        };
        event_type.len()
            + optional.into_iter().flatten().map(String::len).sum::<usize>()
            + extensions.iter().map(WitDraftExtension::size).sum::<usize>()
            + data
    }
}

impl WitDraftExtension {
    fn size(&self) -> usize {
        let value = match &self.value {
            WitDraftValue::Boolean(_) => 1,
            WitDraftValue::Integer(_) => 4,
            WitDraftValue::Text(text) => text.len(),
        };
        self.name.len() + value
    }
}

impl TryFrom<WitDraft> for Draft {
    type Error = CallError;

    fn try_from(draft: WitDraft) -> Result<Self, CallError> {
        let value = |value: WitDraftValue| match value {
            WitDraftValue::Boolean(truth) => DraftValue::Boolean(truth),
            WitDraftValue::Integer(number) => DraftValue::Integer(number),
            WitDraftValue::Text(text) => DraftValue::Text(text),
        };
        let data = match draft.data {
            WitDraftData::None => Data::None,
            WitDraftData::Json(text) => {
                // Nothing else stands between a component and the log: what is called JSON there is JSON.
                serde_json::from_str::<IgnoredAny>(&text)
                    .map_err(|error| CallError::malformed(format!("the data of an event is no JSON: {error}")))?;
                Data::Json(text.into())
            }
            WitDraftData::Text(text) => Data::Text(text.into()),
            WitDraftData::Binary(bytes) => Data::Binary(bytes.into()),
        };
        Ok(Self {
            event_type: draft.event_type,
            id: draft.id,
            source: draft.source,
            subject: draft.subject,
            time: draft.time,
            datacontenttype: draft.datacontenttype,
            dataschema: draft.dataschema,
            extensions: draft.extensions.into_iter().map(|each| (each.name, value(each.value))).collect(),
            data,
        })
    }
}
