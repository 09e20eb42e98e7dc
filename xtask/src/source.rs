//! A rough reading of Rust source: what is code, and where functions and test modules lie.
//!
//! It knows comments, literals and brackets, and no syntax beyond: enough for house rules, and no parser in the build.

use std::ops::RangeInclusive;

/// Returns the source with comments, strings and characters blanked, every line where it was.
pub(crate) fn code_only(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let mut code = String::with_capacity(source.len());
    let mut at = 0;
    while at < chars.len() {
        let before = at.checked_sub(1).map(|index| chars[index]);
        let blanked = not_code(&chars[at..], before);
        if blanked == 0 {
            code.push(chars[at]);
            at += 1;
            continue;
        }
        let end = chars.len().min(at + blanked);
        code.extend(chars[at..end].iter().map(|each| if *each == '\n' { '\n' } else { ' ' }));
        at = end;
    }
    code
}

/// Returns how many characters a comment or literal takes that begins here; 0 where there is none.
fn not_code(rest: &[char], before: Option<char>) -> usize {
    match rest {
        ['/', '/', ..] => rest.iter().position(|each| *each == '\n').unwrap_or(rest.len()),
        ['/', '*', ..] => block_comment(rest),
        ['"', ..] => quoted(rest, '"'),
        ['\'', '\\', ..] => quoted(rest, '\''),
        // Anything else behind one quote is a lifetime or a label.
        ['\'', _, '\'', ..] => 3,
        ['r' | 'b' | 'c', ..] if !before.is_some_and(is_word) => raw_string(rest),
        _ => 0,
    }
}

fn block_comment(rest: &[char]) -> usize {
    let mut depth = 0usize;
    let mut at = 0;
    while at < rest.len() {
        match &rest[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted(rest: &[char], quote: char) -> usize {
    let mut at = 1;
    while let Some(each) = rest.get(at) {
        match each {
            '\\' => at += 2,
            each if *each == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// Returns the length of `r"…"`, `r#"…"#`, `br"…"` or `cr"…"`; 0 for a word that only begins like one.
fn raw_string(rest: &[char]) -> usize {
    let marks = match rest {
        ['b' | 'c', 'r', ..] => 2,
        ['r', ..] => 1,
        _ => return 0,
    };
    let hashes = rest[marks..].iter().take_while(|each| **each == '#').count();
    let open = marks + hashes;
    if rest.get(open) != Some(&'"') {
        return 0;
    }
    let mut end = vec!['"'];
    end.resize(1 + hashes, '#');
    let body = &rest[open + 1..];
    let length = body.windows(end.len()).position(|window| window == end.as_slice());
    length.map_or(rest.len(), |length| open + 1 + length + end.len())
}

fn is_word(each: char) -> bool {
    each.is_alphanumeric() || each == '_'
}

/// A word or one other sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    /// What stands there.
    pub(crate) text: &'a str,
    /// Its line, from 1.
    pub(crate) line: usize,
}

/// Divides code that [`code_only`] returned.
pub(crate) fn tokens(code: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    for (index, line) in code.lines().enumerate() {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let length = match is_word(first) {
                true => rest.find(|each| !is_word(each)).unwrap_or(rest.len()),
                false => first.len_utf8(),
            };
            let (text, after) = rest.split_at(length);
            found.push(Token { text, line: index + 1 });
            rest = after.trim_start();
        }
    }
    found
}

/// A function with a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Function {
    /// Its name.
    pub(crate) name: String,
    /// The line of `fn`.
    pub(crate) line: usize,
    /// Lines from `fn` to the closing bracket.
    pub(crate) length: usize,
}

/// Finds the functions, nested ones too.
pub(crate) fn functions(tokens: &[Token<'_>]) -> Vec<Function> {
    let mut found = Vec::new();
    for (at, pair) in tokens.windows(2).enumerate() {
        let (keyword, name) = (pair[0], pair[1]);
        // A type `fn(…)` and a macro's `fn $name` have no name here.
        if keyword.text != "fn" || !name.text.starts_with(is_word) {
            continue;
        }
        if let Some(end) = block_end(tokens, at + 2) {
            let length = tokens[end].line - keyword.line + 1;
            found.push(Function { name: name.text.to_owned(), line: keyword.line, length });
        }
    }
    found
}

/// Finds the lines of items that are compiled for tests only.
pub(crate) fn test_lines(tokens: &[Token<'_>]) -> Vec<RangeInclusive<usize>> {
    let mut found = Vec::new();
    for at in 0..tokens.len() {
        if !begins(&tokens[at..], &["#", "[", "cfg", "("]) {
            continue;
        }
        let end = closing(tokens, at + 1);
        let says = |word: &str| tokens[at..end].iter().any(|each| each.text == word);
        if !says("test") || says("not") {
            continue;
        }
        let mut item = end + 1;
        while item < tokens.len() && begins(&tokens[item..], &["#", "["]) {
            item = closing(tokens, item + 1) + 1;
        }
        if let Some(end) = block_end(tokens, item) {
            found.push(tokens[at].line..=tokens[end].line);
        }
    }
    found
}

/// Tells whether `mod name;` stands there.
pub(crate) fn declares_module(tokens: &[Token<'_>], name: &str) -> bool {
    (0..tokens.len()).any(|at| begins(&tokens[at..], &["mod", name, ";"]))
}

/// Tells whether the tokens begin with these.
pub(crate) fn begins(tokens: &[Token<'_>], texts: &[&str]) -> bool {
    tokens.len() >= texts.len() && tokens.iter().zip(texts).all(|(token, text)| token.text == *text)
}

/// Returns the end of the block of an item whose head begins at `start`; `None` where a `;` ends it.
fn block_end(tokens: &[Token<'_>], start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        match tokens.get(at)?.text {
            "{" => return Some(closing(tokens, at)),
            ";" => return None,
            "(" | "[" => at = closing(tokens, at) + 1,
            _ => at += 1,
        }
    }
}

/// Returns where the bracket at `open` is closed, or the last token.
fn closing(tokens: &[Token<'_>], open: usize) -> usize {
    let mut depth = 0usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    tokens.len().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked_and_code_stays() {
        let check = |source: &str, words: &[&str]| {
            let code = code_only(source);
            assert_eq!(code.lines().count(), source.lines().count(), "{source}");
            let found: Vec<_> = code.split_whitespace().collect();
            assert_eq!(found, words, "{source}");
        };
        check("a // b\nc", &["a", "c"]);
        check("a /* b /* c */ d\n */ e", &["a", "e"]);
        check(r#"a "b \" c" d"#, &["a", "d"]);
        check("a r#\"b \" c\"# d", &["a", "d"]);
        check("a br\"b\\\" c", &["a", "c"]);
        check(r"a '\'' b 'c' d '\u{e}' '/' '/' f", &["a", "b", "d", "f"]);
        check("fn f<'a>(x: &'a str) {}", &["fn", "f<'a>(x:", "&'a", "str)", "{}"]);
        check("r#type bar crate br", &["r#type", "bar", "crate", "br"]);
        check("a \"never closed", &["a"]);
        check("a /* never closed", &["a"]);
        check("a r#\"never closed\"", &["a"]);
    }

    #[test]
    fn functions_are_measured_from_keyword_to_bracket() {
        let source =
            "fn a() -> [u8; 2] {\n    \"}\"\n}\ntrait T {\n    fn b(&self);\n    fn c(f: fn(u8) -> u8) {\n\n    }\n}\n";
        let code = code_only(source);
        let found: Vec<_> = functions(&tokens(&code)).into_iter().map(|f| (f.name, f.line, f.length)).collect();
        assert_eq!(found, [("a".to_owned(), 1, 3), ("c".to_owned(), 6, 3)]);
    }

    #[test]
    fn test_only_items_are_found() {
        let source = "fn a() {}\n#[cfg(test)]\n#[allow(x)]\nmod tests {\n    fn b() {}\n}\n\
                      #[cfg(not(test))]\nfn c() {}\n#[cfg(all(test, unix))]\nfn d() {}\n\
                      #[cfg(test)]\nmod outside;\n";
        let code = code_only(source);
        assert_eq!(test_lines(&tokens(&code)), [2..=6, 9..=10]);
        assert!(declares_module(&tokens(&code), "outside"));
        assert!(!declares_module(&tokens(&code), "tests"));
    }
}
