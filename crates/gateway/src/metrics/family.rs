//! How tables and readings are shown to whoever scrapes: families of metrics, with labels as the text formats want them.

use std::{fmt, sync::Arc};

use prometheus_client::{
    encoding::{EncodeLabel, EncodeLabelSet, EncodeMetric, LabelSetEncoder, MetricEncoder},
    metrics::{MetricType, TypedMetric},
};

use super::{
    measured::{Point, Points, Readable, Value},
    table::Table,
};

/// A label with a value that the code knows.
type FixedLabel = (&'static str, &'static str);

/// One thing that the entries of a table count or measure.
///
/// An entry may have several metrics of the family; then a label beside those of the table tells them apart.
pub(super) struct Family<const N: usize, V, M> {
    table: Arc<Table<N, V>>,
    names: [&'static str; N],
    parts: Vec<Part<V, M>>,
}

/// One of several metrics of an entry, with the label that tells it apart.
type Told<V, M> = (FixedLabel, fn(&V) -> &M);
type Part<V, M> = (Option<FixedLabel>, fn(&V) -> &M);

impl<const N: usize, V, M> Family<N, V, M> {
    /// Makes the family of one metric of each entry.
    pub(super) fn of(table: &Arc<Table<N, V>>, names: [&'static str; N], metric: fn(&V) -> &M) -> Self {
        Self { table: Arc::clone(table), names, parts: vec![(None, metric)] }
    }

    /// Makes the family of several metrics of each entry.
    pub(super) fn of_parts<const P: usize>(
        table: &Arc<Table<N, V>>,
        names: [&'static str; N],
        parts: [Told<V, M>; P],
    ) -> Self {
        let parts = parts.into_iter().map(|(label, metric)| (Some(label), metric)).collect();
        Self { table: Arc::clone(table), names, parts }
    }
}

impl<const N: usize, V, M: EncodeMetric + TypedMetric> EncodeMetric for Family<N, V, M> {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        for (values, entry) in self.table.sorted() {
            for (fixed, metric) in &self.parts {
                let labels = Labels { names: &self.names, values, fixed: *fixed };
                metric(entry).encode(encoder.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        M::TYPE
    }
}

impl<const N: usize, V, M> Clone for Family<N, V, M> {
    fn clone(&self) -> Self {
        Self { table: Arc::clone(&self.table), names: self.names, parts: self.parts.clone() }
    }
}

impl<const N: usize, V, M> Points for Family<N, V, M>
where
    V: Send + Sync + 'static,
    M: Readable + 'static,
{
    fn points(&self) -> Vec<Point> {
        let mut points = Vec::new();
        for (values, entry) in self.table.sorted() {
            for (fixed, metric) in &self.parts {
                let labels = self.names.into_iter().zip(values.iter().cloned());
                let fixed = fixed.map(|(name, value)| (name, Box::<str>::from(value)));
                points.push(Point { labels: labels.chain(fixed).collect(), value: metric(entry).read() });
            }
        }
        points
    }
}

impl<const N: usize, V, M> fmt::Debug for Family<N, V, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Family").field("names", &self.names).field("table", &self.table).finish_non_exhaustive()
    }
}

/// Numbers that were read a moment ago, with the values of their labels.
#[derive(Clone, Debug)]
pub(super) struct Readings<const N: usize> {
    /// The names of the labels.
    pub(super) names: [&'static str; N],
    /// The numbers.
    pub(super) rows: Vec<([Box<str>; N], i64)>,
}

impl Readings<0> {
    /// Makes the reading of one number without labels.
    pub(super) fn one(value: i64) -> Self {
        Self { names: [], rows: vec![([], value)] }
    }
}

impl<const N: usize> EncodeMetric for Readings<N> {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        for (values, value) in &self.rows {
            let labels = Labels { names: &self.names, values, fixed: None };
            // Without labels there are no brackets either.
            match N {
                0 => encoder.encode_gauge(value)?,
                _ => encoder.encode_family(&labels)?.encode_gauge(value)?,
            }
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Gauge
    }
}

impl<const N: usize> Points for Readings<N> {
    fn points(&self) -> Vec<Point> {
        let labels = |values: &[Box<str>; N]| self.names.into_iter().zip(values.iter().cloned()).collect();
        self.rows.iter().map(|(values, value)| Point { labels: labels(values), value: Value::Level(*value) }).collect()
    }
}

/// The labels of one series.
struct Labels<'a> {
    names: &'a [&'static str],
    values: &'a [Box<str>],
    fixed: Option<FixedLabel>,
}

impl EncodeLabelSet for Labels<'_> {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        for (name, value) in self.names.iter().zip(self.values) {
            EncodeLabel::encode(&(*name, &**value), encoder.encode_label())?;
        }
        match self.fixed {
            Some((name, value)) => EncodeLabel::encode(&(name, value), encoder.encode_label()),
            None => Ok(()),
        }
    }
}
