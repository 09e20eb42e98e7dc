//! Where one is in a filter, as a JSON pointer (RFC 6901).

/// One part of a pointer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step<'a> {
    /// The member of an object with this name.
    Member(&'a str),
    /// The item of an array at this place.
    Item(usize),
}

/// A pointer that goes down and up again.
#[derive(Debug, Default)]
pub(crate) struct Pointer {
    text: String,
}

impl Pointer {
    pub(crate) fn enter(&mut self, step: Step<'_>) {
        self.text.push('/');
        match step {
            Step::Item(index) => self.text.push_str(&index.to_string()),
            Step::Member(name) => name.chars().for_each(|letter| match letter {
                '~' => self.text.push_str("~0"),
                '/' => self.text.push_str("~1"),
                other => self.text.push(other),
            }),
        }
    }

    /// Goes back to where it was before the last step.
    pub(crate) fn leave(&mut self) {
        // Slashes within names are escaped: the last one is that of the last step.
        self.text.truncate(self.text.rfind('/').unwrap_or(0));
    }

    pub(crate) fn text(&self) -> String {
        self.text.clone()
    }
}
