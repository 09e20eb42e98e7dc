//! All metrics as numbers, for whoever sends them on in another form than text: the same series, counted once.

use std::{fmt, sync::atomic::AtomicU64};

use prometheus_client::{
    metrics::gauge,
    registry::{Metric, Registry},
};

use super::series::{Counter, Gauge};

/// A metric with all of its series.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// Its name; that of a counter is without the `_total` that its samples have in text.
    pub name: &'static str,
    /// What it is about.
    pub help: &'static str,
    /// Its series.
    pub points: Vec<Point>,
}

/// One series at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// The names and values of its labels.
    pub labels: Vec<(&'static str, Box<str>)>,
    /// What it is now.
    pub value: Value,
}

/// What a series is at one moment.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// How many since the start.
    Count(u64),
    /// A number that goes up and down.
    Level(i64),
    /// The same with a fraction.
    Fraction(f64),
    /// How values since the start are spread.
    Spread {
        /// The upper bounds of all buckets but the last, which has none.
        bounds: Vec<f64>,
        /// How many values fell into each bucket alone.
        counts: Vec<u64>,
        /// All values together.
        sum: f64,
    },
}

/// One series that can be read.
pub(super) trait Readable {
    /// Reads it.
    fn read(&self) -> Value;
}

/// What is registered under one name.
pub(super) trait Points: fmt::Debug + Send + Sync + 'static {
    /// Reads all of its series.
    fn points(&self) -> Vec<Point>;
}

impl Readable for Counter {
    fn read(&self) -> Value {
        Value::Count(self.get())
    }
}

impl Readable for Gauge {
    fn read(&self) -> Value {
        Value::Level(self.get())
    }
}

impl Points for Counter {
    fn points(&self) -> Vec<Point> {
        one(self.read())
    }
}

impl Points for gauge::Gauge<f64, AtomicU64> {
    fn points(&self) -> Vec<Point> {
        one(Value::Fraction(self.get()))
    }
}

/// Makes the series of what has no labels.
pub(super) fn one(value: Value) -> Vec<Point> {
    vec![Point { labels: Vec::new(), value }]
}

/// Metrics under their names: to be written as text by the library, and to be read here.
#[derive(Debug, Default)]
pub(super) struct Registered {
    registry: Registry,
    all: Vec<(&'static str, &'static str, Box<dyn Points>)>,
}

impl Registered {
    /// Adds a metric; `help` has no final stop, which the library adds.
    pub(super) fn register<M: Metric + Points + Clone>(&mut self, name: &'static str, help: &'static str, metric: M) {
        self.all.push((name, help, Box::new(metric.clone())));
        self.registry.register(name, help, metric);
    }

    /// Returns what the library writes as text.
    pub(super) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Reads all of them.
    pub(super) fn measure(&self) -> impl Iterator<Item = Measured> {
        self.all.iter().map(|&(name, help, ref metric)| Measured { name, help, points: metric.points() })
    }
}
