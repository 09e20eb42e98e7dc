//! The digest by which others know the code of a function again.

use bytes::Bytes;
use ring::digest::{SHA256, digest};

/// Computes the SHA-256 (FIPS 180-4) of code on the blocking threads of the tokio runtime on which this is awaited: of
/// 16 MiB it takes a good part of a tenth of a second. `None` where that runtime is shutting down.
pub async fn sha256(code: Bytes) -> Option<[u8; 32]> {
    #[expect(clippy::disallowed_methods, reason = "awaited on the spot, and bounded by the size of the code")]
    let computed = tokio::task::spawn_blocking(move || {
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(digest(&SHA256, &code).as_ref());
        sha256
    });
    computed.await.ok()
}
