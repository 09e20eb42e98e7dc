//! What happened in runs: a simulation that gets nowhere proves nothing.

/// How often what happened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Events that producers had a receipt for.
    pub(crate) accepted: u64,
    /// Events that the log had already.
    pub(crate) duplicates: u64,
    /// Batches that could not be written.
    pub(crate) refused: u64,
    pub(crate) effects: u64,
    pub(crate) dead_letters: u64,
    pub(crate) calls: u64,
    /// Calls that were dropped in the middle.
    pub(crate) broken_off: u64,
    pub(crate) checkpoints: u64,
    pub(crate) power_cuts: u64,
    pub(crate) kills: u64,
    pub(crate) stops: u64,
    /// Starts that came to nothing.
    pub(crate) failed_starts: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Self) {
        for ((_, sum), (_, more)) in self.entries_mut().into_iter().zip(other.clone().entries_mut()) {
            *sum += *more;
        }
    }

    /// Names what never happened.
    pub(crate) fn missing(&self) -> Vec<&'static str> {
        let mut all = self.clone();
        all.entries_mut().into_iter().filter(|(_, count)| **count == 0).map(|(name, _)| name).collect()
    }

    fn entries_mut(&mut self) -> [(&'static str, &mut u64); 12] {
        [
            ("accepted", &mut self.accepted),
            ("duplicates", &mut self.duplicates),
            ("refused", &mut self.refused),
            ("effects", &mut self.effects),
            ("dead letters", &mut self.dead_letters),
            ("calls", &mut self.calls),
            ("broken off", &mut self.broken_off),
            ("checkpoints", &mut self.checkpoints),
            ("power cuts", &mut self.power_cuts),
            ("kills", &mut self.kills),
            ("stops", &mut self.stops),
            ("failed starts", &mut self.failed_starts),
        ]
    }
}
