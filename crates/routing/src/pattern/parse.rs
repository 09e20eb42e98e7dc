//! Reading patterns: every rule and every bound, and all that is wrong at once.

use serde_json::{Map, Value};

use super::{
    Condition, Content, DATA, Group, Leaf, OR, Pattern,
    condition::{End, Literal, Range, Test, Wildcard, lower},
    evaluate::Found,
    is_required,
};
use crate::{
    Filter, FilterFault,
    attribute::Attribute,
    cover::Operand,
    document::Number,
    pointer::{Pointer, Step},
    spelling,
};

/// The operators, in the order in which they are told.
const OPERATORS: [&str; 8] =
    ["prefix", "suffix", "equals-ignore-case", "wildcard", "anything-but", "numeric", "cidr", "exists"];

/// Those that `anything-but` takes.
const EXCLUDED: [&str; 4] = ["prefix", "suffix", "wildcard", "equals-ignore-case"];

/// The most faults that are told of one filter.
const FAULTS_MAX: usize = 64;

/// Reads a whole pattern, and tells its faults.
pub(super) fn read(value: &Value, at: &mut Pointer, faults: &mut Vec<FilterFault>, terms: &mut usize) -> Option<Group> {
    Reader { at, faults, terms }.group(value, Scope::Event, 1)
}

/// What was read and found so far. Whatever gives nothing has told a fault.
struct Reader<'r> {
    at: &'r mut Pointer,
    faults: &'r mut Vec<FilterFault>,
    terms: &'r mut usize,
}

/// What the members of a group are members of.
#[derive(Clone, Copy)]
enum Scope<'s> {
    Event,
    /// What stands at this path of the data.
    Data(&'s [Box<str>]),
}

/// Which ends of a range one comparison gives.
#[derive(Clone, Copy)]
struct Sides {
    low: bool,
    high: bool,
    is_included: bool,
}

impl Reader<'_> {
    fn fault(&mut self, problem: impl Into<String>) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(FilterFault { pointer: self.at.text(), problem: problem.into() });
        }
    }

    fn refuse<T>(&mut self, problem: impl Into<String>) -> Option<T> {
        self.fault(problem);
        None
    }

    fn within<T>(&mut self, step: Step<'_>, read: impl FnOnce(&mut Self) -> T) -> T {
        self.at.enter(step);
        let result = read(self);
        self.at.leave();
        result
    }

    /// Reads all items of an array, for the faults of all, and sorts them; none of them is there twice.
    fn each<T: Ord>(
        &mut self,
        items: &[Value],
        mut read: impl FnMut(&mut Self, &Value) -> Option<T>,
    ) -> Option<Box<[T]>> {
        let read: Vec<Option<T>> = items
            .iter()
            .enumerate()
            .map(|(index, item)| self.within(Step::Item(index), |reader| read(reader, item)))
            .collect();
        let mut read: Vec<T> = read.into_iter().collect::<Option<_>>()?;
        read.sort();
        read.dedup();
        Some(read.into())
    }

    /// Reads an object whose members must all hold; `depth` is 1 for the outermost.
    fn group(&mut self, value: &Value, scope: Scope<'_>, depth: usize) -> Option<Group> {
        if depth > Pattern::DEPTH_MAX {
            return self.refuse(format!("is nested more than {} deep: flatten it", Pattern::DEPTH_MAX));
        }
        let names = match scope {
            Scope::Event => "names of attributes, \"data\" or \"$or\"",
            Scope::Data(_) => "names of members",
        };
        let Value::Object(given) = value else {
            return self.refuse(format!("must be an object with {names}, not {}", kind(value)));
        };
        if given.is_empty() {
            return self.refuse(format!("is empty: give it {names}, each with an array of conditions"));
        }
        let mut members = Vec::with_capacity(given.len());
        let mut any: Option<Box<[Group]>> = Some(Box::default());
        for (name, content) in given {
            self.within(Step::Member(name), |reader| match name.as_str() {
                OR => any = reader.alternatives(content, scope, depth),
                name => members.push(reader.member(name, content, scope, depth)),
            });
        }
        let mut members: Vec<(Box<str>, Content)> = members.into_iter().collect::<Option<_>>()?;
        members.sort();
        Some(Group { members: members.into(), any: any? })
    }

    /// Reads what stands in `$or`.
    fn alternatives(&mut self, value: &Value, scope: Scope<'_>, depth: usize) -> Option<Box<[Group]>> {
        match value {
            Value::Array(groups) if groups.len() >= 2 => {
                self.each(groups, |reader, group| reader.group(group, scope, depth + 1))
            }
            Value::Array(_) => self.refuse("must have at least two patterns, of which one must hold: add one"),
            _ => self.refuse(format!("must be an array of at least two patterns, not {}", kind(value))),
        }
    }

    fn member(&mut self, name: &str, content: &Value, scope: Scope<'_>, depth: usize) -> Option<(Box<str>, Content)> {
        let content = match scope {
            Scope::Event if name == DATA => self.content(name, content, &[], depth),
            Scope::Event => self.attribute(name, content).map(Content::Leaf),
            Scope::Data(_) if name.len() > Filter::VALUE_BYTES_MAX => self.refuse(too_long()),
            Scope::Data(path) => {
                let path: Vec<Box<str>> = path.iter().cloned().chain([Box::from(name)]).collect();
                self.content(name, content, &path, depth)
            }
        };
        Some((name.into(), content?))
    }

    /// Reads what is asked of the data at a path.
    fn content(&mut self, name: &str, content: &Value, path: &[Box<str>], depth: usize) -> Option<Content> {
        match content {
            Value::Array(items) => self.conditions(items, Operand::Data(path.into())).map(Content::Leaf),
            Value::Object(_) => self.group(content, Scope::Data(path), depth + 1).map(Content::Group),
            // An operator that was forgotten to be put into an array is read as the name of a member.
            _ if OPERATORS.contains(&name) => self.refuse(format!(
                "must be an array of conditions or an object, not {}: for a condition, write [{{\"{name}\": ...}}]",
                kind(content)
            )),
            _ => self.refuse(format!(
                "must be an array of conditions or an object, not {}: put it into an array",
                kind(content)
            )),
        }
    }

    /// Reads what is asked of an attribute.
    fn attribute(&mut self, name: &str, content: &Value) -> Option<Leaf> {
        let attribute = parse_name(name).map_err(|problem| self.fault(problem)).ok();
        let Value::Array(items) = content else {
            // The conditions of what is no attribute may be anything.
            attribute?;
            let meant = name == "detail" || spelling::nearest(name, &[DATA]).is_some();
            let advice = match content {
                Value::Object(_) if meant => "only \"data\" has members: did you mean \"data\"?",
                Value::Object(_) => "only \"data\" has members",
                _ => "put it into an array",
            };
            return self.refuse(format!("must be an array of conditions, not {}: {advice}", kind(content)));
        };
        // Where there is no such attribute, the conditions are read for their faults.
        let is_known = attribute.is_some();
        let attribute = attribute.unwrap_or_else(|| Attribute::Extension(name.into()));
        self.conditions(items, Operand::Attribute(attribute)).filter(|_| is_known)
    }

    fn conditions(&mut self, items: &[Value], operand: Operand) -> Option<Leaf> {
        if items.is_empty() {
            return self.refuse("is empty: give it at least one condition");
        }
        let conditions = self.each(items, |reader, item| reader.condition(item, &operand))?;
        let leaf = Leaf { operand, conditions };
        // Its value is known.
        let holds = |condition: &Condition| condition.holds(Found::Attribute("1.0"));
        if leaf.operand == Operand::Attribute(Attribute::SpecVersion) && !leaf.conditions.iter().any(holds) {
            return self.refuse("never holds, for every event has \"1.0\": leave it out");
        }
        Some(leaf)
    }

    fn condition(&mut self, value: &Value, operand: &Operand) -> Option<Condition> {
        match value {
            Value::Object(members) => self.operators(members, operand),
            Value::Array(_) => self
                .refuse("must be a value or an object with an operator, not an array: put its items beside the others"),
            Value::Null if matches!(operand, Operand::Attribute(_)) => {
                self.refuse("is null, which no attribute is: write {\"exists\": false} for one that is not there")
            }
            _ => self.equal(value, operand).map(Condition::Is),
        }
    }

    /// Reads the object of a condition, in which there is one operator.
    fn operators(&mut self, members: &Map<String, Value>, operand: &Operand) -> Option<Condition> {
        match members.len() {
            1 => {}
            0 => return self.refuse(format!("is empty: give it one of {}", OPERATORS.join(", "))),
            many => self.fault(format!(
                "has {many} members, and may have one: make each an object of its own, of which one must hold then"
            )),
        }
        // Where there are more than one, they are read for their faults only.
        members.iter().fold(None, |_, (operator, content)| {
            self.within(Step::Member(operator), |reader| reader.operator(operator, content, operand))
        })
    }

    fn operator(&mut self, operator: &str, content: &Value, operand: &Operand) -> Option<Condition> {
        match (operator, content) {
            ("exists", _) => self.exists(content, operand),
            ("anything-but", _) => self.anything_but(content),
            ("numeric", _) => self.numeric(content).map(Condition::Is),
            ("cidr", _) => self.cidr(content).map(Condition::Is),
            ("prefix" | "suffix", Value::Object(members)) => self.affix(operator, members).map(Condition::Is),
            ("prefix" | "suffix", _) => self.text_test(operator, content).map(Condition::Is),
            ("equals-ignore-case" | "wildcard", Value::String(text)) if text.is_empty() && never_empty(operand) => {
                self.refuse(IS_EMPTY)
            }
            ("equals-ignore-case" | "wildcard", _) => self.text_test(operator, content).map(Condition::Is),
            _ => self.refuse(unknown(operator)),
        }
    }

    fn term(&mut self) {
        *self.terms += 1;
        if *self.terms == Filter::TERMS_MAX + 1 {
            self.fault(format!(
                "is more than the {} values that a filter may compare: take some out",
                Filter::TERMS_MAX
            ));
        }
    }

    fn exists(&mut self, content: &Value, operand: &Operand) -> Option<Condition> {
        self.term();
        match (content, operand) {
            (Value::Bool(false), Operand::Attribute(attribute)) if is_required(attribute) => {
                self.refuse("never holds, for every event has this attribute: leave it out")
            }
            (Value::Bool(wanted), _) => Some(Condition::Exists(*wanted)),
            _ => self.refuse(format!("must be true or false, not {}", kind(content))),
        }
    }

    /// Reads a value that is no array and no object, and must be equal.
    fn equal(&mut self, value: &Value, operand: &Operand) -> Option<Test> {
        if never_empty(operand) && value.as_str().is_some_and(str::is_empty) {
            return self.refuse(IS_EMPTY);
        }
        self.literal(value).map(Test::Equal)
    }

    fn literal(&mut self, value: &Value) -> Option<Literal> {
        self.term();
        match value {
            Value::Null => Some(Literal::Null),
            Value::Bool(truth) => Some(Literal::Boolean(*truth)),
            Value::Number(number) => match Number::of(number) {
                Some(number) => Some(Literal::Number(number)),
                None => self.refuse("is no number that can be compared: write another one"),
            },
            Value::String(text) if text.len() > Filter::VALUE_BYTES_MAX => self.refuse(too_long()),
            Value::String(text) => Some(Literal::Text(text.as_str().into())),
            Value::Array(_) | Value::Object(_) => self.refuse(format!("must be a value, not {}", kind(value))),
        }
    }

    /// Reads the object of `prefix` and `suffix`, which says that capital letters do not count.
    fn affix(&mut self, operator: &str, members: &Map<String, Value>) -> Option<Test> {
        let Some(content) = members.get("equals-ignore-case").filter(|_| members.len() == 1) else {
            return self.refuse("must be a string, or an object with \"equals-ignore-case\" only");
        };
        let text = self.within(Step::Member("equals-ignore-case"), |reader| {
            reader.term();
            reader.text(content)
        })?;
        let text: Box<str> = lower(text).collect::<String>().into();
        Some(if operator == "prefix" { Test::PrefixIgnoreCase(text) } else { Test::SuffixIgnoreCase(text) })
    }

    /// Reads the text of an operator that has one.
    fn text_test(&mut self, operator: &str, content: &Value) -> Option<Test> {
        self.term();
        let text = self.text(content)?;
        match operator {
            "prefix" => Some(Test::Prefix(text.into())),
            "suffix" => Some(Test::Suffix(text.into())),
            "wildcard" => match Wildcard::parse(text) {
                Ok(wildcard) => Some(Test::Wildcard(wildcard)),
                Err(problem) => self.refuse(problem),
            },
            _ => Some(Test::EqualsIgnoreCase(lower(text).collect::<String>().into())),
        }
    }

    fn text<'v>(&mut self, value: &'v Value) -> Option<&'v str> {
        match value {
            Value::String(text) if text.len() > Filter::VALUE_BYTES_MAX => self.refuse(too_long()),
            Value::String(text) => Some(text.as_str()),
            Value::Number(_) | Value::Bool(_) => self.refuse(format!("must be a string: write \"{value}\"")),
            _ => self.refuse(format!("must be a string, not {}", kind(value))),
        }
    }

    fn anything_but(&mut self, content: &Value) -> Option<Condition> {
        let excluded = |reader: &mut Self, value: &Value| match value {
            Value::String(_) | Value::Number(_) => reader.literal(value).map(Test::Equal),
            _ => reader.refuse(format!("must be a string or a number, not {}", kind(value))),
        };
        let tests = match content {
            Value::Array(items) if items.is_empty() => self.refuse("is empty: give it at least one value"),
            Value::Array(items) => self.each(items, excluded),
            Value::Object(members) => match members.iter().next() {
                Some((operator, content)) if members.len() == 1 && EXCLUDED.contains(&operator.as_str()) => {
                    self.within(Step::Member(operator), |reader| reader.excluded(operator, content))
                }
                _ => self.refuse(format!("must have one member, which is one of {}", EXCLUDED.join(", "))),
            },
            _ => excluded(self, content).map(|test| Box::from([test])),
        };
        tests.map(Condition::AnythingBut)
    }

    /// Reads the text or the texts of an operator within `anything-but`.
    fn excluded(&mut self, operator: &str, content: &Value) -> Option<Box<[Test]>> {
        match content {
            Value::Array(items) if items.is_empty() => self.refuse("is empty: give it at least one text"),
            Value::Array(items) => self.each(items, |reader, item| reader.text_test(operator, item)),
            _ => self.text_test(operator, content).map(|test| Box::from([test])),
        }
    }

    fn numeric(&mut self, content: &Value) -> Option<Test> {
        self.term();
        let items = match content {
            Value::Array(items) if matches!(items.len(), 2 | 4) => items,
            Value::Array(_) => {
                return self.refuse("must have one or two comparisons in it, such as [\">\", 0, \"<=\", 5]");
            }
            _ => return self.refuse(format!("must be an array such as [\">\", 0, \"<=\", 5], not {}", kind(content))),
        };
        let mut range = Some(Range::default());
        let (pairs, _) = items.as_chunks::<2>();
        for (index, [comparison, number]) in pairs.iter().enumerate() {
            let place = Step::Item(2 * index);
            let sides = self.within(place, |reader| reader.sides(comparison));
            let number = self.within(Step::Item(2 * index + 1), |reader| match number {
                Value::Number(number) => Number::of(number),
                other => reader.refuse(format!("must be a number, not {}", kind(other))),
            });
            range = self.within(place, |reader| reader.narrowed(range?, sides?, number?));
        }
        let range = range?;
        if range.is_empty() {
            return self.refuse("never holds, for no number is between these: mend them");
        }
        Some(Test::Numeric(range))
    }

    fn sides(&mut self, comparison: &Value) -> Option<Sides> {
        match comparison.as_str() {
            Some(">") => Some(Sides { low: true, high: false, is_included: false }),
            Some(">=") => Some(Sides { low: true, high: false, is_included: true }),
            Some("<") => Some(Sides { low: false, high: true, is_included: false }),
            Some("<=") => Some(Sides { low: false, high: true, is_included: true }),
            Some("=") => Some(Sides { low: true, high: true, is_included: true }),
            _ => self.refuse("is no comparison: choose one of \"=\", \"<\", \"<=\", \">\", \">=\""),
        }
    }

    fn narrowed(&mut self, mut range: Range, sides: Sides, number: Number) -> Option<Range> {
        let end = Some(End { number, is_included: sides.is_included });
        if (sides.low && range.low.is_some()) || (sides.high && range.high.is_some()) {
            return self.refuse("compares on the same side as the one before: give one from below and one from above");
        }
        if sides.low {
            range.low = end;
        }
        if sides.high {
            range.high = end;
        }
        Some(range)
    }

    fn cidr(&mut self, content: &Value) -> Option<Test> {
        self.term();
        let text = self.text(content)?;
        if let Ok(network) = text.parse::<ipnet::IpNet>() {
            return Some(Test::Cidr(network.trunc()));
        }
        match text.parse::<std::net::IpAddr>() {
            Ok(address) => {
                let length = if address.is_ipv4() { 32 } else { 128 };
                self.refuse(format!("is one address and no range: write \"{address}/{length}\""))
            }
            Err(_) => self.refuse("is no range of addresses: write one such as \"10.0.0.0/8\" or \"2001:db8::/32\""),
        }
    }
}

/// What is wrong with a text for an attribute that is never empty.
const IS_EMPTY: &str = "is empty, which this attribute never is: write another text";

/// Tells whether what is compared is an attribute that is not empty where it is there.
fn never_empty(operand: &Operand) -> bool {
    matches!(operand, Operand::Attribute(attribute) if !matches!(attribute, Attribute::Extension(_)))
}

fn too_long() -> String {
    format!("is longer than {} bytes: shorten it", Filter::VALUE_BYTES_MAX)
}

/// Reads the name of an attribute, or says what to write for it.
fn parse_name(name: &str) -> Result<Attribute, String> {
    let meant = match name {
        "detail-type" | "detailType" | "DetailType" => Some("type"),
        "data_base64" => Some(DATA),
        _ if name.starts_with('$') => Some(OR),
        _ => None,
    };
    match meant {
        Some(meant) => Err(format!("is no attribute: did you mean \"{meant}\"?")),
        None => Attribute::parse(name),
    }
}

/// Says what is wrong with an operator that there is not.
fn unknown(operator: &str) -> String {
    let meant = match operator {
        "anything-but-prefix" | "not" => Some("anything-but"),
        "ip-address" => Some("cidr"),
        _ => spelling::nearest(operator, &OPERATORS),
    };
    match meant {
        Some(known) => format!("is no operator: did you mean {known:?}?"),
        None => format!("is no operator: choose one of {}", OPERATORS.join(", ")),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
