//! URI-references and URIs (RFC 3986), by their grammar. What they refer to is not looked at.

use std::net::Ipv6Addr;

use crate::AttributeError;

/// A URI-reference (section 4.1): a URI, or one that is relative to another, with or without a fragment.
pub(crate) fn check_uri_reference(name: &str, value: &str) -> Result<(), AttributeError> {
    let bytes = value.as_bytes();
    // Whether there is nothing whose place matters: so it is for nearly every source.
    let mut is_simple = true;
    for (at, byte) in bytes.iter().enumerate() {
        let fits = match byte {
            b'%' => bytes.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => true,
            b':' | b'#' | b'[' | b']' => {
                is_simple = false;
                true
            }
            _ => b"-._~/?@!$&'()*+,;=".contains(byte),
        };
        if !fits {
            return Err(no_reference(name, at, "percent-encode other characters"));
        }
    }
    if is_simple {
        return Ok(());
    }
    match misplaced(value) {
        Some((at, cure)) => Err(no_reference(name, at, cure)),
        None => Ok(()),
    }
}

/// A URI (section 3), which begins with a scheme. CloudEvents names the absolute form, which has no fragment (section
/// 4.3); here it may have one, because registries point into their documents so, and nobody is served by a refusal.
pub(crate) fn check_uri(name: &str, value: &str) -> Result<(), AttributeError> {
    check_uri_reference(name, value)?;
    match scheme(value) {
        Some(_) => Ok(()),
        None => {
            Err(AttributeError::new(name, "must be an absolute URI (RFC 3986): begin with a scheme such as https:"))
        }
    }
}

fn no_reference(name: &str, at: usize, cure: &str) -> AttributeError {
    AttributeError::new(name, format!("is not a URI-reference (RFC 3986) at byte {at}: {cure}"))
}

fn scheme(value: &str) -> Option<&str> {
    let (scheme, _) = value.split_once(':')?;
    let fits = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    fits.then_some(scheme)
}

/// Finds what stands where it must not, in a text whose characters are all allowed somewhere; with the cure.
fn misplaced(value: &str) -> Option<(usize, &'static str)> {
    let hash = value.find('#').unwrap_or(value.len());
    if let Some(again) = value.get(hash + 1..).and_then(|fragment| fragment.find('#')) {
        return Some((hash + 1 + again, "write a second # as %23"));
    }
    let before = &value[..hash];
    let hierarchy = before.split_once('?').map_or(before, |(hierarchy, _)| hierarchy);
    let start = match (scheme(hierarchy), hierarchy.find([':', '/'])) {
        (Some(scheme), _) => scheme.len() + 1,
        (None, Some(colon)) if hierarchy[colon..].starts_with(':') => {
            return Some((colon, "begin with a scheme, or with ./ where the first segment has a colon"));
        }
        (None, _) => 0,
    };
    let mut rest = start;
    if let Some(after) = hierarchy[start..].strip_prefix("//") {
        let length = after.find('/').unwrap_or(after.len());
        rest = start + 2 + length;
        if let Some((at, cure)) = misplaced_in_authority(&after[..length]) {
            return Some((start + 2 + at, cure));
        }
    }
    let bracket = value[rest..].find(['[', ']']);
    bracket.map(|at| (rest + at, "write [ and ] as %5B and %5D, except around the address of a host"))
}

/// The same for an authority (section 3.2): `user@host:port`, the host a name or an address in brackets.
fn misplaced_in_authority(authority: &str) -> Option<(usize, &'static str)> {
    let host_at = authority.rfind('@').map_or(0, |at| at + 1);
    let (user, host) = authority.split_at(host_at);
    let (name, address) = match host.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        Some((address, _)) => (&host[..address.len() + 2], Some(address)),
        None => (&host[..host.find(':').unwrap_or(host.len())], None),
    };
    let is_broken = match address {
        Some(address) => !is_address(address),
        None => name.contains(['[', ']']),
    };
    if is_broken || user.contains(['[', ']']) {
        return Some((if is_broken { host_at } else { 0 }, "only the IPv6 address of a host stands in [ and ]"));
    }
    let port = &host[name.len()..];
    let is_port =
        port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()));
    if is_port { None } else { Some((host_at + name.len(), "write a port as digits behind a colon")) }
}

/// An address of IPv6, with or without a zone (RFC 6874), or one of a later version.
fn is_address(text: &str) -> bool {
    let address = text.split_once("%25").map_or(text, |(address, _)| address);
    let is_later = || text.starts_with(['v', 'V']) && !text.contains('[');
    address.parse::<Ipv6Addr>().is_ok() || is_later()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_told_from_other_texts() {
        let check = |value: &str, place: Option<(usize, &str)>| {
            let expected = place.map(|(at, cure)| {
                format!("attribute \"source\" is not a URI-reference (RFC 3986) at byte {at}: {cure}")
            });
            let told = check_uri_reference("source", value).err().map(|error| error.to_string());
            assert_eq!(told, expected, "{value}");
        };
        for good in [
            "/shop",
            "shop/orders",
            "1-555-123-4567",
            "?a=b:c#d",
            "#top",
            "urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66",
            "mailto:cncf-wg-serverless@lists.cncf.io",
            "https://user:secret@example.com:8080/a:b/%C3%A4?x=/?#y/?:@",
            "//storage.googleapis.com/projects/_/buckets/some-bucket",
            "/projects/(default)/a:b",
            "./a:b",
            "http://[2001:db8::7]:80/",
            "http://[fe80::1%25eth0]/",
            "http://[v7.a:b]",
            "http://example.com:",
            "arn:aws:s3:::bucket",
        ] {
            check(good, None);
        }
        check("a b", Some((1, "percent-encode other characters")));
        check("/k\u{e4}se", Some((2, "percent-encode other characters")));
        check("/100%", Some((4, "percent-encode other characters")));
        check("/a#b#c", Some((4, "write a second # as %23")));
        let colon = "begin with a scheme, or with ./ where the first segment has a colon";
        check("1a:b", Some((2, colon)));
        check(":a", Some((0, colon)));
        let brackets = "write [ and ] as %5B and %5D, except around the address of a host";
        check("/a[0]", Some((2, brackets)));
        check("http://a/?x[]=1", Some((11, brackets)));
        check("urn:a#[", Some((6, brackets)));
        let address = "only the IPv6 address of a host stands in [ and ]";
        check("http://[example.com]/", Some((7, address)));
        check("http://[::1/", Some((7, address)));
        check("http://a[b]/", Some((7, address)));
        check("http://[u]@h/", Some((7, address)));
        let port = "write a port as digits behind a colon";
        check("http://h:80a/", Some((8, port)));
        check("http://[::1]80/", Some((12, port)));
    }

    #[test]
    fn a_uri_has_a_scheme_and_may_have_a_fragment() {
        for good in ["https://example.com/order.json", "urn:order", "https://example.com/all.json#/$defs/order", "a:"] {
            assert_eq!(check_uri("dataschema", good), Ok(()), "{good}");
        }
        for relative in ["/order.json", "order.json", "//example.com/order.json", "#order"] {
            let message = check_uri("dataschema", relative).expect_err(relative).to_string();
            assert!(message.ends_with("must be an absolute URI (RFC 3986): begin with a scheme such as https:"));
        }
    }
}
