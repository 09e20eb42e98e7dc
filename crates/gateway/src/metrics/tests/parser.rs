//! A strict reader of the Prometheus text format 0.0.4: whatever breaks a rule of it fails the test.

use std::collections::{BTreeMap, BTreeSet};

/// All that one scrape returns.
#[derive(Debug, Default)]
pub(super) struct Exposition {
    /// The families by their names.
    pub(super) families: BTreeMap<String, Family>,
}

/// Metrics of one name.
#[derive(Debug, Default)]
pub(super) struct Family {
    pub(super) help: String,
    pub(super) kind: String,
    pub(super) samples: Vec<Sample>,
}

/// One line.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) name: String,
    pub(super) labels: Vec<(String, String)>,
    pub(super) value: f64,
}

impl Sample {
    /// Returns the value of a label.
    pub(super) fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Returns the labels but for the bound of a bucket.
    fn group(&self) -> Vec<(String, String)> {
        self.labels.iter().filter(|(name, _)| name != "le").cloned().collect()
    }
}

impl Exposition {
    /// Returns the value of one series, whatever the order of its labels.
    pub(super) fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let is_it = |sample: &&Sample| {
            sample.name == name
                && sample.labels.len() == labels.len()
                && labels.iter().all(|(label, value)| sample.label(label) == Some(*value))
        };
        let mut samples = self.families.values().flat_map(|family| &family.samples);
        samples.find(is_it).unwrap_or_else(|| panic!("{name} {labels:?} is missing")).value
    }

    /// Checks the value of one series.
    pub(super) fn check(&self, name: &str, labels: &[(&str, &str)], expected: f64) {
        let value = self.value(name, labels);
        assert!((value - expected).abs() < 1e-9, "{name} {labels:?} is {value}, not {expected}");
    }
}

/// Reads an exposition.
pub(super) fn parse(text: &str) -> Exposition {
    assert!(text.ends_with('\n'), "the last line is not ended");
    let mut exposition = Exposition::default();
    let mut current = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(comment) = line.strip_prefix("# HELP ") {
            let (name, help) = comment.split_once(' ').unwrap_or_else(|| panic!("no help: {line}"));
            check_name(name, ":");
            assert!(!exposition.families.contains_key(name), "{name} comes twice");
            let next = lines.next().unwrap_or_default();
            let kind = next.strip_prefix(&format!("# TYPE {name} "));
            let kind = kind.unwrap_or_else(|| panic!("no type behind the help of {name}: {next}"));
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert!(kind != "counter" || name.ends_with("_total"), "{name} is a counter");
            current = name.to_owned();
            let family = Family { help: help.to_owned(), kind: kind.to_owned(), samples: Vec::new() };
            exposition.families.insert(current.clone(), family);
            continue;
        }
        let family = exposition.families.get_mut(&current).unwrap_or_else(|| panic!("of no family: {line}"));
        let sample = sample(line);
        let suffix = sample.name.strip_prefix(&current).unwrap_or_else(|| panic!("not of {current}: {line}"));
        let suffixes: &[&str] = if family.kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
        assert!(suffixes.contains(&suffix), "{line}");
        assert!(family.kind == "gauge" || sample.value >= 0.0, "{line}");
        family.samples.push(sample);
    }
    for (name, family) in &exposition.families {
        check_unique(name, family);
        if family.kind == "histogram" {
            check_histograms(name, family);
        }
    }
    exposition
}

/// Reads one line: a name, labels in brackets, a value.
fn sample(line: &str) -> Sample {
    let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("no value: {line:?}"));
    let (name, mut rest) = line.split_at(end);
    check_name(name, ":");
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (label, value, after) = label(rest, line);
            labels.push((label, value));
            let is_last = after.starts_with('}');
            rest = if is_last { after } else { after.strip_prefix(',').unwrap_or_else(|| panic!("no comma: {line}")) };
            assert!(is_last || !rest.starts_with('}'), "a comma too many: {line}");
        }
        assert!(!labels.is_empty(), "brackets around nothing: {line}");
        rest = &rest[1..];
    }
    let value = rest.strip_prefix(' ').unwrap_or_else(|| panic!("no blank before the value: {line}"));
    let value = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
    Sample { name: name.to_owned(), labels, value }
}

/// Reads `name="value"`; returns what comes behind it.
fn label<'a>(text: &'a str, line: &str) -> (String, String, &'a str) {
    let (name, rest) = text.split_once("=\"").unwrap_or_else(|| panic!("no label: {line}"));
    check_name(name, "");
    let mut value = String::new();
    let mut chars = rest.char_indices();
    while let Some((at, each)) = chars.next() {
        match each {
            '"' => return (name.to_owned(), value, &rest[at + 1..]),
            '\\' => value.push(match chars.next() {
                Some((_, 'n')) => '\n',
                Some((_, escaped @ ('\\' | '"'))) => escaped,
                other => panic!("no escape: {other:?} in {line}"),
            }),
            each => value.push(each),
        }
    }
    panic!("a value is not ended: {line}")
}

fn check_name(name: &str, also: &str) {
    let is_letter = |each: char| each.is_ascii_alphabetic() || each == '_' || also.contains(each);
    assert!(name.starts_with(is_letter), "{name:?}");
    assert!(name.chars().all(|each| is_letter(each) || each.is_ascii_digit()), "{name:?}");
}

fn check_unique(name: &str, family: &Family) {
    let mut seen = BTreeSet::new();
    for sample in &family.samples {
        let mut labels = sample.labels.clone();
        labels.sort();
        let names: BTreeSet<_> = labels.iter().map(|(label, _)| label.clone()).collect();
        assert_eq!(names.len(), labels.len(), "a label comes twice in {name}: {labels:?}");
        assert!(seen.insert((sample.name.clone(), labels)), "a series of {name} comes twice: {sample:?}");
    }
}

/// Bounds grow, counts do not shrink, the last bucket is everything, and there are sum and count.
fn check_histograms(name: &str, family: &Family) {
    let mut groups: BTreeMap<_, Vec<&Sample>> = BTreeMap::new();
    for sample in &family.samples {
        groups.entry(sample.group()).or_default().push(sample);
    }
    for (group, samples) in groups {
        let of = |suffix: &str| -> Vec<&Sample> {
            let named = format!("{name}{suffix}");
            samples.iter().copied().filter(|sample| sample.name == named).collect()
        };
        let (buckets, sums, counts) = (of("_bucket"), of("_sum"), of("_count"));
        assert_eq!((sums.len(), counts.len()), (1, 1), "{name} {group:?}");
        let bound = |sample: &&Sample| -> f64 {
            let bound = sample.label("le").unwrap_or_else(|| panic!("no bound: {sample:?}"));
            bound.parse().unwrap_or_else(|_| panic!("no number: {sample:?}"))
        };
        let bounds: Vec<f64> = buckets.iter().map(bound).collect();
        assert!(bounds.windows(2).all(|pair| pair[0] < pair[1]), "{name} {group:?}: {bounds:?}");
        assert_eq!(bounds.last(), Some(&f64::INFINITY), "{name} {group:?}");
        assert!(buckets.windows(2).all(|pair| pair[0].value <= pair[1].value), "{name} {group:?}");
        assert_eq!(buckets.last().map(|last| last.value), Some(counts[0].value), "{name} {group:?}");
    }
}
