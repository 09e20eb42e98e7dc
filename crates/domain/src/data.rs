//! The data of an event.

use bytes::Bytes;
use bytestring::ByteString;

/// What an event carries beside its attributes.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Data {
    /// No data at all.
    #[default]
    None,
    /// A JSON value (RFC 8259) in its text form, kept as the producer wrote it.
    Json(ByteString),
    /// Text that is not JSON.
    Text(ByteString),
    /// Any bytes.
    Binary(Bytes),
}

impl Data {
    /// Returns the bytes of the data, whatever their kind.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::None => &[],
            Self::Json(text) | Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// Returns the number of bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Tells whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
