//! Texts and schemas as HTML.

use serde_json::Value;

/// What a schema may say of the bounds of a value, with the words for it.
const BOUNDS: [(&str, &str); 8] = [
    ("minimum", "at least"),
    ("maximum", "at most"),
    ("minLength", "characters, at least"),
    ("maxLength", "characters, at most"),
    ("minItems", "entries, at least"),
    ("maxItems", "entries, at most"),
    ("maxProperties", "entries, at most"),
    ("pattern", "pattern"),
];

/// Returns a text, the empty one where there is none.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Writes a text so that nothing in it is markup, in elements and in attributes.
pub(super) fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            other => html.push(other),
        }
    }
    html
}

/// Writes a line; what stands in backticks is code.
pub(super) fn inline(text: &str) -> String {
    let parts = text.split('`').enumerate().map(|(index, part)| match (index % 2, escaped(part)) {
        (0, part) => part,
        (_, part) => format!("<code>{part}</code>"),
    });
    parts.collect()
}

/// Writes paragraphs.
pub(super) fn prose(text: &str) -> String {
    let paragraphs = text.split("\n\n").filter(|paragraph| !paragraph.is_empty());
    paragraphs.map(|paragraph| format!("<p>{}</p>\n", inline(paragraph))).collect()
}

/// Writes what kind of value a schema is of.
pub(super) fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return format!("<a href=\"#schema-{0}\">{0}</a>", escaped(name));
    }
    if let Some(value) = schema.get("const") {
        return format!("<code>{}</code>", escaped(&value.to_string()));
    }
    if let Some(words) = schema["enum"].as_array() {
        let words = words.iter().map(|word| format!("<code>{}</code>", escaped(text(word))));
        return words.collect::<Vec<_>>().join(" or ");
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        return choices.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    let named = match &schema["type"] {
        Value::String(name) => named(name),
        Value::Array(names) => names.iter().map(|name| named(text(name))).collect::<Vec<_>>().join(" or "),
        _ => String::new(),
    };
    let providers = choices(schema);
    match schema.get("items") {
        Some(items) => format!("list of {}", kind(items)),
        None if providers.is_empty() => named,
        None => format!("{named}; {providers}"),
    }
}

fn named(name: &str) -> String {
    match name {
        "string" => "text".to_owned(),
        "integer" => "whole number".to_owned(),
        other => escaped(other),
    }
}

/// Writes which form a member has by the value of another: for each choice its fixed values and what they lead to.
fn choices(schema: &Value) -> String {
    let choices = schema["oneOf"].as_array().into_iter().flatten().filter_map(|choice| {
        let members = choice["properties"].as_object()?.iter();
        let members = members.map(|(name, value)| format!("<code>{}</code>: {}", escaped(name), kind(value)));
        Some(members.collect::<Vec<_>>().join(", "))
    });
    choices.collect::<Vec<_>>().join("; ")
}

/// Writes the bounds of a value.
pub(super) fn bounds(schema: &Value) -> String {
    let told = BOUNDS.iter().filter_map(|(name, words)| {
        let bound = match schema.get(*name)? {
            Value::String(pattern) => escaped(pattern),
            other => other.to_string(),
        };
        Some(format!("<br><span class=\"faint\">{words} <code>{bound}</code></span>"))
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_in_a_text_is_markup() {
        assert_eq!(inline("a `<b>` & 'c'"), "a <code>&lt;b&gt;</code> &amp; &#39;c&#39;");
        assert_eq!(prose("one\n\ntwo `\"`"), "<p>one</p>\n<p>two <code>&quot;</code></p>\n");
        assert_eq!(prose(""), "");
    }

    #[test]
    fn schemas_are_told_in_words() {
        let check = |schema: Value, expected: &str| assert_eq!(kind(&schema), expected);
        check(json!({ "$ref": "#/components/schemas/A" }), "<a href=\"#schema-A\">A</a>");
        check(json!({ "type": "array", "items": { "type": "string" } }), "list of text");
        check(json!({ "type": ["object", "boolean"] }), "object or boolean");
        check(json!({ "enum": ["a", "b"] }), "<code>a</code> or <code>b</code>");
        check(json!({}), "");
        let expected = "<br><span class=\"faint\">at least <code>1</code></span>";
        assert_eq!(bounds(&json!({ "minimum": 1 })), expected);
    }
}
