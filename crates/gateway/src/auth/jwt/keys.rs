//! The public keys that sign tokens: read from PEM, a JSON Web Key or a set of those, and replaced as a whole.

use std::{fmt, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use parking_lot::RwLock;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
    VerificationAlgorithm,
};
use serde::Deserialize;
use tokio::sync::Notify;
use tokio_rustls::rustls::pki_types::{SubjectPublicKeyInfoDer, pem::PemObject};
use weir_domain::ErrorKind;

use super::Algorithm;

/// Keys that are kept.
const KEYS_MAX: usize = 64;

/// The longest text that keys are read from, in bytes.
const TEXT_BYTES_MAX: usize = 256 * 1024;

/// The smallest modulus of an RSA key in bytes.
const MODULUS_BYTES_MIN: usize = 256;

/// Why no keys could be read.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The text is too long to be keys.
    #[error("the keys have more bytes than they may, keep those that sign tokens now: {bytes} of {max}", max = TEXT_BYTES_MAX)]
    TooLong {
        /// How many there are.
        bytes: usize,
    },
    /// The JSON is no key and no set of keys.
    #[error("the JSON is neither a JSON Web Key nor a set of them (RFC 7517)")]
    Json(#[source] serde_json::Error),
    /// The PEM cannot be read.
    #[error("the PEM cannot be read, it must have public keys (PUBLIC KEY): {0}")]
    Pem(String),
    /// Nothing in it can be used.
    #[error("there is no public key for RS256 (2048 bits or more), ES256 or EdDSA (Ed25519): give one of these")]
    Empty,
    /// There are more than are kept.
    #[error("there are more than {max} public keys: keep those that sign tokens now", max = KEYS_MAX)]
    TooMany,
}

impl KeysError {
    /// Returns what the reader must do next: give other keys.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

/// The keys that are taken at present: a handle, cheap to clone.
#[derive(Clone, Default)]
pub struct Keys {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    present: RwLock<Arc<[PublicKey]>>,
    /// Somebody has shown a token of a key that is not here.
    wanted: Notify,
}

impl Keys {
    /// Reads keys. Those that are for something else are passed over.
    ///
    /// # Errors
    /// Where the text is neither PEM nor JSON, or has no key that can be used.
    pub fn parse(text: &str) -> Result<Self, KeysError> {
        let keys = Self::default();
        keys.replace(text)?;
        Ok(keys)
    }

    /// Takes other keys in the place of these; on an error these stay.
    pub(super) fn replace(&self, text: &str) -> Result<(), KeysError> {
        let keys = read(text)?;
        *self.shared.present.write() = keys.into();
        Ok(())
    }

    pub(super) fn present(&self) -> Arc<[PublicKey]> {
        Arc::clone(&self.shared.present.read())
    }

    /// Asks for other keys, as often as one likes.
    pub(super) fn want_others(&self) {
        self.shared.wanted.notify_one();
    }

    /// Waits until somebody asks for other keys, or has since the last time.
    pub(super) async fn others_wanted(&self) {
        self.shared.wanted.notified().await;
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Keys").field(&self.shared.present.read().len()).finish()
    }
}

/// A key, and the one algorithm that it is for.
pub(super) struct PublicKey {
    id: Option<String>,
    algorithm: Algorithm,
    material: Material,
}

enum Material {
    /// As `ring` takes it: a DER `RSAPublicKey`, an uncompressed point, or the 32 bytes of Ed25519.
    Bytes(Vec<u8>),
    /// Big-endian, without leading zeros.
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
}

impl PublicKey {
    /// Tells whether a token that names this algorithm and this key may have been signed with it. What has no name may be
    /// any.
    pub(super) fn is_for(&self, algorithm: Algorithm, id: Option<&str>) -> bool {
        let is_named = self.id.as_deref().zip(id).is_none_or(|(own, given)| own == given);
        self.algorithm == algorithm && is_named
    }

    /// Checks a signature.
    pub(super) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::Rsa { modulus, exponent } => RsaPublicKeyComponents { n: modulus, e: exponent }
                .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
                .is_ok(),
            Material::Bytes(bytes) => {
                let algorithm: &'static dyn VerificationAlgorithm = match self.algorithm {
                    Algorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
                    Algorithm::Es256 => &ECDSA_P256_SHA256_FIXED,
                    Algorithm::EdDsa => &ED25519,
                };
                UnparsedPublicKey::new(algorithm, bytes).verify(message, signature).is_ok()
            }
        }
    }
}

fn read(text: &str) -> Result<Vec<PublicKey>, KeysError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(KeysError::TooLong { bytes: text.len() });
    }
    let keys: Vec<PublicKey> = if text.trim_start().starts_with('{') {
        let found: OneOrMany = serde_json::from_str(text).map_err(KeysError::Json)?;
        let one = found.one.kty.is_some().then_some(found.one);
        found.keys.unwrap_or_default().into_iter().chain(one).filter_map(Jwk::into_key).collect()
    } else {
        let parts: Result<Vec<_>, _> = SubjectPublicKeyInfoDer::pem_slice_iter(text.as_bytes()).collect();
        let parts = parts.map_err(|error| KeysError::Pem(error.to_string()))?;
        parts.iter().filter_map(|info| of_info(info)).collect()
    };
    match keys.len() {
        0 => Err(KeysError::Empty),
        1..=KEYS_MAX => Ok(keys),
        _ => Err(KeysError::TooMany),
    }
}

/// A set of keys (RFC 7517, section 5), or a single one.
#[derive(Deserialize)]
struct OneOrMany {
    keys: Option<Vec<Jwk>>,
    #[serde(flatten)]
    one: Jwk,
}

/// A JSON Web Key (RFC 7517, section 4; RFC 7518, section 6; RFC 8037, section 2). What is secret is not even read.
#[derive(Deserialize)]
struct Jwk {
    kty: Option<String>,
    kid: Option<String>,
    r#use: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Jwk {
    /// Makes the key; `None` where it is for something else.
    fn into_key(self) -> Option<PublicKey> {
        if self.r#use.is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let bytes = |text: Option<String>| URL_SAFE_NO_PAD.decode(text?).ok();
        let (algorithm, material) = match (self.kty?.as_str(), self.crv.as_deref()) {
            ("RSA", None) => {
                let (modulus, exponent) = (bytes(self.n)?, bytes(self.e)?);
                (Algorithm::Rs256, Material::Rsa { modulus, exponent })
            }
            ("EC", Some("P-256")) => {
                let (x, y) = (bytes(self.x)?, bytes(self.y)?);
                // An uncompressed point (SEC 1, section 2.3.3).
                (Algorithm::Es256, Material::Bytes([&[4_u8][..], &x[..], &y[..]].concat()))
            }
            ("OKP", Some("Ed25519")) => (Algorithm::EdDsa, Material::Bytes(bytes(self.x)?)),
            _ => return None,
        };
        let is_whole = match &material {
            Material::Rsa { modulus, .. } => modulus.len() >= MODULUS_BYTES_MIN,
            Material::Bytes(bytes) => bytes.len() == if algorithm == Algorithm::Es256 { 65 } else { 32 },
        };
        // RFC 9864 has given EdDSA on this curve a name of its own.
        let is_named = |name: &str| name == algorithm.as_str() || (algorithm == Algorithm::EdDsa && name == "Ed25519");
        let fits = is_whole && self.alg.as_deref().is_none_or(is_named);
        fits.then_some(PublicKey { id: self.kid, algorithm, material })
    }
}

/// `SEQUENCE { SEQUENCE { 1.3.101.112 }, BIT STRING of 32 bytes }` (RFC 8410, section 4).
const ED25519_INFO: &[u8] = &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// `SEQUENCE { SEQUENCE { id-ecPublicKey, prime256v1 }, BIT STRING of an uncompressed point }` (RFC 5480, section 2).
const P256_INFO: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// The algorithm of `SEQUENCE { SEQUENCE { rsaEncryption, NULL }, BIT STRING }` (RFC 3279, section 2.3.1).
const RSA_ALGORITHM: &[u8] =
    &[0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];

/// Finds the key in a `SubjectPublicKeyInfo` of DER; `None` where it is for something else.
///
/// DER has one form for each value, so that the beginning of each kind of key that we take is known to the byte. Lengths
/// of RSA keys from 2048 bits on have two bytes; what stands behind is checked by whoever uses the key.
fn of_info(der: &[u8]) -> Option<PublicKey> {
    let key = |algorithm, bytes: &[u8]| PublicKey { id: None, algorithm, material: Material::Bytes(bytes.to_vec()) };
    if let Some(bytes) = der.strip_prefix(ED25519_INFO) {
        return (bytes.len() == 32).then(|| key(Algorithm::EdDsa, bytes));
    }
    if let Some(bytes) = der.strip_prefix(P256_INFO) {
        return (bytes.len() == 65).then(|| key(Algorithm::Es256, bytes));
    }
    let behind_length = der.strip_prefix(&[0x30, 0x82])?.get(2..)?;
    let bits = behind_length.strip_prefix(RSA_ALGORITHM)?.strip_prefix(&[0x03, 0x82])?.get(2..)?;
    let bytes = bits.strip_prefix(&[0])?;
    (bytes.len() > MODULUS_BYTES_MIN).then(|| key(Algorithm::Rs256, bytes))
}
