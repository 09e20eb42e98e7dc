//! Reading an expression, with faults that tell where and why not.
//!
//! The grammar is that of the specification. What is of one strength is grouped from left to right; so are AND, OR and
//! XOR, which are of one strength. What nests is counted, and so is what stands side by side: no text makes what is
//! read deeper than the two bounds together.

use super::{
    Expression,
    fault::Fault,
    function::{self, Function},
    lex::{Lexed, Token, lex},
    node::Node,
    operator::Operator,
    value::Value,
};
use crate::{attribute::Attribute, spelling};

/// The words that are no names.
const KEYWORDS: [&str; 9] = ["and", "or", "xor", "not", "like", "in", "exists", "true", "false"];
/// What can come after a value.
const AFTER: [&str; 6] = ["and", "or", "xor", "not", "like", "in"];

/// An expression that was read, and what is wrong with it though it can be evaluated.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) root: Node,
    pub(super) checks: Vec<Fault>,
}

/// Reads an expression.
pub(super) fn parse(text: &str) -> Result<Read, Fault> {
    if text.len() > Expression::TEXT_BYTES_MAX {
        let message = format!("is longer than {} bytes: shorten it", Expression::TEXT_BYTES_MAX);
        return Err(Fault::new(0, 0, message));
    }
    let mut reader = Reader { tokens: lex(text)?, at: 0, depth: 0, terms: 0, checks: Vec::new() };
    let root = reader.expression(0)?;
    match reader.peek() {
        Token::End => Ok(Read { root, checks: reader.checks }),
        Token::Symbol(")") => Err(reader.fault("found `)`, and no `(` that it closes: leave it out")),
        _ => Err(reader.no_operator()),
    }
}

struct Reader<'t> {
    tokens: Vec<Lexed<'t>>,
    at: usize,
    depth: usize,
    terms: usize,
    checks: Vec<Fault>,
}

impl<'t> Reader<'t> {
    /// Reads what binds at least so strong.
    fn expression(&mut self, strength: u8) -> Result<Node, Fault> {
        let mut left = self.postfixed()?;
        while let Some(operator) = self.operator().filter(|operator| operator.strength() >= strength) {
            self.advance();
            let right = self.expression(operator.strength() + 1)?;
            left = Node::Binary(operator, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn operator(&self) -> Option<Operator> {
        match self.peek() {
            Token::Word(spelling) | Token::Symbol(spelling) => Operator::spelled(spelling),
            _ => None,
        }
    }

    /// Reads a value with any number of LIKE and IN behind it.
    fn postfixed(&mut self) -> Result<Node, Fault> {
        let mut value = self.prefixed()?;
        loop {
            let negated = self.is_keyword("not");
            let behind = usize::from(negated);
            if self.is_keyword_at(behind, "like") {
                self.skip(behind + 1);
                value = Node::Like { value: Box::new(value), pattern: self.pattern()?, negated };
            } else if self.is_keyword_at(behind, "in") {
                self.skip(behind + 1);
                if *self.peek() != Token::Symbol("(") {
                    return Err(self.expected("a set such as ('a', 'b')"));
                }
                let set = self.nested(Self::list)?;
                if set.is_empty() {
                    return Err(self.before("the set is empty: name at least one value"));
                }
                value = Node::In { value: Box::new(value), set: set.into(), negated };
            } else if negated {
                self.advance();
                return Err(self.expected("LIKE or IN after NOT"));
            } else {
                return Ok(value);
            }
        }
    }

    fn pattern(&mut self) -> Result<Box<str>, Fault> {
        let Token::Text(pattern) = self.peek() else {
            return Err(self.expected("a text in quotes as the pattern of LIKE"));
        };
        let pattern = pattern.as_str().into();
        self.term()?;
        self.advance();
        Ok(pattern)
    }

    /// Reads a value behind NOT or a sign, or without.
    fn prefixed(&mut self) -> Result<Node, Fault> {
        let sign = match self.peek() {
            Token::Word(word) if word.eq_ignore_ascii_case("not") => {
                self.advance();
                return Ok(Node::Not(Box::new(self.nested(Self::prefixed)?)));
            }
            Token::Symbol(sign @ ("-" | "+")) => *sign,
            _ => return self.value(),
        };
        if let Token::Number(digits) = self.tokens[self.at + 1].token
            && self.tokens[self.at].end == self.tokens[self.at + 1].start
        {
            return self.number(&format!("{sign}{digits}"), 2);
        }
        if sign == "+" {
            return Err(self.fault("found `+` in front of what is no number: leave it out"));
        }
        self.advance();
        Ok(match self.nested(Self::prefixed)? {
            // The same number, and the same text in the canonical form.
            Node::Literal(Value::Integer(number)) if number >= 0 => Node::Literal(Value::Integer(-number)),
            inner => Node::Negate(Box::new(inner)),
        })
    }

    fn value(&mut self) -> Result<Node, Fault> {
        match self.peek() {
            Token::Symbol("(") => {
                self.advance();
                let inner = self.nested(|reader| reader.expression(0))?;
                if *self.peek() == Token::Symbol(")") {
                    self.advance();
                    return Ok(inner);
                }
                Err(self.unless_known("`)`, or an operator"))
            }
            Token::Number(digits) => {
                let digits = *digits;
                self.number(digits, 1)
            }
            Token::Text(text) => {
                let text = text.clone();
                self.literal(Value::Text(text.into()))
            }
            Token::Word(word) => {
                let word = *word;
                self.word(word)
            }
            _ => Err(self.unless_known("a value")),
        }
    }

    fn literal(&mut self, value: Value<'static>) -> Result<Node, Fault> {
        self.term()?;
        self.advance();
        Ok(Node::Literal(value))
    }

    /// Takes a number of so many tokens.
    fn number(&mut self, digits: &str, tokens: usize) -> Result<Node, Fault> {
        self.term()?;
        let Ok(number) = digits.parse() else {
            let (start, end) = (self.tokens[self.at].start, self.tokens[self.at + tokens - 1].end);
            let message = format!("`{digits}` is no number of 32 bits: use one from {} to {}", i32::MIN, i32::MAX);
            return Err(Fault::new(start, end - start, message));
        };
        self.skip(tokens);
        Ok(Node::Literal(Value::Integer(number)))
    }

    fn word(&mut self, word: &str) -> Result<Node, Fault> {
        if *self.peek_at(1) == Token::Symbol("(") && !is_one_of(&KEYWORDS, word) {
            return self.call(word);
        }
        match &*word.to_ascii_lowercase() {
            "true" => self.literal(Value::Boolean(true)),
            "false" => self.literal(Value::Boolean(false)),
            "exists" => {
                self.advance();
                match *self.peek() {
                    Token::Word(name) | Token::Number(name) if !is_one_of(&KEYWORDS, name) => {
                        Ok(Node::Exists(self.attribute(name)?))
                    }
                    Token::Symbol("(") => Err(self.expected("the name of an attribute without parentheses")),
                    _ => Err(self.expected("the name of an attribute")),
                }
            }
            _ if is_one_of(&KEYWORDS, word) => Err(self.expected("a value")),
            _ => Ok(Node::Attribute(self.attribute(word)?)),
        }
    }

    /// Takes the name of an attribute. One that no event can have is missing in each, which is told among the checks.
    fn attribute(&mut self, name: &str) -> Result<Attribute, Fault> {
        if name.contains('_') {
            return Err(self.fault(format!("`{name}` is no attribute: their names have letters a-z and digits only")));
        }
        self.term()?;
        let lower = name.to_ascii_lowercase();
        if lower != name {
            let fault = self.fault(format!("`{name}` is no attribute: did you mean `{lower}`?"));
            self.checks.push(fault);
        } else if let Err(problem) = Attribute::parse(&lower) {
            let fault = self.fault(format!("`{name}` {problem}"));
            self.checks.push(fault);
        }
        self.advance();
        Ok(Attribute::defined(&lower).unwrap_or_else(|| Attribute::Extension(lower.into())))
    }

    fn call(&mut self, name: &str) -> Result<Node, Fault> {
        if name.starts_with('_') || name.bytes().any(|letter| letter.is_ascii_digit()) {
            return Err(self.fault(format!("`{name}` is no function: their names have letters and `_` only")));
        }
        self.term()?;
        let place = self.at;
        self.advance();
        let arguments = self.nested(Self::list)?.into_boxed_slice();
        let known = Function::named(name);
        if let Some(function) = known.filter(|function| function.takes(arguments.len())) {
            return Ok(Node::Call(function, arguments));
        }
        let message = match (known, spelling::nearest(name, &function::NAMES)) {
            (Some(function), _) => {
                format!("does not take {} arguments: write {}", arguments.len(), function.usage())
            }
            (None, Some(near)) => format!("is no function: did you mean `{}`?", near.to_ascii_uppercase()),
            (None, None) => format!("is no function: there are {}", function::NAMES.join(", ").to_ascii_uppercase()),
        };
        let Lexed { start, end, .. } = self.tokens[place];
        self.checks.push(Fault::new(start, end - start, format!("`{name}` {message}")));
        Ok(Node::Unknown(name.to_ascii_uppercase().into(), arguments))
    }

    /// Reads expressions between parentheses, with commas between them.
    fn list(&mut self) -> Result<Vec<Node>, Fault> {
        self.advance();
        let mut nodes = Vec::new();
        if *self.peek() == Token::Symbol(")") {
            self.advance();
            return Ok(nodes);
        }
        loop {
            nodes.push(self.expression(0)?);
            match self.peek() {
                Token::Symbol(",") => self.advance(),
                Token::Symbol(")") => {
                    self.advance();
                    return Ok(nodes);
                }
                _ => return Err(self.unless_known("`,` or `)`, or an operator")),
            }
        }
    }

    /// Reads something one level deeper.
    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        if self.depth == Expression::DEPTH_MAX {
            let message = format!("is nested deeper than {} levels: make it flatter", Expression::DEPTH_MAX);
            return Err(self.fault(message));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    /// Counts a term, which is the word that is next.
    fn term(&mut self) -> Result<(), Fault> {
        if self.terms == Expression::TERMS_MAX {
            let message = format!("there are more than {} values here: use fewer", Expression::TERMS_MAX);
            return Err(self.fault(message));
        }
        self.terms += 1;
        Ok(())
    }

    fn peek(&self) -> &Token<'t> {
        self.peek_at(0)
    }

    /// Looks at the word after so many others, or at the end.
    fn peek_at(&self, distance: usize) -> &Token<'t> {
        self.tokens.get(self.at + distance).map_or(&Token::End, |lexed| &lexed.token)
    }

    fn is_keyword(&self, keyword: &str) -> bool {
        self.is_keyword_at(0, keyword)
    }

    fn is_keyword_at(&self, distance: usize, keyword: &str) -> bool {
        matches!(self.peek_at(distance), Token::Word(word) if word.eq_ignore_ascii_case(keyword))
    }

    fn advance(&mut self) {
        self.skip(1);
    }

    /// Goes over so many words, of which none is the end.
    fn skip(&mut self, tokens: usize) {
        self.at = (self.at + tokens).min(self.tokens.len() - 1);
    }

    /// Tells a fault of the word that is next.
    fn fault(&self, message: impl Into<String>) -> Fault {
        let Lexed { start, end, .. } = self.tokens[self.at];
        Fault::new(start, end - start, message)
    }

    /// Tells a fault of the word before that.
    fn before(&self, message: &str) -> Fault {
        let Lexed { start, end, .. } = self.tokens[self.at.saturating_sub(1)];
        Fault::new(start, end - start, message)
    }

    fn expected(&self, what: &str) -> Fault {
        self.fault(format!("expected {what}, and found {}", self.peek()))
    }

    /// Tells what was expected, or what to write instead of a word of another language.
    fn unless_known(&self, what: &str) -> Fault {
        match foreign(self.peek()) {
            Some(cure) => self.fault(format!("found {}: {cure}", self.peek())),
            None => self.expected(what),
        }
    }

    fn no_operator(&self) -> Fault {
        let expected = "an operator or the end";
        match self.peek() {
            Token::Word(word) if foreign(self.peek()).is_none() => match spelling::nearest(word, &AFTER) {
                Some(near) => {
                    let expected = self.expected(expected).message;
                    self.fault(format!("{expected}: did you mean {}?", near.to_ascii_uppercase()))
                }
                None => self.expected(expected),
            },
            Token::Text(_) => self
                .fault(format!("expected {expected}, and found a text: a quote inside a text is written \\' or \\\"")),
            _ => self.unless_known(expected),
        }
    }
}

/// Returns what to write instead of what other languages have.
fn foreign(token: &Token<'_>) -> Option<&'static str> {
    let word = match token {
        Token::Symbol(word) | Token::Word(word) => word.to_ascii_lowercase(),
        _ => return None,
    };
    match &*word {
        "==" => Some("equal is written `=`"),
        "&&" => Some("write AND"),
        "||" => Some("write OR; texts are joined with CONCAT"),
        "!" => Some("write NOT, and `!=` for not equal"),
        "^" => Some("write XOR"),
        "is" | "null" => Some("write EXISTS with the name of the attribute, or NOT EXISTS"),
        "between" => Some("write two comparisons with AND between them"),
        "ilike" => Some("write LOWER(…) LIKE with a pattern in lower case"),
        _ => None,
    }
}

fn is_one_of(words: &[&str], word: &str) -> bool {
    words.iter().any(|each| each.eq_ignore_ascii_case(word))
}
