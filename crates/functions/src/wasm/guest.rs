//! One instance of a component and a call of it, in both of its forms: a component of the world `function`, and one
//! that was made of a JavaScript file.

use std::sync::Arc;

use wasmtime::{
    Store, Trap,
    component::{ComponentType, Func, Lift},
};

use weir_cloudevents::json;
use weir_domain::{Data, Event};

use super::{
    component,
    host::Host,
    reply::{self, Parts},
    script,
    slots::Slot,
    voice::Voice,
};
use crate::{Call, CallError, Outcome};

/// What wasmtime says where a guest hands over more than it may: the error has no type that can be named.
const TOO_MUCH: &str = "too much data is being copied between the host and the guest";

/// How much is kept of what a function throws.
const MESSAGE_BYTES_MAX: usize = 8 * 1024;

/// The variant `reply` of the world `script`.
#[derive(ComponentType, Lift)]
#[component(variant)]
enum Reply {
    #[component(name = "value")]
    Value(String),
    #[component(name = "parts")]
    Parts((String, Parts)),
    #[component(name = "thrown")]
    Thrown(String),
    #[component(name = "pending")]
    Pending,
}

/// The parameters of `call` in the world `script`.
type ScriptParams<'a> = (&'a str, Option<&'a [u8]>, &'a str, u32);

/// What can be called in an instance.
pub(super) enum Entry {
    /// A component of the world `function`.
    Handler {
        /// `weir:function/handler#handle`.
        handle: Func,
    },
    /// A JavaScript file.
    Script {
        /// What was written to the console while it was loaded.
        loaded: Func,
        /// Calls the author's `handle`.
        call: Func,
        /// Waits for the promise that it returned.
        settle: Func,
    },
}

/// Bounds of one call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) memory_bytes_max: usize,
    pub(super) output_bytes_max: usize,
    pub(super) events_max: usize,
}

/// One instance.
pub(super) struct Guest {
    store: Store<Host>,
    entry: Entry,
    voice: Arc<Voice>,
    /// The event as text, kept for its room.
    text: Vec<u8>,
    calls: u32,
    is_spent: bool,
    /// The last field: the place is free when the instance is gone.
    _slot: Slot,
}

impl Guest {
    pub(super) fn new(store: Store<Host>, entry: Entry, voice: Arc<Voice>, slot: Slot) -> Self {
        Self { store, entry, voice, text: Vec::new(), calls: 0, is_spent: false, _slot: slot }
    }

    /// Tells whether it can be called again.
    pub(super) fn is_reusable(&self, calls_max: u32) -> bool {
        !self.is_spent && self.calls < calls_max
    }

    /// Calls it once.
    pub(super) async fn call(&mut self, call: &Call, bounds: Bounds) -> Result<Outcome, CallError> {
        self.calls += 1;
        // Until the call has ended in order: dropped in the middle, the instance is in no state to go on.
        self.is_spent = true;
        self.voice.begin(&call.event);
        self.store.set_epoch_deadline(1);
        let answered = match self.entry {
            Entry::Handler { handle } => self.handle(handle, call).await,
            Entry::Script { call: function, settle, .. } => self.run_script(function, settle, call).await,
        };
        self.voice.end();
        let is_refused = self.store.data().memory.is_refused;
        let answered = match answered {
            Ok(answered) => answered,
            Err(_) if is_refused => return Err(CallError::OutOfMemory { limit_bytes: bounds.memory_bytes_max }),
            Err(error) if is_too_much(&error) => {
                return Err(CallError::TooLarge { limit_bytes: bounds.output_bytes_max });
            }
            Err(error) => return Err(trap(&error)),
        };
        // An instance that came to its limit once would come to it again soon.
        self.is_spent = is_refused;
        if answered.size() > bounds.output_bytes_max {
            return Err(CallError::TooLarge { limit_bytes: bounds.output_bytes_max });
        }
        match answered {
            Answered::Thrown(_) if is_refused => Err(CallError::OutOfMemory { limit_bytes: bounds.memory_bytes_max }),
            Answered::Thrown(mut message) => {
                message.truncate(message.floor_char_boundary(MESSAGE_BYTES_MAX));
                Err(CallError::Rejected { message })
            }
            Answered::Typed(outcome) => outcome.outcome(call.mode, bounds.events_max),
            Answered::Text(text, parts) => reply::read(text, parts, call.mode, bounds.events_max),
        }
    }

    /// Checks the types of what can be called.
    pub(super) fn check(&self) -> wasmtime::Result<()> {
        match self.entry {
            Entry::Handler { handle } => {
                handle.typed::<component::Params<'static>, component::Results>(&self.store)?;
            }
            Entry::Script { loaded, call, settle } => {
                loaded.typed::<(), (Vec<String>,)>(&self.store)?;
                call.typed::<ScriptParams<'static>, (Reply,)>(&self.store)?;
                settle.typed::<(), (Reply,)>(&self.store)?;
            }
        }
        Ok(())
    }

    /// Returns what the author's file wrote to the console while it was loaded.
    pub(super) async fn loaded(&mut self) -> wasmtime::Result<Vec<String>> {
        let Entry::Script { loaded, .. } = self.entry else { return Ok(Vec::new()) };
        self.store.set_epoch_deadline(1);
        let typed = loaded.typed::<(), (Vec<String>,)>(&self.store)?;
        let (lines,) = typed.call_async(&mut self.store, ()).await?;
        Ok(lines)
    }

    async fn handle(&mut self, handle: Func, call: &Call) -> wasmtime::Result<Answered> {
        // The types are checked again in each call, for parameters that borrow cannot be kept in a type. It takes less
        // time than one copy of an event.
        let typed = handle.typed::<component::Params<'_>, component::Results>(&self.store)?;
        let (result,) = typed.call_async(&mut self.store, component::params(call)).await?;
        Ok(match result {
            Ok(outcome) => Answered::Typed(outcome),
            Err(message) => Answered::Thrown(message),
        })
    }

    async fn run_script(&mut self, function: Func, settle: Func, call: &Call) -> wasmtime::Result<Answered> {
        let Self { store, text, .. } = self;
        text.clear();
        let bytes = write(&call.event, text);
        let event = str::from_utf8(text).expect("JSON is written in UTF-8");
        let typed = function.typed::<ScriptParams<'_>, (Reply,)>(&*store)?;
        let (mut reply,) = typed.call_async(&mut *store, (event, bytes, &*call.subscription, call.attempt)).await?;
        if matches!(reply, Reply::Pending) {
            let typed = settle.typed::<(), (Reply,)>(&*store)?;
            (reply,) = typed.call_async(&mut *store, ()).await?;
        }
        Ok(match reply {
            Reply::Value(text) => Answered::Text(text, Vec::new()),
            Reply::Parts((text, parts)) => Answered::Text(text, parts),
            Reply::Thrown(message) => Answered::Thrown(script::name_file(&message, &call.function)),
            Reply::Pending => return Err(Trap::NoAsyncResult.into()),
        })
    }
}

/// What a guest said, before it is looked at.
enum Answered {
    Typed(component::WitOutcome),
    Text(String, Parts),
    Thrown(String),
}

impl Answered {
    fn size(&self) -> usize {
        match self {
            Self::Typed(outcome) => outcome.size(),
            Self::Text(text, parts) => text.len() + parts.iter().map(|(_, bytes)| bytes.len()).sum::<usize>(),
            Self::Thrown(_) => 0,
        }
    }
}

/// Writes an event for JavaScript and returns its bytes, which cross beside the text.
///
/// Text is a string here whatever its media type says, unlike in the JSON event format, which would hide some of it in
/// base64.
fn write<'a>(event: &'a Event, out: &mut Vec<u8>) -> Option<&'a [u8]> {
    const DATA: &[u8] = b",\"data\":";
    let (text, layout, data) = event.parts();
    let bare = Event::from_parts(text.clone(), layout.clone(), Data::None);
    json::encode(&bare.expect("the parts of an event fit together"), out);
    let end = out.pop();
    let bytes = match data {
        Data::None => None,
        Data::Json(json) if json.is_empty() => None,
        Data::Json(json) => {
            out.extend_from_slice(DATA);
            out.extend_from_slice(json.as_bytes());
            None
        }
        Data::Text(text) => {
            out.extend_from_slice(DATA);
            serde_json::to_writer(&mut *out, &**text).expect("writing to memory does not fail");
            None
        }
        Data::Binary(bytes) => Some(&bytes[..]),
    };
    out.extend(end);
    bytes
}

fn is_too_much(error: &wasmtime::Error) -> bool {
    error.root_cause().to_string().starts_with(TOO_MUCH)
}

fn trap(error: &wasmtime::Error) -> CallError {
    match error.downcast_ref::<Trap>() {
        Some(Trap::NoAsyncResult | Trap::AsyncDeadlock) => CallError::Rejected {
            message: "it returned a promise that is never settled: there are no timers and no network to wait for"
                .into(),
        },
        _ => CallError::Trap { message: forbidden(error) },
    }
}

/// Names what a guest did that WebAssembly forbids.
pub(super) fn forbidden(error: &wasmtime::Error) -> String {
    match error.downcast_ref::<Trap>() {
        Some(trap) => trap.to_string().trim_start_matches("wasm trap: ").to_owned(),
        None => error.root_cause().to_string(),
    }
}
