//! What order is kept by.

use std::fmt;

use bytestring::ByteString;

/// The key of an event: all events of one key reach a subscription in the order of the log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(ByteString);

impl Key {
    /// The longest key in bytes; longer ones are refused at the door.
    pub const BYTES_MAX: usize = 1024;

    /// Makes a key; `None` where the text is empty or longer than [`Key::BYTES_MAX`].
    #[must_use]
    pub fn new(text: impl Into<ByteString>) -> Option<Self> {
        let text = text.into();
        (!text.is_empty() && text.len() <= Self::BYTES_MAX).then_some(Self(text))
    }

    /// Returns the key in memory of its own, as [`Event::compact`](crate::Event::compact) does.
    #[must_use]
    pub fn compact(&self) -> Self {
        Self((&*self.0).into())
    }

    /// Returns the text of the key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
