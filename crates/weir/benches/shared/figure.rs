//! One figure, measured several times. What it is of is not known here.

use std::fmt;

/// How often each figure is measured.
pub(crate) const RUNS: usize = 5;

/// What was measured, in the order in which it was.
#[derive(Default)]
pub(crate) struct Figure(Vec<f64>);

impl Figure {
    pub(crate) fn add(&mut self, value: f64) {
        self.0.push(value);
    }

    /// Takes what was not seen in earlier runs for nothing: then there are as many values as runs.
    pub(crate) fn fill(&mut self, runs: usize) {
        self.0.resize(runs.max(self.0.len()), 0.0);
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let (least, median, most) = (sorted[0], sorted[sorted.len() / 2], sorted[sorted.len() - 1]);
        let digits = f.precision().unwrap_or(0);
        write!(f, "{median:.digits$} ({least:.digits$} to {most:.digits$})")
    }
}
