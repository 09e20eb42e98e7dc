//! The parameters of a matched path, and percent-decoding (RFC 3986, section 2.1) of their values.
//!
//! Values are parts of the path as it came; they are decoded when read, after matching, so that an escaped slash
//! never changes which route is taken.

use std::borrow::Cow;

/// Names and values of the parameters of one matched path, in the order of the route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params<'a> {
    entries: Vec<(&'a str, &'a str)>,
}

impl<'a> Params<'a> {
    /// Does not allocate where the capacity is 0.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self { entries: Vec::with_capacity(capacity) }
    }

    pub(crate) fn push(&mut self, name: &'a str, value: &'a str) {
        self.entries.push((name, value));
    }

    /// Returns how many parameters there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Tells whether the route has no parameters.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns names and percent-decoded values.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, Cow<'a, str>)> {
        self.entries.iter().copied().map(|(name, value)| (name, decoded(value)))
    }

    /// Returns names and values as they stood in the path, still escaped.
    pub fn raw(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.entries.iter().copied()
    }

    /// Returns the percent-decoded value of one parameter.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        self.entries.iter().copied().find(|(each, _)| *each == name).map(|(_, value)| decoded(value))
    }
}

/// Percent-decodes a part of a path.
///
/// A `%` without two hexadecimal digits stays as it is, and so does the whole text where the decoded bytes are not
/// UTF-8: nothing of what the caller sent is replaced or lost.
#[must_use]
pub fn decoded(text: &str) -> Cow<'_, str> {
    if !text.as_bytes().contains(&b'%') {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        match (first, tail) {
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                out.push((hex_value(*high) << 4) | hex_value(*low));
                rest = after;
            }
            _ => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(out).map_or(Cow::Borrowed(text), Cow::Owned)
}

/// The value of a byte that is known to be a hexadecimal digit.
fn hex_value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit - b'A' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::decoded;

    #[test]
    fn values_are_decoded_without_loss() {
        let check = |text: &str, expected: &str| assert_eq!(decoded(text), expected, "{text}");
        check("plain", "plain");
        check("", "");
        check("4%202", "4 2");
        check("a%2Fb%2fc", "a/b/c");
        check("k%C3%A4se", "käse");
        check("käse%20%c3%a4", "käse ä");
        check("100%", "100%");
        check("%2", "%2");
        check("%zz%20", "%zz ");
        check("%%20", "% ");
        check("%FF%20", "%FF%20");
    }
}
