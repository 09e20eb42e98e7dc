//! What expressions give, read from the specification as plainly as can be.

use weir_domain::{AttributeValue, Event};

use super::super::value::ErrorKind;
use crate::attribute::Attribute;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Val {
    Boolean(bool),
    Integer(i32),
    Text(String),
}

#[derive(Clone, Debug)]
pub(super) enum Tree {
    Literal(Val),
    Attribute(&'static str),
    Exists(&'static str),
    Not(Box<Tree>),
    Negate(Box<Tree>),
    Binary(&'static str, Box<Tree>, Box<Tree>),
    Like(Box<Tree>, &'static str, bool),
    In(Box<Tree>, Vec<Tree>, bool),
    Call(&'static str, Vec<Tree>),
}

/// The error, and what is given beside it.
type Failed = (ErrorKind, Val);

impl Val {
    pub(super) fn literal(&self) -> String {
        match self {
            Self::Boolean(truth) => truth.to_string(),
            Self::Integer(number) => number.to_string(),
            Self::Text(text) => format!("\"{}\"", text.replace('"', "\\\"")),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            other => other.literal(),
        }
    }

    fn integer(&self) -> Result<i32, ErrorKind> {
        match self {
            Self::Boolean(truth) => Ok(i32::from(*truth)),
            Self::Integer(number) => Ok(*number),
            Self::Text(text) => {
                let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
                if digits.is_empty() || !digits.chars().all(|letter| letter.is_ascii_digit()) {
                    return Err(ErrorKind::Cast);
                }
                let size = digits.parse::<i64>().map_err(|_| ErrorKind::Cast)?;
                i32::try_from(if text.starts_with('-') { -size } else { size }).map_err(|_| ErrorKind::Cast)
            }
        }
    }

    fn boolean(&self) -> Result<bool, ErrorKind> {
        match self {
            Self::Boolean(truth) => Ok(*truth),
            Self::Integer(number) => Ok(*number != 0),
            Self::Text(text) => match &*text.to_lowercase() {
                "true" => Ok(true),
                "false" => Ok(false),
                _ => Err(ErrorKind::Cast),
            },
        }
    }

    /// Casts to the type of another.
    fn like(&self, other: &Self) -> Result<Self, ErrorKind> {
        Ok(match other {
            Self::Boolean(_) => Self::Boolean(self.boolean()?),
            Self::Integer(_) => Self::Integer(self.integer()?),
            Self::Text(_) => Self::Text(self.text()),
        })
    }
}

impl Tree {
    /// Writes it with all parentheses.
    pub(super) fn text(&self) -> String {
        let list = |trees: &[Self]| trees.iter().map(Self::text).collect::<Vec<_>>().join(" , ");
        let not = |negated: &bool| if *negated { "nOt " } else { "" };
        match self {
            Self::Literal(value) => value.literal(),
            Self::Attribute(name) => (*name).to_owned(),
            Self::Exists(name) => format!("(exists {name})"),
            Self::Not(inner) => format!("(not {})", inner.text()),
            Self::Negate(inner) => format!("(- {})", inner.text()),
            Self::Binary(operator, left, right) => format!("({} {operator} {})", left.text(), right.text()),
            Self::Like(value, pattern, negated) => format!("({} {}like '{pattern}')", value.text(), not(negated)),
            Self::In(value, set, negated) => format!("({} {}in ({}))", value.text(), not(negated), list(set)),
            Self::Call(name, arguments) => format!("{name}({})", list(arguments)),
        }
    }

    fn zero(&self) -> Val {
        match self {
            Self::Negate(_) | Self::Binary("+" | "-" | "*" | "/" | "%", ..) => Val::Integer(0),
            Self::Call("ABS" | "INT" | "LENGTH", _) => Val::Integer(0),
            Self::Call("BOOL" | "NOPE", _) => Val::Boolean(false),
            Self::Call(..) => Val::Text(String::new()),
            _ => Val::Boolean(false),
        }
    }

    /// Evaluates a part: its own value counts no more where it failed.
    fn part(&self, event: &Event, whole: &Self) -> Result<Val, Failed> {
        self.evaluate(event).map_err(|(kind, _)| (kind, whole.zero()))
    }

    pub(super) fn evaluate(&self, event: &Event) -> Result<Val, Failed> {
        let failed = |kind| (kind, self.zero());
        let boolean = |tree: &Self| tree.part(event, self)?.boolean().map_err(failed);
        match self {
            Self::Literal(value) => Ok(value.clone()),
            Self::Attribute(name) => value(name, event).ok_or(failed(ErrorKind::MissingAttribute)),
            Self::Exists(name) => Ok(Val::Boolean(value(name, event).is_some())),
            Self::Not(inner) => match inner.part(event, self)? {
                Val::Integer(_) => Err((ErrorKind::Cast, Val::Boolean(true))),
                other => match other.boolean() {
                    Ok(truth) => Ok(Val::Boolean(!truth)),
                    Err(kind) => Err((kind, Val::Boolean(true))),
                },
            },
            Self::Negate(inner) => {
                let number = inner.part(event, self)?.integer().map_err(failed)?;
                integer(-i64::from(number)).map_err(failed)
            }
            Self::Binary("and", left, right) => Ok(Val::Boolean(boolean(left)? && boolean(right)?)),
            Self::Binary("or", left, right) => Ok(Val::Boolean(boolean(left)? || boolean(right)?)),
            Self::Binary("xor", left, right) => Ok(Val::Boolean(boolean(left)? != boolean(right)?)),
            Self::Binary(operator, left, right) => {
                let (left, right) = (left.part(event, self)?, right.part(event, self)?);
                binary(operator, &left, &right).map_err(failed)
            }
            Self::Like(value, pattern, negated) => {
                let text: Vec<char> = value.part(event, self)?.text().chars().collect();
                let pattern: Vec<char> = pattern.chars().collect();
                Ok(Val::Boolean(like(&text, &pattern) != *negated))
            }
            Self::In(value, set, negated) => {
                let value = value.part(event, self)?;
                let set: Vec<Val> = set.iter().map(|element| element.part(event, self)).collect::<Result<_, _>>()?;
                let set: Vec<Val> =
                    set.iter().map(|element| element.like(&value).map_err(failed)).collect::<Result<_, _>>()?;
                Ok(Val::Boolean(set.contains(&value) != *negated))
            }
            Self::Call("NOPE", _) => Err(failed(ErrorKind::MissingFunction)),
            Self::Call(name, arguments) => {
                let arguments: Vec<Val> =
                    arguments.iter().map(|argument| argument.part(event, self)).collect::<Result<_, _>>()?;
                call(name, &arguments).map_err(|(kind, value)| (kind, value.unwrap_or_else(|| self.zero())))
            }
        }
    }
}

fn value(name: &str, event: &Event) -> Option<Val> {
    match Attribute::defined(name) {
        Some(attribute) => attribute.of(event).map(|text| Val::Text(text.to_owned())),
        None => event.extension(name).map(|value| match value {
            AttributeValue::Boolean(truth) => Val::Boolean(truth),
            AttributeValue::Integer(number) => Val::Integer(number),
            AttributeValue::String(text) => Val::Text(text.to_owned()),
        }),
    }
}

fn integer(wide: i64) -> Result<Val, ErrorKind> {
    i32::try_from(wide).map(Val::Integer).map_err(|_| ErrorKind::Math)
}

fn binary(operator: &str, left: &Val, right: &Val) -> Result<Val, ErrorKind> {
    match operator {
        "=" => return Ok(Val::Boolean(left.like(right)? == *right)),
        "!=" | "<>" => return Ok(Val::Boolean(left.like(right)? != *right)),
        _ => {}
    }
    let (left, right) = (i64::from(left.integer()?), i64::from(right.integer()?));
    match operator {
        "<" => Ok(Val::Boolean(left < right)),
        "<=" => Ok(Val::Boolean(left <= right)),
        ">" => Ok(Val::Boolean(left > right)),
        ">=" => Ok(Val::Boolean(left >= right)),
        "+" => integer(left + right),
        "-" => integer(left - right),
        "*" => integer(left * right),
        "/" | "%" if right == 0 => Err(ErrorKind::Math),
        "/" => integer(left / right),
        "%" => integer(left % right),
        other => panic!("no operator: {other}"),
    }
}

fn like(text: &[char], pattern: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['%', rest @ ..] => (0..=text.len()).any(|skipped| like(&text[skipped..], rest)),
        ['_', rest @ ..] => !text.is_empty() && like(&text[1..], rest),
        ['\\', letter @ ('%' | '_'), rest @ ..] | [letter, rest @ ..] => {
            text.first() == Some(letter) && like(&text[1..], rest)
        }
    }
}

/// Calls a function of the right number of arguments; no value beside the error is the zero of its type.
fn call(name: &str, arguments: &[Val]) -> Result<Val, (ErrorKind, Option<Val>)> {
    let cast = |kind| (kind, None);
    let text = |index: usize| arguments[index].text();
    let letters = |index: usize| text(index).chars().collect::<Vec<char>>();
    let number = |index: usize| arguments[index].integer().map_err(cast);
    let texts: Vec<String> = arguments.iter().map(Val::text).collect();
    Ok(match name {
        "ABS" => match number(0)? {
            i32::MIN => return Err((ErrorKind::Math, Some(Val::Integer(i32::MAX)))),
            number => Val::Integer(number.abs()),
        },
        "INT" => Val::Integer(number(0)?),
        "BOOL" => Val::Boolean(arguments[0].boolean().map_err(cast)?),
        "STRING" => Val::Text(text(0)),
        "LENGTH" => Val::Integer(i32::try_from(letters(0).len()).expect("short")),
        "CONCAT" => Val::Text(texts.concat()),
        "CONCAT_WS" => Val::Text(texts[1..].join(&texts[0])),
        "LOWER" => Val::Text(text(0).to_lowercase()),
        "UPPER" => Val::Text(text(0).to_uppercase()),
        "TRIM" => Val::Text(text(0).trim().to_owned()),
        "LEFT" | "RIGHT" => {
            let Ok(count) = usize::try_from(number(1)?) else {
                return Err((ErrorKind::FunctionEvaluation, Some(Val::Text(text(0)))));
            };
            let letters = letters(0);
            let count = count.min(letters.len());
            let part = if name == "LEFT" { &letters[..count] } else { &letters[letters.len() - count..] };
            Val::Text(part.iter().collect())
        }
        "SUBSTRING" => {
            let (letters, position) = (letters(0), i64::from(number(1)?));
            let length = if arguments.len() == 3 { i64::from(number(2)?) } else { i64::MAX };
            let all = i64::try_from(letters.len()).expect("short");
            if length < 0 || position > all || position < -all {
                return Err((ErrorKind::FunctionEvaluation, None));
            }
            let first = if position < 0 { all + position + 1 } else { position };
            let taken =
                (1..).zip(&letters).filter(|(place, _)| position != 0 && *place >= first && place - first < length);
            Val::Text(taken.map(|(_, letter)| *letter).collect())
        }
        other => panic!("no function: {other}"),
    })
}
