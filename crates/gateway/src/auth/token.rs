//! Tokens that are made here: `weir_<id>_<secret>`.
//!
//! The identifier is public and finds the token; the secret is 256 random bits, shown once. What is kept is SHA-256 of the
//! whole text. A slow hash such as argon2 is for what people choose: nobody goes through 2^256 secrets, so it would protect
//! nothing and make every request pay for it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};
use weir_catalog::TokenId;

/// What tokens begin with, so that scanners for leaked secrets find them.
const PREFIX: &str = "weir_";

/// Makes the text of a token.
pub(crate) fn text(id: &TokenId, secret: [u8; 32]) -> String {
    format!("{PREFIX}{id}_{}", URL_SAFE_NO_PAD.encode(secret))
}

/// Returns the identifier in the text of a token; `None` where it is none of ours.
pub(super) fn id(text: &str) -> Option<&str> {
    let (id, _) = text.strip_prefix(PREFIX)?.split_once('_')?;
    Some(id)
}

/// Returns what is kept of a token.
pub(crate) fn hash(text: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_names_its_identifier() {
        let named = TokenId::parse("0f8e-1").expect("valid");
        let made = text(&named, [0xff; 32]);
        assert_eq!(made, format!("weir_0f8e-1_{}8", "_".repeat(42)));
        assert_eq!(id(&made), Some("0f8e-1"));
        for other in ["", "weir_", "weir_a", "WEIR_a_b", "a.b.c"] {
            assert_eq!(id(other), None, "{other}");
        }
    }

    #[test]
    fn the_hash_is_sha_256() {
        // FIPS 180-2, appendix B.1.
        let hex: String = hash("abc").iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
