//! Which names a server that is for its own machine answers to.
//!
//! A page at `evil.example` may let its name resolve to 127.0.0.1 (DNS rebinding). To the browser the server is then of
//! the page's own origin: it lets the page send what it likes and read the answers. What the page cannot choose is the
//! name in the request: a server that asks nobody for a token, because only its own machine reaches it, answers to the
//! names of that machine alone, and to those that its operator says are its own.

use std::net::IpAddr;

use http::{HeaderMap, StatusCode, Uri, header::HOST};

use crate::problem::Problem;

/// Refuses a request that was sent to another name than one of this machine, or one of `further`.
///
/// # Errors
/// 421 (RFC 9110, section 15.5.20).
pub(crate) fn check(uri: &Uri, headers: &HeaderMap, further: &[String]) -> Result<(), Problem> {
    // HTTP/2 has the name in the request line. Programs of HTTP/1.0 send none, and browsers always do.
    let named = uri.authority().map(|authority| authority.as_str().as_bytes());
    let named = named.or_else(|| headers.get(HOST).map(|host| host.as_bytes()));
    match named {
        Some(name) if !is_own(name, further) => Err(Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            "this server asks nobody for a token, and therefore answers only to localhost, to IP addresses and to the names \
             in allowed_hosts: send the request to one of these, add its name there, or set auth.mode to \"required\"",
        )),
        _ => Ok(()),
    }
}

/// Tells whether a host with or without a port is an IP address, a name that only this machine has (RFC 6761, section 6.3),
/// or one of `further`.
fn is_own(authority: &[u8], further: &[String]) -> bool {
    let Ok(authority) = str::from_utf8(authority) else { return false };
    let host = match authority.strip_prefix('[') {
        Some(rest) => return rest.split_once(']').is_some_and(|(host, _)| host.parse::<IpAddr>().is_ok()),
        None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
    };
    let name = host.strip_suffix('.').unwrap_or(host);
    let is_named = |name: &str| name.eq_ignore_ascii_case("localhost");
    is_named(name)
        || name.rsplit_once('.').is_some_and(|(_, last)| is_named(last))
        || host.parse::<IpAddr>().is_ok()
        || further.iter().any(|own| own.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_its_own() {
        let further = ["weir.internal".to_owned(), "weir".to_owned()];
        for local in [
            "localhost",
            "LOCALHOST:4001",
            "localhost.:1",
            "shop.localhost:80",
            "127.0.0.1:4000",
            "[::1]:4000",
            "10.0.0.7",
        ] {
            assert!(is_own(local.as_bytes(), &[]), "{local}");
        }
        for foreign in [
            "evil.example:4001",
            "localhost.evil.example",
            "notlocalhost",
            "127.0.0.1.evil.example",
            "[::1",
            "[evil]",
            "",
            ":4001",
        ] {
            assert!(!is_own(foreign.as_bytes(), &further), "{foreign}");
        }
        for named in ["weir.internal:4001", "Weir.Internal.", "WEIR:1"] {
            assert!(is_own(named.as_bytes(), &further), "{named}");
            assert!(!is_own(named.as_bytes(), &[]), "{named}");
        }
        for foreign in ["evil.weir.internal", "internal", "weir.internal.evil.example", "weir:1:2"] {
            assert!(!is_own(foreign.as_bytes(), &further), "{foreign}");
        }
    }
}
