//! Replays as the server tells of them, and as people see them.

use indicatif::HumanCount;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    cli::{
        output::{Exit, Output, Paint, clip},
        status::{Named, lasted},
    },
    naming::counted,
};

/// Texts are shown whole.
const WHOLE: usize = usize::MAX;

/// What a replay would do.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Plan {
    pub(super) from: u64,
    pub(super) to: u64,
    events: u64,
    #[serde(default)]
    more: bool,
    rate_per_second: Option<u64>,
    seconds: Option<u64>,
    pub(super) effects: Vec<Effect>,
}

impl Plan {
    /// Returns how many events there are, where all of them were counted.
    pub(super) fn events_known(&self) -> Option<u64> {
        (!self.more).then_some(self.events)
    }
}

/// What would be called outside of the server.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Effect {
    function_id: String,
    #[serde(rename = "type")]
    kind: String,
    target: String,
    #[serde(default)]
    indirect: bool,
}

impl Effect {
    fn told(&self) -> String {
        let told = clip(&format!("function {} ({} {})", self.function_id, self.kind, self.target), WHOLE);
        if self.indirect { format!("{told}, where it is given what is returned") } else { told }
    }
}

/// Lists what would be called outside of the server.
pub(super) fn told_of(effects: &[Effect]) -> String {
    effects.iter().map(Effect::told).collect::<Vec<_>>().join("; ")
}

/// Says what a replay would do.
pub(super) fn show_plan(plan: &Plan, named: &Named, output: &Output) -> anyhow::Result<()> {
    let events = counted(plan.events, "event");
    let takes = match (plan.seconds, plan.rate_per_second) {
        (Some(seconds), Some(rate)) => {
            let rate = HumanCount(rate);
            format!(
                "about {} at {rate} events/s, which is the most that was seen, or that may be",
                lasted(seconds as f64)
            )
        }
        _ => "nobody knows: nothing was delivered to it since the start of the server".to_owned(),
    };
    let effects = if plan.effects.is_empty() { "none".to_owned() } else { told_of(&plan.effects) };
    let pairs = [
        ("subscription", clip(&named.told, WHOLE)),
        ("positions", format!("{} to {}", HumanCount(plan.from), HumanCount(plan.to))),
        ("events", if plan.more { format!("more than {events}") } else { events }),
        ("takes", takes),
        ("calls outside", effects),
    ];
    Ok(output.pairs(&pairs)?)
}

/// How far a replay is.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::cli) struct Replay {
    pub(super) replay_id: String,
    pub(super) state: String,
    pub(super) from: u64,
    pub(super) to: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    filter: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rate: Option<u64>,
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    derivation: Option<String>,
    pub(super) position: u64,
    pub(super) delivered: u64,
    pub(super) given_up: u64,
    /// How many there are, as it was counted before; only told of one that was begun just now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) events: Option<u64>,
    requested: String,
}

impl Replay {
    /// Tells whether it is under way.
    pub(super) fn is_running(&self) -> bool {
        self.state == "running"
    }

    /// Returns the identifier as people may see it.
    pub(super) fn replay_id(&self) -> String {
        clip(&self.replay_id, WHOLE)
    }

    /// Returns how the command ends.
    pub(super) fn exit(&self) -> Exit {
        if self.state == "finished" && self.given_up == 0 { Exit::Done } else { Exit::Findings }
    }

    /// Says how far it is in a line.
    pub(in crate::cli) fn told(&self) -> String {
        let delivered = counted(self.delivered, "event");
        let given_up =
            if self.given_up > 0 { format!(", {} given up", HumanCount(self.given_up)) } else { String::new() };
        let (state, at, to) = (&self.state, HumanCount(self.position), HumanCount(self.to));
        format!("{state}, {delivered} delivered{given_up}, position {at} of {to}, {}", self.replay_id)
    }

    /// Shows it to people.
    pub(super) fn show(&self, output: &Output) -> anyhow::Result<()> {
        let paint = match self.state.as_str() {
            "finished" => Paint::Good,
            "running" => Paint::Plain,
            _ => Paint::Warn,
        };
        let position = format!("{} of {} to {}", HumanCount(self.position), HumanCount(self.from), HumanCount(self.to));
        let mut pairs = vec![
            ("replay", self.replay_id()),
            ("state", output.paint(paint, clip(&self.state, WHOLE))),
            ("delivered", counted(self.delivered, "event")),
        ];
        if self.given_up > 0 {
            let given_up = format!("{}: they are dead letters", counted(self.given_up, "event"));
            pairs.push(("given up", output.paint(Paint::Bad, given_up)));
        }
        pairs.push(("position", position));
        if let Some(derivation) = &self.derivation {
            pairs.push(("as", clip(derivation, WHOLE)));
        }
        pairs.push(("requested", clip(&self.requested, WHOLE)));
        Ok(output.pairs(&pairs)?)
    }
}
