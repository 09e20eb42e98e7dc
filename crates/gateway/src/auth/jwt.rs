//! JSON Web Tokens of somebody else (RFC 7519), signed (RFC 7515) with a key that we know (RFC 7517).
//!
//! Which algorithms are taken is set here and never learnt from a token (RFC 8725, section 3.1); a key is for one algorithm
//! only; there is no algorithm with a shared secret, and no `none`. Of the claims `iss`, `aud`, `sub` and `exp` must be
//! there, `nbf` and `scope` may be. `scope` has scopes of ours, separated by spaces; words that are none are for others.

mod keys;
mod refresh;

use std::{fmt, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, de::IgnoredAny};
use weir_catalog::{Scope, Scopes};
use weir_domain::Timestamp;

use crate::metrics::Unauthenticated;

pub use keys::{Keys, KeysError};
pub use refresh::{FetchKeys, KeyRefresher};

/// The longest name of a subject in bytes.
const SUBJECT_BYTES_MAX: usize = 1024;

/// Scopes that are looked at in one token.
const SCOPES_MAX: usize = 256;

/// How many keys of one algorithm are tried where a token does not name one.
const KEYS_TRIED_MAX: usize = 4;

/// What signatures are made with (RFC 7518, section 3.1; RFC 8037).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSA with PKCS #1 v1.5 and SHA-256, keys of 2048 bits at least.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Rs256, Self::Es256, Self::EdDsa];

    /// Returns what tokens and keys call it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// Finds it by its name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name)
    }
}

/// Whose tokens are taken.
#[derive(Clone, Debug)]
pub struct JwtOptions {
    /// The keys that sign them.
    pub keys: Keys,
    /// The algorithms that are taken.
    pub algorithms: Vec<Algorithm>,
    /// Who makes them: the claim `iss`.
    pub issuer: String,
    /// For whom they must be made: the claim `aud`, or one of its entries.
    pub audience: String,
    /// By how much two clocks may differ.
    pub leeway: Duration,
}

/// Whom a token speaks of.
pub(crate) struct Subject {
    /// Under what they are counted. No token of ours has a colon in its name.
    pub(super) name: String,
    pub(super) scopes: Scopes,
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject").field("name", &self.name).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// What must be understood. We understand nothing more, and such a token is refused (RFC 7515, section 4.1.11).
    crit: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    sub: String,
    /// Seconds since the Unix epoch; may have a fraction.
    exp: f64,
    nbf: Option<f64>,
    scope: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    fn has(&self, audience: &str) -> bool {
        match self {
            Self::One(one) => one == audience,
            Self::Many(many) => many.iter().any(|each| each == audience),
        }
    }
}

impl JwtOptions {
    /// Checks a token, and says of whom it speaks. What it says is read only when its signature is good.
    pub(super) fn verify(&self, text: &str, now: Timestamp) -> Result<Subject, Unauthenticated> {
        let (signed, signature) = text.rsplit_once('.').ok_or(Unauthenticated::Unknown)?;
        let (header, payload) = signed.split_once('.').ok_or(Unauthenticated::Malformed)?;
        let header: Header = part(header)?;
        if header.crit.is_some() {
            return Err(Unauthenticated::Malformed);
        }
        let algorithm = Algorithm::parse(&header.alg).filter(|algorithm| self.algorithms.contains(algorithm));
        let algorithm = algorithm.ok_or(Unauthenticated::Unknown)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| Unauthenticated::Malformed)?;
        let keys = self.keys.present();
        let mut candidates = keys.iter().filter(|key| key.is_for(algorithm, header.kid.as_deref())).peekable();
        if candidates.peek().is_none() {
            // It may be new. The keys are asked for again, and this token is good when they have come.
            self.keys.want_others();
            return Err(Unauthenticated::Unknown);
        }
        if !candidates.take(KEYS_TRIED_MAX).any(|key| key.has_signed(signed.as_bytes(), &signature)) {
            return Err(Unauthenticated::Unknown);
        }
        self.judge(part(payload)?, now)
    }

    fn judge(&self, claims: Claims, now: Timestamp) -> Result<Subject, Unauthenticated> {
        let Claims { iss, aud, sub, exp, nbf, scope } = claims;
        if iss != self.issuer || !aud.has(&self.audience) || sub.is_empty() || sub.len() > SUBJECT_BYTES_MAX {
            return Err(Unauthenticated::Unknown);
        }
        // Exact to a microsecond until the year 2255.
        let now = now.unix_micros() as f64 / 1e6;
        let leeway = self.leeway.as_secs_f64();
        if now >= exp + leeway {
            return Err(Unauthenticated::Expired);
        }
        if nbf.is_some_and(|nbf| now + leeway < nbf) {
            return Err(Unauthenticated::Unknown);
        }
        let words = scope.as_deref().unwrap_or_default().split(' ').take(SCOPES_MAX);
        let scopes = words.filter_map(|word| Scope::parse(word).ok()).collect();
        Ok(Subject { name: format!("jwt:{sub}"), scopes })
    }
}

/// Reads a part of a token: a JSON object in base64url without padding. A member that comes twice is refused.
fn part<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, Unauthenticated> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| Unauthenticated::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| Unauthenticated::Malformed)
}

#[cfg(test)]
mod tests;
