//! The static segments at one place of the tree, found by what they mean: percent-decoded.

use std::sync::Arc;

use crate::decoded;

/// Static segments at one place, sorted by what they mean and then by how they are written.
#[derive(Clone, Debug, Default)]
pub(super) struct Statics(Vec<Static>);

#[derive(Clone, Debug)]
struct Static {
    /// Percent-decoded: what a segment of a path is compared with.
    meaning: Arc<str>,
    /// As it stands in its routes.
    text: Arc<str>,
    node: usize,
}

impl Statics {
    /// Returns the segments that mean this, which are more than one only where an older version allowed it.
    fn meaning(&self, meaning: &str) -> &[Static] {
        let start = self.0.partition_point(|each| *each.meaning < *meaning);
        let same = self.0[start..].iter().take_while(|each| *each.meaning == *meaning).count();
        &self.0[start..start + same]
    }

    /// Finds the node of a segment of a path. Only one with an escape is copied for it.
    pub(super) fn find(&self, segment: &str) -> Option<usize> {
        let same = self.meaning(&decoded(segment));
        let exact = same.iter().find(|each| *each.text == *segment);
        exact.or(same.first()).map(|each| each.node)
    }

    /// Finds the node of a segment of a route.
    pub(super) fn exact(&self, text: &str) -> Option<usize> {
        self.meaning(&decoded(text)).iter().find(|each| *each.text == *text).map(|each| each.node)
    }

    /// Returns how a segment of a route is written where it is there already: as it is itself, where that is so.
    pub(super) fn spelling(&self, text: &str) -> Option<&str> {
        let same = self.meaning(&decoded(text));
        let exact = same.iter().find(|each| *each.text == *text);
        exact.or(same.first()).map(|each| &*each.text)
    }

    pub(super) fn add(&mut self, text: &str, node: usize) {
        let meaning = decoded(text);
        let place = self.0.partition_point(|each| (&*each.meaning, &*each.text) < (&*meaning, text));
        let text: Arc<str> = text.into();
        let meaning = if *meaning == *text { Arc::clone(&text) } else { meaning.into() };
        self.0.insert(place, Static { meaning, text, node });
    }

    /// Takes a node out, and tells whether it was the last.
    pub(super) fn cut(&mut self, node: usize) -> bool {
        self.0.retain(|each| each.node != node);
        self.0.is_empty()
    }
}
