//! The query of a URL as names and values, encoded as forms are. What a parameter means is told by who reads it.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// Returns names and values in the order of the query; a name without a value has the empty one.
pub(crate) fn pairs(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    query.split('&').filter(|part| !part.is_empty()).map(|part| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (decoded(name), decoded(value))
    })
}

fn decoded(text: &str) -> Cow<'_, str> {
    if text.contains('+') {
        let spaced = text.replace('+', " ");
        return Cow::Owned(percent_decode_str(&spaced).decode_utf8_lossy().into_owned());
    }
    percent_decode_str(text).decode_utf8_lossy()
}

#[cfg(test)]
mod tests {
    use super::pairs;

    #[test]
    fn queries_are_read_as_forms() {
        let check = |query: &str, expected: &[(&str, &str)]| {
            let found: Vec<_> = pairs(query).collect();
            let found: Vec<_> = found.iter().map(|(name, value)| (&**name, &**value)).collect();
            assert_eq!(found, expected, "{query}");
        };
        check("", &[]);
        check("&&", &[]);
        check("a=1&b=2&a=3", &[("a", "1"), ("b", "2"), ("a", "3")]);
        check("a&b=&=c", &[("a", ""), ("b", ""), ("", "c")]);
        check("a+b=c+d%2Be&k%C3%A4se=100%25", &[("a b", "c d+e"), ("käse", "100%")]);
        check("a=b=c&x=%zz&y=%FF", &[("a", "b=c"), ("x", "%zz"), ("y", "\u{fffd}")]);
    }
}
