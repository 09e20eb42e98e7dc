//! The stored form of one event, version 1: what every engine writes and `docs/log-format.md` describes.
//!
//! ```text
//! record   = length:u32le  head  key  text  data
//! head     = data-kind:u8  key-length+1:varint  7 × attribute-length:varint  extension-count:varint
//!            { name-length:u8  value-kind:u8  value-length:varint }  text
//! ```
//!
//! `length` counts everything behind it. Varints are LEB128, unsigned. The text is the text of the event as
//! [`weir_domain::Layout`] describes it; the data is what is left.

use bytes::Bytes;
use bytestring::ByteString;
use weir_domain::{Data, Event, ExtensionLayout, Key, Layout, ValueKind};

use crate::NewEvent;

/// Bytes of the length in front of every record.
pub const LENGTH_BYTES: usize = 4;

/// A record that is not of this form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a stored event is not of the known form: {0}")]
pub struct MalformedRecord(&'static str);

const NONE: u8 = 0;
const JSON: u8 = 1;
const TEXT: u8 = 2;
const BINARY: u8 = 3;

/// Writes an event behind what `out` already holds.
pub fn encode(new: &NewEvent, out: &mut Vec<u8>) {
    let (text, layout, data) = new.event.parts();
    let start = out.len();
    out.extend_from_slice(&[0; LENGTH_BYTES]);
    out.push(match data {
        Data::None => NONE,
        Data::Json(_) => JSON,
        Data::Text(_) => TEXT,
        Data::Binary(_) => BINARY,
    });
    let key = new.key.as_ref().map(Key::as_str);
    put_varint(out, key.map_or(0, |key| key.len() as u32 + 1));
    for length in layout.fixed {
        put_varint(out, length);
    }
    put_varint(out, layout.extensions.len() as u32);
    for extension in layout.extensions.iter() {
        out.push(extension.name_len);
        out.push(match extension.kind {
            ValueKind::String => 0,
            ValueKind::Integer => 1,
            ValueKind::Boolean => 2,
        });
        put_varint(out, extension.value_len);
    }
    out.extend_from_slice(key.unwrap_or_default().as_bytes());
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(data.as_bytes());
    let length = (out.len() - start - LENGTH_BYTES) as u32;
    out[start..start + LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
}

/// Takes the first record off the front of `bytes`.
///
/// # Errors
/// Where the bytes are not a whole record of this form.
pub fn split(bytes: &mut Bytes) -> Result<Bytes, MalformedRecord> {
    let length = record_length(bytes).ok_or(MalformedRecord("its length is cut off"))?;
    if bytes.len() < LENGTH_BYTES + length {
        return Err(MalformedRecord("it is longer than its frame"));
    }
    let mut record = bytes.split_to(LENGTH_BYTES + length);
    Ok(record.split_off(LENGTH_BYTES))
}

/// Reads the length that stands in front of a record.
#[must_use]
pub fn record_length(bytes: &[u8]) -> Option<usize> {
    let length = bytes.first_chunk::<LENGTH_BYTES>()?;
    Some(u32::from_le_bytes(*length) as usize)
}

/// Reads a record without its length. Nothing is copied: the event shares the memory of `record`, and of everything that
/// `record` was sliced from. Who keeps few of many records copies those first.
///
/// # Errors
/// Where the bytes are not of this form.
pub fn decode(record: Bytes) -> Result<NewEvent, MalformedRecord> {
    let mut cursor = Cursor { bytes: &record, at: 0 };
    let kind = cursor.byte()?;
    let key_length = cursor.varint()?;
    let mut fixed = [0u32; 7];
    for length in &mut fixed {
        *length = cursor.varint()?;
    }
    let extensions = extensions(&mut cursor)?;
    let text_length = fixed.iter().map(|l| *l as usize).sum::<usize>()
        + extensions.iter().map(|e| usize::from(e.name_len) + e.value_len as usize).sum::<usize>();
    let key_at = cursor.at;
    let text_at = key_at + (key_length as usize).saturating_sub(1);
    let data_at = text_at + text_length;
    if data_at > record.len() {
        return Err(MalformedRecord("its attributes are longer than the record"));
    }
    let text = |from: usize, to: usize| {
        ByteString::try_from(record.slice(from..to)).map_err(|_| MalformedRecord("its text is not UTF-8"))
    };
    let key = match key_length {
        0 => None,
        _ => Some(Key::new(text(key_at, text_at)?).ok_or(MalformedRecord("its key is empty or too long"))?),
    };
    let data = match kind {
        NONE if data_at == record.len() => Data::None,
        JSON => Data::Json(text(data_at, record.len())?),
        TEXT => Data::Text(text(data_at, record.len())?),
        BINARY => Data::Binary(record.slice(data_at..)),
        _ => return Err(MalformedRecord("its data has an unknown kind")),
    };
    let layout = Layout { fixed, extensions };
    let event = Event::from_parts(text(text_at, data_at)?, layout, data)
        .ok_or(MalformedRecord("its attributes do not divide its text"))?;
    Ok(NewEvent { event, key })
}

fn extensions(cursor: &mut Cursor<'_>) -> Result<std::sync::Arc<[ExtensionLayout]>, MalformedRecord> {
    let count = cursor.varint()? as usize;
    // Each takes at least three bytes: a count beyond that is damage, not a reason to reserve memory.
    if count > cursor.bytes.len() / 3 {
        return Err(MalformedRecord("it has more extensions than bytes"));
    }
    let mut all = Vec::with_capacity(count);
    for _ in 0..count {
        let name_len = cursor.byte()?;
        let kind = match cursor.byte()? {
            0 => ValueKind::String,
            1 => ValueKind::Integer,
            2 => ValueKind::Boolean,
            _ => return Err(MalformedRecord("an extension has an unknown kind")),
        };
        all.push(ExtensionLayout { name_len, kind, value_len: cursor.varint()? });
    }
    Ok(all.into())
}

/// Appends an unsigned LEB128 number.
pub fn put_varint(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn byte(&mut self) -> Result<u8, MalformedRecord> {
        let byte = *self.bytes.get(self.at).ok_or(MalformedRecord("its head is cut off"))?;
        self.at += 1;
        Ok(byte)
    }

    fn varint(&mut self) -> Result<u32, MalformedRecord> {
        let mut value = 0u64;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return u32::try_from(value).map_err(|_| MalformedRecord("a length is over 4 GiB"));
            }
        }
        Err(MalformedRecord("a length has more than five bytes"))
    }
}

#[cfg(test)]
mod tests;
