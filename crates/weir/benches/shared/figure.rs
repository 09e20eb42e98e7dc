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

    /// Tells that the median should be as much, and whether it is.
    pub(crate) fn at_least(&self, bound: f64) -> Verdict {
        Verdict { bound, words: "at least", is_met: self.in_order().1 >= bound }
    }

    /// Tells that the median should be no more, and whether it is.
    pub(crate) fn at_most(&self, bound: f64) -> Verdict {
        Verdict { bound, words: "at most", is_met: self.in_order().1 <= bound }
    }

    /// Returns the least, the median and the most.
    fn in_order(&self) -> (f64, f64, f64) {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        (sorted[0], sorted[sorted.len() / 2], sorted[sorted.len() - 1])
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, median, most) = self.in_order();
        let digits = f.precision().unwrap_or(0);
        write!(f, "{median:.digits$} ({least:.digits$} to {most:.digits$})")
    }
}

/// Tells that there should be none of something, and whether there is.
pub(crate) fn none_of(count: u64) -> &'static str {
    if count == 0 { "none is wanted: met" } else { "none is wanted: missed" }
}

/// What is wanted of a figure.
pub(crate) struct Verdict {
    bound: f64,
    words: &'static str,
    is_met: bool,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(0);
        let met = if self.is_met { "met" } else { "missed" };
        write!(f, "{} {:.digits$} is wanted: {met}", self.words, self.bound)
    }
}
