//! Metrics as messages of OTLP.

use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    common::v1::KeyValue,
    metrics::v1::{
        AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
        ScopeMetrics, Sum, metric::Data, number_data_point,
    },
    resource::v1::Resource,
};
use weir_gateway::{Measured, Point, Value};

use super::{scope, text};

/// The time that numbers are about, in nanoseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(super) struct Period {
    /// When the counting began.
    pub(super) start: u64,
    /// When the numbers were read.
    pub(super) now: u64,
}

/// Makes the message of all metrics.
pub(super) fn request(measured: Vec<Measured>, period: Period, resource: Resource) -> ExportMetricsServiceRequest {
    // A metric without a series has nothing to say.
    let metrics = measured.into_iter().filter_map(|each| metric(each, period)).collect();
    let scope_metrics = vec![ScopeMetrics { scope: Some(scope()), metrics, ..ScopeMetrics::default() }];
    let of_resource = ResourceMetrics { resource: Some(resource), scope_metrics, ..ResourceMetrics::default() };
    ExportMetricsServiceRequest { resource_metrics: vec![of_resource] }
}

fn metric(measured: Measured, period: Period) -> Option<Metric> {
    let Measured { name, help, points } = measured;
    let cumulative = AggregationTemporality::Cumulative as i32;
    // All series of a metric are of one kind.
    let data = match points.first()?.value {
        Value::Count(_) => Data::Sum(Sum {
            data_points: points.into_iter().filter_map(|point| number(point, period)).collect(),
            aggregation_temporality: cumulative,
            is_monotonic: true,
        }),
        Value::Level(_) | Value::Fraction(_) => {
            Data::Gauge(Gauge { data_points: points.into_iter().filter_map(|point| number(point, period)).collect() })
        }
        Value::Spread { .. } => Data::Histogram(Histogram {
            data_points: points.into_iter().filter_map(|point| spread(point, period)).collect(),
            aggregation_temporality: cumulative,
        }),
    };
    let metric = Metric {
        name: name.to_owned(),
        description: help.to_owned(),
        unit: unit(name).to_owned(),
        ..Metric::default()
    };
    Some(Metric { data: Some(data), ..metric })
}

fn number(point: Point, period: Period) -> Option<NumberDataPoint> {
    let value = match point.value {
        Value::Count(count) => number_data_point::Value::AsInt(i64::try_from(count).unwrap_or(i64::MAX)),
        Value::Level(level) => number_data_point::Value::AsInt(level),
        Value::Fraction(fraction) => number_data_point::Value::AsDouble(fraction),
        Value::Spread { .. } => return None,
    };
    Some(NumberDataPoint {
        attributes: attributes(point.labels),
        start_time_unix_nano: period.start,
        time_unix_nano: period.now,
        value: Some(value),
        ..NumberDataPoint::default()
    })
}

fn spread(point: Point, period: Period) -> Option<HistogramDataPoint> {
    let Value::Spread { bounds, counts, sum } = point.value else { return None };
    Some(HistogramDataPoint {
        attributes: attributes(point.labels),
        start_time_unix_nano: period.start,
        time_unix_nano: period.now,
        count: counts.iter().sum(),
        sum: Some(sum),
        bucket_counts: counts,
        explicit_bounds: bounds,
        ..HistogramDataPoint::default()
    })
}

fn attributes(labels: Vec<(&'static str, Box<str>)>) -> Vec<KeyValue> {
    labels.into_iter().map(|(name, value)| text(name, String::from(value))).collect()
}

/// Reads the unit off a name, in the words of UCUM.
fn unit(name: &str) -> &'static str {
    if name.ends_with("_seconds") {
        "s"
    } else if name.contains("_bytes") {
        "By"
    } else {
        ""
    }
}
