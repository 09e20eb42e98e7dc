//! Tokens: who may do what. They are of the whole server, not of a space.
//!
//! A scope is written `ACTION[@SPACE[,SPACE…]][/TYPE[,TYPE…]]`: `emit@shop/order.*`, `read`, `config:write@shop,till`. All of
//! its characters may stand in the claim `scope` of a JWT (RFC 6749, section 3.3), so that both say the same thing.

use std::{fmt, sync::Arc};

use weir_domain::{SpaceName, Timestamp};

/// What a scope gives a right to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Reading the configuration.
    ReadConfig,
    /// Changing the configuration.
    WriteConfig,
    /// Emitting events and calling sync routes.
    Emit,
    /// Reading events.
    Read,
    /// All of these; in all spaces also the metrics and the tokens themselves.
    Admin,
}

impl Action {
    /// All actions, as scopes name them.
    pub const ALL: [Self; 5] = [Self::ReadConfig, Self::WriteConfig, Self::Emit, Self::Read, Self::Admin];

    /// Returns the word of a scope.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReadConfig => "config:read",
            Self::WriteConfig => "config:write",
            Self::Emit => "emit",
            Self::Read => "read",
            Self::Admin => "admin",
        }
    }

    /// Tells whether event types can narrow it.
    const fn is_about_events(self) -> bool {
        matches!(self, Self::Emit | Self::Read)
    }
}

/// Why a text is no scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// It is longer than a scope may be.
    #[error("a scope must not be longer than {max} bytes", max = Scope::BYTES_MAX)]
    TooLong,
    /// The action is none.
    #[error("a scope begins with config:read, config:write, emit, read or admin, not with {0:?}")]
    Action(String),
    /// A space has no name that it could have.
    #[error("a scope names spaces such as @shop or @shop,till, not {0:?}")]
    Space(String),
    /// A pattern of event types is none.
    #[error("a scope names event types such as /order.placed or /order.*, not {0:?}")]
    Type(String),
    /// Event types narrow an action that is not about events.
    #[error("only emit and read can be narrowed to event types")]
    NotAboutEvents,
}

/// A right: an action, where, and for emitting and reading the event types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    action: Action,
    /// None is all.
    spaces: Vec<SpaceName>,
    /// None is all.
    types: Vec<TypePattern>,
}

/// Event types: one, or with `*` at its end all that begin so.
#[derive(Clone, Debug, PartialEq, Eq)]
struct TypePattern {
    text: Box<str>,
    is_prefix: bool,
}

impl TypePattern {
    fn parse(text: &str) -> Option<Self> {
        let (name, is_prefix) = text.strip_suffix('*').map_or((text, false), |prefix| (prefix, true));
        // The characters of a scope (RFC 6749, section 3.3) but the one that separates patterns.
        let fits = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e) && byte != b'*' && byte != b',';
        let fits = (is_prefix || !name.is_empty()) && name.bytes().all(fits);
        fits.then(|| Self { text: name.into(), is_prefix })
    }

    fn covers(&self, event_type: &str) -> bool {
        if self.is_prefix { event_type.starts_with(&*self.text) } else { event_type == &*self.text }
    }
}

impl Scope {
    /// The longest scope in bytes.
    pub const BYTES_MAX: usize = 4 * 1024;

    /// Reads a scope.
    ///
    /// # Errors
    /// Where the text is none.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        if text.len() > Self::BYTES_MAX {
            return Err(ScopeError::TooLong);
        }
        let short = |text: &str| text.chars().take(128).collect::<String>();
        // No space has a slash in its name, an event type may have one.
        let (front, types) = text.split_once('/').map_or((text, None), |(front, types)| (front, Some(types)));
        let (word, spaces) = front.split_once('@').map_or((front, None), |(word, spaces)| (word, Some(spaces)));
        let action = Action::ALL.into_iter().find(|action| action.as_str() == word);
        let action = action.ok_or_else(|| ScopeError::Action(short(word)))?;
        if types.is_some() && !action.is_about_events() {
            return Err(ScopeError::NotAboutEvents);
        }
        let spaces = spaces.into_iter().flat_map(|names| names.split(','));
        let spaces = spaces.map(|name| SpaceName::new(name).map_err(|_| ScopeError::Space(short(name))));
        let types = types.into_iter().flat_map(|patterns| patterns.split(','));
        let types = types.map(|text| TypePattern::parse(text).ok_or_else(|| ScopeError::Type(short(text))));
        Ok(Self { action, spaces: spaces.collect::<Result<_, _>>()?, types: types.collect::<Result<_, _>>()? })
    }

    fn is_for(&self, action: Action, space: Option<&SpaceName>) -> bool {
        let is_there = self.spaces.is_empty() || space.is_some_and(|space| self.spaces.contains(space));
        is_there && (self.action == action || self.action == Action::Admin)
    }

    fn covers_type(&self, event_type: &str) -> bool {
        self.types.is_empty() || self.types.iter().any(|pattern| pattern.covers(event_type))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.action.as_str())?;
        for (index, space) in self.spaces.iter().enumerate() {
            write!(f, "{}{space}", if index == 0 { '@' } else { ',' })?;
        }
        for (index, TypePattern { text, is_prefix }) in self.types.iter().enumerate() {
            let end = if *is_prefix { "*" } else { "" };
            write!(f, "{}{text}{end}", if index == 0 { '/' } else { ',' })?;
        }
        Ok(())
    }
}

/// What somebody may do: the sum of several scopes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(Vec<Scope>);

impl Scopes {
    /// Returns the scopes, one by one.
    pub fn iter(&self) -> impl Iterator<Item = &Scope> {
        self.0.iter()
    }

    /// Tells whether there are none: then nothing is allowed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Tells whether an action is allowed in a space, where event types narrow it for some of them at least; without a
    /// space, whether it is in all.
    #[must_use]
    pub fn allow(&self, action: Action, space: Option<&SpaceName>) -> bool {
        self.0.iter().any(|scope| scope.is_for(action, space))
    }

    /// Tells whether an action is allowed in a space for one event type.
    #[must_use]
    pub fn allow_type(&self, action: Action, space: &SpaceName, event_type: &str) -> bool {
        self.0.iter().any(|scope| scope.is_for(action, Some(space)) && scope.covers_type(event_type))
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().collect())
    }
}

/// The public name of a token.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId(Arc<str>);

impl TokenId {
    /// The longest identifier in bytes.
    pub const BYTES_MAX: usize = 64;

    /// Takes the text of an identifier: small letters, digits and hyphens. `None` where it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=Self::BYTES_MAX).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        fits.then(|| Self(text.into()))
    }

    /// Returns the text of the identifier.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A token, without what makes it one: its secret is known to its owner alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its public name.
    pub id: TokenId,
    /// SHA-256 of the whole token as text.
    pub hash: [u8; 32],
    /// What it is for, for people.
    pub description: Option<String>,
    /// What it gives a right to.
    pub scopes: Scopes,
    /// From when on it is worth nothing.
    pub expires: Option<Timestamp>,
}

impl Token {
    /// Tells whether it is worth nothing any more.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| now >= expires)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_and_written() {
        for text in [
            "admin",
            "admin@shop",
            "config:read",
            "config:write@shop,till",
            "emit",
            "emit@shop/order.*",
            "read/order.placed,*",
            "read@shop/a/b@c",
        ] {
            assert_eq!(Scope::parse(text).map(|scope| scope.to_string()).as_deref(), Ok(text));
        }
        let check = |text: &str, expected: ScopeError| assert_eq!(Scope::parse(text), Err(expected), "{text}");
        check("", ScopeError::Action("".into()));
        check("Emit", ScopeError::Action("Emit".into()));
        check("emit ", ScopeError::Action("emit ".into()));
        check("emit:shop", ScopeError::Action("emit:shop".into()));
        check("emit@", ScopeError::Space("".into()));
        check("emit@shop,", ScopeError::Space("".into()));
        check("emit@*", ScopeError::Space("*".into()));
        check("emit/", ScopeError::Type("".into()));
        check("emit/a*b", ScopeError::Type("a*b".into()));
        check("emit/**", ScopeError::Type("**".into()));
        check("emit/a b", ScopeError::Type("a b".into()));
        check("admin/a", ScopeError::NotAboutEvents);
        check(&format!("emit/{}", "a".repeat(Scope::BYTES_MAX)), ScopeError::TooLong);
    }

    #[test]
    fn rights_are_those_of_the_scopes_and_no_others() {
        let space = |name: &str| SpaceName::new(name).expect("valid");
        let scopes = |texts: &[&str]| texts.iter().map(|text| Scope::parse(text).expect("valid")).collect::<Scopes>();
        let (shop, till) = (space("shop"), space("till"));
        for action in Action::ALL {
            assert!(!scopes(&[]).allow(action, Some(&shop)));
            assert!(scopes(&["admin"]).allow(action, None));
            let here = scopes(&["admin@shop"]);
            assert!(here.allow(action, Some(&shop)) && !here.allow(action, Some(&till)) && !here.allow(action, None));
            for other in Action::ALL {
                let granted = scopes(&[other.as_str()]).allow(action, Some(&shop));
                assert_eq!(granted, other == action || other == Action::Admin, "{other:?} for {action:?}");
            }
        }
        let narrow = scopes(&["emit@shop/order.*,paid", "emit@till", "read/order.placed"]);
        let emits = |space: &SpaceName, event_type: &str| narrow.allow_type(Action::Emit, space, event_type);
        assert!(emits(&shop, "order.") && emits(&shop, "order.placed") && emits(&shop, "paid"));
        assert!(!emits(&shop, "order") && !emits(&shop, "paid.twice") && !emits(&shop, ""));
        assert!(emits(&till, "anything") && !emits(&space("other"), "order.placed"));
        assert!(narrow.allow_type(Action::Read, &till, "order.placed"));
        assert!(!narrow.allow_type(Action::Read, &till, "order.paid"));
        assert!(narrow.allow(Action::Read, None) && !narrow.allow(Action::Emit, None));
    }
}
