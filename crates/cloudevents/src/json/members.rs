//! The members of one JSON event, read in one pass and judged afterwards, so that the first complaint is about the
//! version the event claims and not about what another version allows.

use std::{borrow::Cow, fmt};

use base64::{DecodeError as Base64Error, Engine, engine::general_purpose::STANDARD};
use bytestring::ByteString;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use weir_domain::{AttributeError, AttributeValue, Data, Event, Limits};

use super::check;
use crate::{
    DecodeError, Problem,
    attributes::{self, DATA_CONTENT_TYPE},
    error::json_reason,
    media, v03,
    version::SpecVersion,
};

/// Members that the format itself defines and that hold one plain value; the first seven as in [`attributes::FIXED`].
const CORE: [&str; 9] =
    ["id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "specversion", "data_base64"];
const SPECVERSION: usize = 7;
const DATA_BASE64: usize = 8;

/// What a number is called that no attribute can hold.
const UNFIT_NUMBER: &str = "a number beyond 32 bits or with a fraction";

/// What an attribute can hold.
enum Value<'de> {
    Text(Cow<'de, str>),
    Integer(i32),
    Boolean(bool),
}

/// What stands where an attribute's value is expected.
enum Scalar<'de> {
    Value(Value<'de>),
    /// The attribute is absent.
    Null,
    /// No attribute can hold this; the text names what it is.
    Unfit(&'static str),
}

/// The members of one event; made once and reused for all events of a batch.
pub(super) struct Members<'de> {
    core: [Option<Scalar<'de>>; CORE.len()],
    extensions: Vec<(Cow<'de, str>, Value<'de>)>,
    extensions_max: usize,
    extensions_given: usize,
    /// Names of extensions that are `null` or unfit: they count, and they may not come again.
    absent: Vec<Cow<'de, str>>,
    /// The first extension whose value no attribute can hold.
    unfit: Option<(Cow<'de, str>, &'static str)>,
    data: Option<&'de str>,
    repeated: Option<Cow<'de, str>>,
    /// The member in which the JSON is broken.
    broken_in: Option<String>,
}

impl<'de> Members<'de> {
    pub(super) fn new(extensions_max: usize) -> Self {
        Self {
            core: [const { None }; CORE.len()],
            extensions: Vec::new(),
            extensions_max,
            extensions_given: 0,
            absent: Vec::new(),
            unfit: None,
            data: None,
            repeated: None,
            broken_in: None,
        }
    }

    fn clear(&mut self) {
        self.core = [const { None }; CORE.len()];
        self.extensions.clear();
        self.extensions_given = 0;
        self.absent.clear();
        self.unfit = None;
        self.data = None;
        self.repeated = None;
        self.broken_in = None;
    }

    /// Says where the JSON that was read into these members is broken.
    pub(super) fn broken(&self, error: &serde_json::Error) -> Problem {
        Problem::json(error, self.broken_in.as_deref())
    }

    fn keep_core(&mut self, index: usize, value: Scalar<'de>) {
        if self.core[index].replace(value).is_some() {
            self.repeated.get_or_insert(Cow::Borrowed(CORE[index]));
        }
    }

    fn keep_data(&mut self, raw: &'de RawValue) {
        if self.data.replace(raw.get()).is_some() {
            self.repeated.get_or_insert(Cow::Borrowed("data"));
        }
    }

    fn keep_extension(&mut self, name: Cow<'de, str>, value: Scalar<'de>) {
        self.extensions_given += 1;
        // The event will be refused for their number: nothing more of it needs memory or comparisons.
        if self.extensions_given > self.extensions_max {
            return;
        }
        if self.absent.contains(&name) || self.extensions.iter().any(|(each, _)| *each == name) {
            self.repeated.get_or_insert(name);
            return;
        }
        match value {
            Scalar::Value(value) => self.extensions.push((name, value)),
            Scalar::Null => self.absent.push(name),
            Scalar::Unfit(kind) => {
                self.unfit.get_or_insert((name.clone(), kind));
                self.absent.push(name);
            }
        }
    }

    /// Makes the event; `body` is the text that was read.
    pub(super) fn event(&self, body: &ByteString, limits: &Limits) -> Result<Event, DecodeError> {
        let version = SpecVersion::parse(self.text(SPECVERSION)?)?;
        if let Some(name) = &self.repeated {
            return Err(Problem::repeated(name).into());
        }
        attributes::check_count(self.extensions_given, limits)?;
        if let Some((name, kind)) = &self.unfit {
            let problem = format!("must be a string, a boolean or an integer of 32 bits, but is {kind}");
            return Err(AttributeError::new(name, problem).into());
        }
        let mut fixed: [Option<&str>; attributes::FIXED.len()] = [None; attributes::FIXED.len()];
        for (index, place) in fixed.iter_mut().enumerate() {
            *place = self.text(index)?;
            attributes::check_length(CORE[index], place.unwrap_or_default(), limits)?;
        }
        for (name, value) in &self.extensions {
            if let Value::Text(text) = value {
                attributes::check_length(name, text, limits)?;
            }
        }
        let content_type = fixed[DATA_CONTENT_TYPE];
        let extensions = self.extensions.iter().map(|(name, value)| (&**name, value.attribute()));
        let event = match version {
            SpecVersion::V1 => Event::assemble(fixed, extensions, self.take_data(body, content_type)?)?,
            SpecVersion::V03 => {
                let is_base64 = v03::is_base64(extensions.clone())? && self.core[DATA_BASE64].is_none();
                let data = match self.data.filter(|_| is_base64) {
                    Some(raw) => encoded_data(raw)?,
                    None => self.take_data(body, content_type)?,
                };
                v03::assemble(fixed, extensions, data)?
            }
        };
        attributes::check_size(&event, limits)?;
        Ok(event)
    }

    /// Returns the value of a core member, which must be a string where it is present.
    fn text(&self, index: usize) -> Result<Option<&str>, AttributeError> {
        let kind = match &self.core[index] {
            None | Some(Scalar::Null) => return Ok(None),
            Some(Scalar::Value(Value::Text(text))) => return Ok(Some(&**text)),
            Some(Scalar::Value(Value::Integer(_))) => "a number",
            Some(Scalar::Value(Value::Boolean(_))) => "a boolean",
            Some(Scalar::Unfit(kind)) => *kind,
        };
        Err(AttributeError::new(CORE[index], format!("must be a string, but is {kind}")))
    }

    fn take_data(&self, body: &ByteString, content_type: Option<&str>) -> Result<Data, DecodeError> {
        match (self.data, self.text(DATA_BASE64)?) {
            (None, None) => Ok(Data::None),
            (Some(raw), None) => Ok(plain_data(raw, body, content_type)?),
            (None, Some(base64)) => Ok(base64_data("data_base64", base64)?),
            (Some(_), Some(_)) => {
                Err(Problem::Data("and data_base64 exclude each other: send one of them".to_owned()).into())
            }
        }
    }
}

impl Value<'_> {
    fn attribute(&self) -> AttributeValue<'_> {
        match self {
            Self::Text(text) => AttributeValue::String(text),
            Self::Integer(number) => AttributeValue::Integer(*number),
            Self::Boolean(truth) => AttributeValue::Boolean(*truth),
        }
    }
}

/// Makes data of the member `data`, whose JSON text `raw` is a part of `body`.
fn plain_data(raw: &str, body: &ByteString, content_type: Option<&str>) -> Result<Data, Problem> {
    let other_type = content_type.filter(|given| !media::is_json(given));
    let string = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let (Some(media_type), Some(string)) = (other_type, string) else {
        check::depth(raw)?;
        return Ok(Data::Json(body.slice_ref(raw)));
    };
    if !media::is_utf8(media_type) {
        let problem = "cannot be a string where its charset is not UTF-8: send it as data_base64";
        return Err(Problem::Data(problem.to_owned()));
    }
    if !string.contains('\\') {
        return Ok(Data::Text(body.slice_ref(string)));
    }
    match serde_json::from_str::<String>(raw) {
        Ok(text) => Ok(Data::Text(text.into())),
        Err(error) => Err(Problem::Data(format!("is a string that is not Unicode: {}", json_reason(&error)))),
    }
}

/// Makes data of the member `data` of an event of 0.3, whose JSON text `raw` says it is Base64.
fn encoded_data(raw: &str) -> Result<Data, Problem> {
    match serde_json::from_str::<String>(raw) {
        Ok(text) => base64_data("data", &text),
        Err(_) => Err(Problem::Data("must be a string, for its datacontentencoding is base64".to_owned())),
    }
}

/// Makes data of a member in Base64. It stays bytes even beside the media type of JSON: its sender chose so.
fn base64_data(name: &str, text: &str) -> Result<Data, Problem> {
    let problem = match STANDARD.decode(text) {
        Ok(bytes) => return Ok(Data::Binary(bytes.into())),
        Err(Base64Error::InvalidByte(at, _) | Base64Error::InvalidLastSymbol(at, _)) => {
            format!("has a wrong character at byte {at}")
        }
        Err(Base64Error::InvalidLength(_) | Base64Error::InvalidPadding) => {
            "has the wrong length or padding".to_owned()
        }
    };
    Err(AttributeError::new(name, format!("{problem}: encode by RFC 4648, section 4, with padding")).into())
}

impl<'de> DeserializeSeed<'de> for &mut Members<'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &mut Members<'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a CloudEvent, which is a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.clear();
        while let Some(key) = map.next_key_seed(KeySeed)? {
            let read = match &key {
                Key::Core(index) => map.next_value_seed(ScalarSeed).map(|value| self.keep_core(*index, value)),
                Key::Data => map.next_value::<&'de RawValue>().map(|raw| self.keep_data(raw)),
                Key::Extension(name) => {
                    map.next_value_seed(ScalarSeed).map(|value| self.keep_extension(name.clone(), value))
                }
            };
            if let Err(error) = read {
                self.broken_in = Some(key.name().to_owned());
                return Err(error);
            }
        }
        Ok(())
    }
}

/// Which member a name means.
enum Key<'de> {
    Core(usize),
    Data,
    Extension(Cow<'de, str>),
}

impl Key<'_> {
    fn known(name: &str) -> Option<Self> {
        if name == "data" {
            return Some(Self::Data);
        }
        CORE.iter().position(|each| *each == name).map(Self::Core)
    }

    fn name(&self) -> &str {
        match self {
            Self::Core(index) => CORE[*index],
            Self::Data => "data",
            Self::Extension(name) => name,
        }
    }
}

struct KeySeed;

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = Key<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Key<'de>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for KeySeed {
    type Value = Key<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of an attribute")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Key<'de>, E> {
        Ok(Key::known(name).unwrap_or(Key::Extension(Cow::Borrowed(name))))
    }

    fn visit_str<E>(self, name: &str) -> Result<Key<'de>, E> {
        Ok(Key::known(name).unwrap_or_else(|| Key::Extension(Cow::Owned(name.to_owned()))))
    }
}

struct ScalarSeed;

impl<'de> DeserializeSeed<'de> for ScalarSeed {
    type Value = Scalar<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Scalar<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ScalarSeed {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value of an attribute")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Value(Value::Text(Cow::Borrowed(text))))
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Value(Value::Text(Cow::Owned(text.to_owned()))))
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Value(Value::Boolean(truth)))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Scalar<'de>, E> {
        Ok(integer(i32::try_from(number).ok()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Scalar<'de>, E> {
        Ok(integer(i32::try_from(number).ok()))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Unfit(UNFIT_NUMBER))
    }

    fn visit_unit<E>(self) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Scalar<'de>, A::Error> {
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Unfit("an array"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Scalar<'de>, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Unfit("an object"))
    }
}

fn integer<'de>(number: Option<i32>) -> Scalar<'de> {
    number.map_or(Scalar::Unfit(UNFIT_NUMBER), |number| Scalar::Value(Value::Integer(number)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_their_places() {
        assert_eq!(CORE[..attributes::FIXED.len()], attributes::FIXED);
        assert_eq!((CORE[SPECVERSION], CORE[DATA_BASE64]), ("specversion", "data_base64"));
    }
}
