//! The bytes of a WebAssembly component, with the digest by which others may know them again.

use std::{
    fmt,
    ops::Deref,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;

/// A WebAssembly component, cheap to clone. Equal where the bytes are. `Debug` shows their number only.
#[derive(Clone, Default)]
pub struct Component {
    bytes: Bytes,
    /// Shared by all clones, so that large code is hashed once.
    digest: Arc<OnceLock<[u8; 32]>>,
}

impl Component {
    /// Returns the bytes themselves, without a copy.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Tells whether the digest is known, so that nobody need compute it.
    #[must_use]
    pub fn has_sha256(&self) -> bool {
        self.digest.get().is_some()
    }

    /// Returns the SHA-256 (FIPS 180-4) of the bytes, which whoever asks first computes: this crate has no cryptography.
    pub fn sha256(&self, compute: impl FnOnce(&[u8]) -> [u8; 32]) -> &[u8; 32] {
        self.digest.get_or_init(|| compute(&self.bytes))
    }
}

impl Deref for Component {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl AsRef<[u8]> for Component {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl From<Bytes> for Component {
    fn from(bytes: Bytes) -> Self {
        Self { bytes, digest: Arc::default() }
    }
}

impl From<Vec<u8>> for Component {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<&'static [u8]> for Component {
    fn from(bytes: &'static [u8]) -> Self {
        Bytes::from_static(bytes).into()
    }
}

impl PartialEq for Component {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Component {}

impl fmt::Debug for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Component({} bytes)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_computed_once_for_all_clones() {
        let component = Component::from(vec![7_u8; 3]);
        let clone = component.clone();
        assert!(!clone.has_sha256());
        assert_eq!(component.sha256(|bytes| [bytes[0]; 32]), &[7; 32]);
        assert_eq!(clone.sha256(|_| panic!("it is known already")), &[7; 32]);
        assert!(clone.has_sha256());
        assert_eq!(component, Component::from(Bytes::from_static(&[7; 3])));
        assert_ne!(component, Component::default());
    }
}
