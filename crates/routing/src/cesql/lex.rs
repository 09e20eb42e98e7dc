//! The words of an expression.

use std::fmt;

use winnow::{
    Parser,
    combinator::alt,
    error::EmptyError,
    stream::{LocatingSlice, Location as _, Stream as _},
    token::{any, one_of, take_while},
};

use super::fault::Fault;

type Input<'t> = LocatingSlice<&'t str>;

/// One word, and where it stands in the text.
#[derive(Debug)]
pub(super) struct Lexed<'t> {
    pub(super) token: Token<'t>,
    pub(super) start: usize,
    pub(super) end: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token<'t> {
    /// A name or a keyword: letters, digits and `_`.
    Word(&'t str),
    /// Digits only.
    Number(&'t str),
    /// What stands between quotes, and means.
    Text(String),
    /// An operator, a parenthesis or a comma.
    Symbol(&'t str),
    /// A text whose second quote is missing.
    Unclosed,
    /// The end of the text, always the last one.
    End,
}

/// Longer words are not repeated in faults.
const WORD_BYTES_SHOWN_MAX: usize = 64;

/// Two letters go before one. Those that are of other languages are read to say what to write instead.
const SYMBOLS: [&str; 20] =
    ["<>", "<=", ">=", "!=", "==", "&&", "||", "<", ">", "=", "(", ")", ",", "+", "-", "*", "/", "%", "!", "^"];

/// Divides a text into words.
pub(super) fn lex(text: &str) -> Result<Vec<Lexed<'_>>, Fault> {
    let mut input = LocatingSlice::new(text);
    let mut tokens = Vec::new();
    loop {
        let start = after_space(&mut input);
        if input.eof_offset() == 0 {
            tokens.push(Lexed { token: Token::End, start, end: start });
            return Ok(tokens);
        }
        match read(token.with_span(), &mut input) {
            Ok((Token::Unclosed, span)) => {
                let message = "a text begins here and does not end: close it with the same quote";
                return Err(Fault::new(span.start, span.len(), message));
            }
            Ok((token, span)) => tokens.push(Lexed { token, start: span.start, end: span.end }),
            Err(EmptyError) => return Err(strange(text, start)),
        }
    }
}

fn strange(text: &str, start: usize) -> Fault {
    let letter = text[start..].chars().next().unwrap_or_default();
    let cure = match letter {
        ';' => ": leave it out",
        '[' | '{' => ": sets and parts are in round parentheses",
        '‘' | '’' | '“' | '”' | '`' => ": put texts between ' or \"",
        _ => ": texts are between ' or \"",
    };
    Fault::new(start, letter.len_utf8(), format!("found `{}`, which means nothing here{cure}", letter.escape_debug()))
}

/// Goes to the next word, and returns where it is.
fn after_space(input: &mut Input<'_>) -> usize {
    let spaces = read(take_while(0.., |letter: char| matches!(letter, ' ' | '\t' | '\r' | '\n')), input);
    debug_assert!(spaces.is_ok(), "none at all is enough");
    input.current_token_start()
}

/// Lets a parser read, with the error type that all of them here have.
fn read<'t, O>(mut parser: impl Parser<Input<'t>, O, EmptyError>, input: &mut Input<'t>) -> Result<O, EmptyError> {
    parser.parse_next(input)
}

fn token<'t>(input: &mut Input<'t>) -> Result<Token<'t>, EmptyError> {
    alt((word, quoted, symbol)).parse_next(input)
}

fn symbol<'t>(input: &mut Input<'t>) -> Result<Token<'t>, EmptyError> {
    read(alt(SYMBOLS), input).map(Token::Symbol)
}

fn word<'t>(input: &mut Input<'t>) -> Result<Token<'t>, EmptyError> {
    let letters: &'t str =
        read(take_while(1.., |letter: char| letter.is_ascii_alphanumeric() || letter == '_'), input)?;
    let is_number = letters.bytes().all(|letter| letter.is_ascii_digit());
    Ok(if is_number { Token::Number(letters) } else { Token::Word(letters) })
}

/// A backslash takes the meaning of the quote away; in front of any other letter both stay, so that LIKE sees them.
fn quoted<'t>(input: &mut Input<'t>) -> Result<Token<'t>, EmptyError> {
    let quote: char = read(one_of(['\'', '"']), input)?;
    let mut text = String::new();
    loop {
        text.push_str(read(take_while(0.., |letter: char| letter != quote && letter != '\\'), input)?);
        match one(input) {
            Some('\\') => match one(input) {
                Some(letter) if letter == quote => text.push(letter),
                Some(letter) => text.extend(['\\', letter]),
                None => return Ok(Token::Unclosed),
            },
            Some(_) => return Ok(Token::Text(text)),
            None => return Ok(Token::Unclosed),
        }
    }
}

fn one(input: &mut Input<'_>) -> Option<char> {
    read(any, input).ok()
}

/// As it is named in a fault.
impl fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(text) | Self::Number(text) if text.len() > WORD_BYTES_SHOWN_MAX => {
                f.write_str("a very long word")
            }
            Self::Word(text) | Self::Number(text) | Self::Symbol(text) => write!(f, "`{text}`"),
            Self::Text(_) => f.write_str("a text"),
            Self::Unclosed => f.write_str("a text that does not end"),
            Self::End => f.write_str("the end"),
        }
    }
}
