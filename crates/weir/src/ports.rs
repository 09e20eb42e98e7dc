//! The outside world behind the ports: wall clock and random identifiers.

use std::{
    fmt::Write,
    time::{SystemTime, UNIX_EPOCH},
};

use rand::Rng;
use weir_domain::{Clock, Ids, Timestamp};

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the port")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // 64 bits of microseconds last for half a million years.
        Timestamp::from_unix_micros(since.as_micros() as u64)
    }
}

/// Random identifiers: UUIDs of version 4 (RFC 9562).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RandomIds;

impl Ids for RandomIds {
    #[expect(clippy::disallowed_methods, reason = "this is the port")]
    fn unique(&self) -> String {
        let random: u128 = rand::rng().random();
        let version = (random & !(0xf000 << 64)) | (0x4000 << 64);
        let variant = (version & !(0xc000 << 48)) | (0x8000 << 48);
        let digits = format!("{variant:032x}");
        let mut text = String::with_capacity(36);
        for (part, range) in [0..8, 8..12, 12..16, 16..20, 20..32].into_iter().enumerate() {
            let dash = if part == 0 { "" } else { "-" };
            // Writing to a String cannot fail.
            let _ = write!(text, "{dash}{}", &digits[range]);
        }
        text
    }

    #[expect(clippy::disallowed_methods, reason = "this is the port")]
    fn secret(&self) -> [u8; 32] {
        // A generator for cryptography, which the operating system seeds.
        rand::rng().random()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_uuids_of_version_4() {
        for _ in 0..100 {
            let id = RandomIds.unique();
            let bytes = id.as_bytes();
            assert_eq!(id.len(), 36, "{id}");
            assert!([8, 13, 18, 23].iter().all(|at| bytes[*at] == b'-'), "{id}");
            assert_eq!(bytes[14], b'4', "{id}");
            assert!(b"89ab".contains(&bytes[19]), "{id}");
        }
    }
}
