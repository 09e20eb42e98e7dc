//! The members of data that filters ask for.

use std::sync::Arc;

use imbl::OrdMap;

/// Paths of names, each with the number of times that it is asked for. Cheap to clone; a change costs what it changes,
/// however many others there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Members {
    root: Branch,
}

/// What is asked for at one path and below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Branch {
    /// How many ask for what stands here.
    asked: usize,
    /// None of them is empty.
    below: OrdMap<Arc<str>, Branch>,
}

impl Members {
    /// Asks once for what stands at a path; at the empty one that is the whole.
    pub(crate) fn add(&mut self, path: &[Box<str>]) {
        let branch = path.iter().fold(&mut self.root, |branch, name| branch.made(Arc::from(&**name)));
        branch.asked += 1;
    }

    /// Asks once less for what stands at a path.
    #[cfg(test)]
    pub(crate) fn remove(&mut self, path: &[Box<str>]) {
        self.root.remove(path);
    }

    /// Asks for all that others ask for, beside what is asked for already.
    pub(crate) fn merge(&mut self, others: &Self) {
        if self.is_empty() {
            self.clone_from(others);
        } else {
            self.root.merge(&others.root);
        }
    }

    /// Takes back what was merged.
    pub(crate) fn unmerge(&mut self, others: &Self) {
        self.root.unmerge(&others.root);
    }

    /// Tells whether nothing is asked for.
    pub(crate) fn is_empty(&self) -> bool {
        self.root.is_empty()
    }

    pub(super) fn root(&self) -> &Branch {
        &self.root
    }
}

impl Branch {
    /// Returns what is asked for below a name.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        self.below.get(name)
    }

    fn is_empty(&self) -> bool {
        self.asked == 0 && self.below.is_empty()
    }

    fn made(&mut self, name: Arc<str>) -> &mut Self {
        self.below.entry(name).or_default()
    }

    #[cfg(test)]
    fn remove(&mut self, path: &[Box<str>]) {
        let Some((name, rest)) = path.split_first() else {
            self.asked = self.asked.saturating_sub(1);
            return;
        };
        let Some(branch) = self.below.get_mut(&**name) else { return };
        branch.remove(rest);
        if branch.is_empty() {
            self.below.remove(&**name);
        }
    }

    fn merge(&mut self, others: &Self) {
        self.asked += others.asked;
        for (name, other) in &others.below {
            self.made(Arc::clone(name)).merge(other);
        }
    }

    fn unmerge(&mut self, others: &Self) {
        self.asked = self.asked.saturating_sub(others.asked);
        for (name, other) in &others.below {
            let Some(branch) = self.below.get_mut(&**name) else { continue };
            branch.unmerge(other);
            if branch.is_empty() {
                self.below.remove(&**name);
            }
        }
    }
}
