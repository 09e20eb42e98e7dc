//! Media types (RFC 2046), in the grammar of HTTP (RFC 9110, sections 8.3.1 and 5.6.6).

use crate::AttributeError;

/// What may stand around the parts of a media type.
const BLANKS: [char; 2] = [' ', '\t'];

/// A media type: `type/subtype`, then parameters.
pub(crate) fn check_media_type(name: &str, value: &str) -> Result<(), AttributeError> {
    let (essence, parameters) = value.split_once(';').unwrap_or((value, ""));
    match essence.trim().split_once('/') {
        Some((kind, subtype)) if is_token(kind) && is_token(subtype) => {}
        _ => return Err(AttributeError::new(name, "must be a media type (RFC 2046) such as application/json")),
    }
    if are_parameters(parameters) {
        Ok(())
    } else {
        let problem = "has a broken parameter (RFC 9110): write each as name=value or name=\"value\"";
        Err(AttributeError::new(name, problem))
    }
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Tells whether a text is a list of parameters, divided by semicolons; any of them may be missing.
fn are_parameters(mut rest: &str) -> bool {
    loop {
        rest = rest.trim_start_matches(BLANKS);
        if !rest.is_empty() && !rest.starts_with(';') {
            let Some((name, value)) = rest.split_once('=') else { return false };
            let Some(after) = behind_value(value).filter(|_| is_token(name)) else { return false };
            rest = after.trim_start_matches(BLANKS);
        }
        match rest.strip_prefix(';') {
            Some(after) => rest = after,
            None => return rest.is_empty(),
        }
    }
}

/// Returns what follows the token or the quoted string with which a text begins.
fn behind_value(text: &str) -> Option<&str> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.bytes().position(|byte| !is_token_byte(byte)).unwrap_or(text.len());
        return Some(&text[end..]).filter(|_| end > 0);
    };
    let mut escaped = false;
    for (at, each) in quoted.char_indices() {
        match each {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(&quoted[at + 1..]),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::check_media_type;

    #[test]
    fn parameters_are_tokens_or_quoted() {
        for good in [
            "application/json",
            "application/json;charset=utf-8",
            "Application/VND.example+json ; charset=\"UTF-8\" ;; v=1;",
            "multipart/mixed; boundary=\"a;b=\\\"c\\\"\"",
            "text/plain;format=flowed; delsp=yes",
        ] {
            assert_eq!(check_media_type("datacontenttype", good), Ok(()), "{good}");
        }
        for bad in ["", "json", "a/", "/b", "a/b/c", "a b/c", "text/k\u{e4}se"] {
            let message = check_media_type("datacontenttype", bad).expect_err(bad).to_string();
            assert!(message.ends_with("must be a media type (RFC 2046) such as application/json"), "{bad}: {message}");
        }
        for bad in
            ["a/b; c", "a/b; c=", "a/b; c =d", "a/b; c=\"d", "a/b; c=d e", "a/b; c=<d>", "a/b;=d", "a/b; c=\"\\\""]
        {
            let message = check_media_type("datacontenttype", bad).expect_err(bad).to_string();
            assert!(message.contains("has a broken parameter (RFC 9110)"), "{bad}: {message}");
        }
    }
}
