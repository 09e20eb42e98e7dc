//! The HTTP methods (RFC 9110) that a subscription can name, and sets of them for the header `Allow`.

use std::fmt;

/// A method of a subscription.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// `GET`
    Get,
    /// `POST`, which holds where a subscription names none.
    #[default]
    Post,
    /// `DELETE`
    Delete,
    /// `PUT`
    Put,
    /// `PATCH`
    Patch,
    /// `HEAD`
    Head,
    /// `OPTIONS`
    Options,
}

impl Method {
    /// How many methods there are.
    pub const COUNT: usize = 7;

    /// All methods.
    pub const ALL: [Self; Self::COUNT] =
        [Self::Get, Self::Post, Self::Delete, Self::Put, Self::Patch, Self::Head, Self::Options];

    /// Returns the method as it stands in a request line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Delete => "DELETE",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
        }
    }

    /// Finds a method by its text; methods are case-sensitive.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == text)
    }

    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of methods; its `Display` is the value of the header `Allow`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct MethodSet(u8);

impl MethodSet {
    /// The empty set.
    pub const EMPTY: Self = Self(0);

    /// Returns the set with one method more.
    #[must_use]
    pub const fn with(self, method: Method) -> Self {
        Self(self.0 | (1u8 << method.index()))
    }

    /// Tells whether a method is in the set.
    #[must_use]
    pub const fn contains(self, method: Method) -> bool {
        self.0 & (1u8 << method.index()) != 0
    }

    /// Tells whether no method is in the set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns the methods of the set.
    pub fn iter(self) -> impl Iterator<Item = Method> {
        Method::ALL.into_iter().filter(move |method| self.contains(*method))
    }
}

impl FromIterator<Method> for MethodSet {
    fn from_iter<I: IntoIterator<Item = Method>>(methods: I) -> Self {
        methods.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl fmt::Display for MethodSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, method) in self.iter().enumerate() {
            if place > 0 {
                f.write_str(", ")?;
            }
            f.write_str(method.as_str())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Method, MethodSet};

    #[test]
    fn methods_are_found_by_their_exact_text() {
        for method in Method::ALL {
            assert_eq!(Method::parse(method.as_str()), Some(method));
        }
        assert_eq!(Method::parse("get"), None);
        assert_eq!(Method::parse("TRACE"), None);
    }

    #[test]
    fn a_set_prints_as_the_header_allow() {
        let set: MethodSet = [Method::Put, Method::Get].into_iter().collect();
        assert_eq!(set.to_string(), "GET, PUT");
        assert!(set.contains(Method::Put) && !set.contains(Method::Post) && !set.is_empty());
        assert_eq!(MethodSet::EMPTY.to_string(), "");
    }
}
