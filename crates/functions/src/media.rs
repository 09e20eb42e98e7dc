//! Media types, as far as they decide how data is kept. The codec of CloudEvents has its own, which is stricter.

/// Tells whether a media type declares JSON: `*/json` or `*/*+json`.
pub(crate) fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.ends_with("/json") || essence.ends_with("+json")
}

#[cfg(test)]
mod tests {
    use super::is_json;

    #[test]
    fn json_is_told_by_the_subtype() {
        for json in ["application/json", "Application/JSON; charset=utf-8", "text/json", "application/vnd.api+json"] {
            assert!(is_json(json), "{json}");
        }
        for other in ["text/plain", "application/jsonl", "application/xml; a=b/json+", "json", ""] {
            assert!(!is_json(other), "{other}");
        }
    }
}
