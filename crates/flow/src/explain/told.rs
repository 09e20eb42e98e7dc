//! What the platform has written into events about others.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use weir_domain::{Data, Event, Position};

/// The members of a JSON object, each as it was written: what is large and not asked for is not copied.
pub(super) struct Told<'a>(BTreeMap<String, &'a RawValue>);

impl<'a> Told<'a> {
    pub(super) fn of(event: &'a Event) -> Option<Self> {
        let Data::Json(data) = event.data() else { return None };
        Self::read(data)
    }

    fn read(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok().map(Self)
    }

    /// Returns a member; `null` is as good as absent.
    pub(super) fn raw(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).copied().map(RawValue::get).filter(|text| *text != "null")
    }

    pub(super) fn objects(&self, name: &str) -> Vec<Self> {
        let all: Option<Vec<&'a RawValue>> = self.raw(name).and_then(|text| serde_json::from_str(text).ok());
        all.unwrap_or_default().into_iter().filter_map(|raw| Self::read(raw.get())).collect()
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.raw(name)?).ok()
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.raw(name)?.parse().ok()
    }

    pub(super) fn position(&self, name: &str) -> Option<Position> {
        self.number(name).map(Position::new)
    }

    pub(super) fn is_true(&self, name: &str) -> bool {
        self.raw(name) == Some("true")
    }
}
