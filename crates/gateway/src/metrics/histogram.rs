//! How long things take: counts in buckets that double, each a number that is added to without a lock.
//!
//! The library has a histogram of its own, which takes a lock for each value; all requests of an API share one.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use prometheus_client::{
    encoding::{EncodeMetric, MetricEncoder, NoLabelSet},
    metrics::{MetricType, TypedMetric},
};

use super::measured::{self, Point, Points, Readable, Value};

/// The upper bounds of a histogram: each is twice the one before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Buckets {
    /// The first.
    pub(super) first_nanos: u64,
    /// How many there are, beside the one without a bound.
    pub(super) count: usize,
}

impl Buckets {
    /// Returns how many series one histogram has: the buckets, the one without a bound, sum and count.
    pub(super) const fn series(self) -> usize {
        self.count + 3
    }

    /// Returns the bounds in seconds.
    pub(super) fn seconds(self) -> impl Iterator<Item = f64> {
        // Doubling is exact, so these are the numbers that the Event Gateway wrote.
        let first = self.first_nanos as f64 / 1e9;
        (0..self.count).map(move |index| first * (1u64 << index) as f64)
    }

    /// Finds the first bucket whose bound is not exceeded, or the one without a bound.
    fn index(self, nanos: u64) -> usize {
        let times = nanos.div_ceil(self.first_nanos).max(1);
        (times.next_power_of_two().ilog2() as usize).min(self.count)
    }
}

/// A histogram: a handle, cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Histogram {
    cells: Arc<Cells>,
}

#[derive(Debug)]
struct Cells {
    buckets: Buckets,
    /// Of each bucket alone, and last of the one without a bound.
    counts: Box<[AtomicU64]>,
    /// In microseconds: with a thousand calls in flight all the time, it lasts for five hundred years.
    sum_micros: AtomicU64,
}

impl Histogram {
    /// Makes an empty histogram.
    pub(super) fn new(buckets: Buckets) -> Self {
        let counts = (0..=buckets.count).map(|_| AtomicU64::new(0)).collect();
        Self { cells: Arc::new(Cells { buckets, counts, sum_micros: AtomicU64::new(0) }) }
    }

    /// Adds a value.
    pub(super) fn observe(&self, took: Duration) {
        let cells = &*self.cells;
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        cells.counts[cells.buckets.index(nanos)].fetch_add(1, Ordering::Relaxed);
        cells.sum_micros.fetch_add(nanos.saturating_add(500) / 1000, Ordering::Relaxed);
    }
}

impl TypedMetric for Histogram {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for Histogram {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let cells = &*self.cells;
        let bounds = cells.buckets.seconds().chain([f64::INFINITY]);
        let counts = cells.counts.iter().map(|count| count.load(Ordering::Relaxed));
        let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
        // Not a number of its own, so that it is always that of the last bucket.
        let count: u64 = buckets.iter().map(|(_, count)| *count).sum();
        let sum = cells.sum_micros.load(Ordering::Relaxed) as f64 / 1e6;
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

impl Readable for Histogram {
    fn read(&self) -> Value {
        let cells = &*self.cells;
        Value::Spread {
            bounds: cells.buckets.seconds().collect(),
            counts: cells.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect(),
            sum: cells.sum_micros.load(Ordering::Relaxed) as f64 / 1e6,
        }
    }
}

impl Points for Histogram {
    fn points(&self) -> Vec<Point> {
        measured::one(self.read())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_fall_into_the_first_bucket_that_holds_them() {
        let buckets = Buckets { first_nanos: 10_000, count: 20 };
        let naive = |nanos: u64| (0..buckets.count).find(|index| nanos <= 10_000u64 << *index).unwrap_or(buckets.count);
        let bounds = (0..buckets.count).map(|index| 10_000u64 << index);
        let around = bounds.flat_map(|bound| [bound - 1, bound, bound + 1]);
        for nanos in around.chain([0, 1, u64::MAX]) {
            assert_eq!(buckets.index(nanos), naive(nanos), "{nanos}");
        }
    }
}
