//! Which version of a resource a change or a read is for.

use weir_domain::Position;

/// What must hold of the version of a resource: the headers `If-Match` and `If-None-Match` of HTTP (RFC 9110, section
/// 13.1). A version is the position of the last change of the resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Precondition {
    /// Where given, the resource must be there and be at one of these.
    pub matches: Option<Wanted>,
    /// Where given, the resource must not be there, or be at none of these.
    pub matches_none: Option<Wanted>,
}

/// Versions that are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Whichever there is.
    Any,
    /// One of these.
    OneOf(Vec<Position>),
}

/// Which part of a precondition does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmet {
    /// [`Precondition::matches`].
    Matches,
    /// [`Precondition::matches_none`].
    MatchesNone,
}

impl Precondition {
    /// Asks whether the precondition holds for a resource at this version; `None` where it is not there.
    ///
    /// # Errors
    /// The first part that does not hold, in the order of RFC 9110, section 13.2.2.
    pub fn check(&self, version: Option<Position>) -> Result<(), Unmet> {
        if self.matches.as_ref().is_some_and(|wanted| !wanted.includes(version)) {
            return Err(Unmet::Matches);
        }
        if self.matches_none.as_ref().is_some_and(|wanted| wanted.includes(version)) {
            return Err(Unmet::MatchesNone);
        }
        Ok(())
    }
}

impl Wanted {
    fn includes(&self, version: Option<Position>) -> bool {
        match (self, version) {
            (_, None) => false,
            (Self::Any, Some(_)) => true,
            (Self::OneOf(positions), Some(version)) => positions.contains(&version),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_parts_must_hold() {
        let of = |numbers: &[u64]| Some(Wanted::OneOf(numbers.iter().copied().map(Position::new).collect()));
        let check = |matches, matches_none, version: Option<u64>, expected: Result<(), Unmet>| {
            let condition = Precondition { matches, matches_none };
            assert_eq!(condition.check(version.map(Position::new)), expected, "{condition:?} {version:?}");
        };
        check(None, None, None, Ok(()));
        check(Some(Wanted::Any), None, Some(3), Ok(()));
        check(Some(Wanted::Any), None, None, Err(Unmet::Matches));
        check(of(&[1, 3]), None, Some(3), Ok(()));
        check(of(&[1, 3]), None, Some(2), Err(Unmet::Matches));
        check(of(&[]), None, Some(2), Err(Unmet::Matches));
        check(None, Some(Wanted::Any), None, Ok(()));
        check(None, Some(Wanted::Any), Some(3), Err(Unmet::MatchesNone));
        check(None, of(&[3]), Some(3), Err(Unmet::MatchesNone));
        check(None, of(&[3]), Some(4), Ok(()));
        check(of(&[1]), of(&[3]), Some(3), Err(Unmet::Matches));
        check(of(&[3]), of(&[3]), Some(3), Err(Unmet::MatchesNone));
    }
}
