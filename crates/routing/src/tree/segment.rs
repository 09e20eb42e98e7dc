//! What a route is written of.

/// One segment of a route, by its kind, with its name or text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Segment<'a> {
    Static(&'a str),
    Parameter(&'a str),
    Wildcard(&'a str),
}

impl<'a> Segment<'a> {
    fn of(text: &'a str) -> Self {
        match text.as_bytes().first() {
            Some(b':') => Self::Parameter(&text[1..]),
            Some(b'*') => Self::Wildcard(&text[1..]),
            _ => Self::Static(text),
        }
    }

    pub(super) fn name(self) -> Option<&'a str> {
        match self {
            Self::Static(_) => None,
            Self::Parameter(name) | Self::Wildcard(name) => Some(name),
        }
    }
}

/// The segments of a route; none where it does not begin with `/`.
pub(super) fn segments(route: &str) -> impl Iterator<Item = Segment<'_>> {
    route.strip_prefix('/').into_iter().flat_map(|rest| rest.split('/')).map(Segment::of)
}

/// Returns what to write instead of a route that no request would be taken by.
pub(super) fn unreachable(route: &str) -> Option<&'static str> {
    if route.contains(['?', '#']) {
        return Some("for it ends before ? and #: leave out the query, or write the characters as %3F and %23");
    }
    let segments = || segments(route);
    if segments().any(|segment| matches!(segment, Segment::Static("." | ".."))) {
        return Some("for clients resolve . and .. before they send: write what they mean");
    }
    segments().any(|segment| segment.name() == Some("")).then_some("name every parameter: write :name or *name")
}
