//! What is done with a batch before it reaches the writer: encoding and hashing, on the thread of the caller.

use weir_domain::{Key, Position, SpaceName};
use weir_log::{Append, LogError, record};

/// Identity of an event in its space: the first 16 bytes of a BLAKE3 hash over space, source and id.
pub(crate) type IdHash = [u8; 16];
/// Name of a list of positions: its kind and the first 16 bytes of a BLAKE3 hash over space and text.
pub(crate) type ListName = [u8; 17];

const KEY_LIST: u8 = 1;
const TYPE_LIST: u8 = 2;

/// A batch as the writer takes it.
pub(crate) struct Prepared {
    pub(crate) space: SpaceName,
    /// The records of all events, one behind the other.
    pub(crate) records: Vec<u8>,
    pub(crate) events: Vec<PreparedEvent>,
    pub(crate) condition: Option<PreparedCondition>,
}

/// What the index must know of one event.
#[derive(Clone, Copy)]
pub(crate) struct PreparedEvent {
    /// Where its record ends in the records of the batch.
    pub(crate) end: usize,
    pub(crate) id: IdHash,
    pub(crate) key: Option<ListName>,
    pub(crate) event_type: ListName,
}

/// A condition in terms of the index.
pub(crate) struct PreparedCondition {
    pub(crate) keys: Vec<ListName>,
    pub(crate) types: Vec<ListName>,
    pub(crate) after: Position,
}

impl Prepared {
    pub(crate) fn new(append: &Append, batch_bytes_max: usize) -> Result<Self, LogError> {
        let size: usize = append.events.iter().map(|new| new.event.size() + 64).sum();
        let mut records = Vec::with_capacity(size);
        let mut events = Vec::with_capacity(append.events.len());
        let mut types = TypeNames::default();
        for new in &append.events {
            record::encode(new, &mut records);
            events.push(PreparedEvent {
                end: records.len(),
                id: id_hash(&append.space, new.event.source(), new.event.id()),
                key: new.key.as_ref().map(|key| key_list(&append.space, key)),
                event_type: types.of(&append.space, new.event.event_type()),
            });
        }
        if records.len() > batch_bytes_max {
            return Err(LogError::TooLarge { bytes: records.len(), bytes_max: batch_bytes_max });
        }
        let condition = append.condition.as_ref().map(|condition| PreparedCondition {
            keys: condition.query.keys.iter().map(|key| key_list(&append.space, key)).collect(),
            types: condition.query.types.iter().map(|name| type_list(&append.space, name)).collect(),
            after: condition.after,
        });
        Ok(Self { space: append.space.clone(), records, events, condition })
    }
}

/// Remembers the last type: batches mostly carry one.
#[derive(Default)]
pub(crate) struct TypeNames {
    last: Option<(SpaceName, String, ListName)>,
}

impl TypeNames {
    pub(crate) fn of(&mut self, space: &SpaceName, event_type: &str) -> ListName {
        match &self.last {
            Some((last_space, last, name)) if last == event_type && last_space == space => *name,
            _ => {
                let name = type_list(space, event_type);
                self.last = Some((space.clone(), event_type.to_owned(), name));
                name
            }
        }
    }
}

pub(crate) fn id_hash(space: &SpaceName, source: &str, id: &str) -> IdHash {
    hash(&[space.as_str(), source, id])
}

pub(crate) fn key_list(space: &SpaceName, key: &Key) -> ListName {
    list(KEY_LIST, space, key.as_str())
}

pub(crate) fn type_list(space: &SpaceName, event_type: &str) -> ListName {
    list(TYPE_LIST, space, event_type)
}

fn list(kind: u8, space: &SpaceName, text: &str) -> ListName {
    let mut name = [kind; 17];
    name[1..].copy_from_slice(&hash(&[space.as_str(), text]));
    name
}

/// Every part but the last is closed by a zero byte, which none of them can contain, so that no two lists of parts
/// hash alike.
fn hash(parts: &[&str]) -> [u8; 16] {
    let length: usize = parts.iter().map(|part| part.len() + 1).sum();
    let mut out = [0; 16];
    let mut short = [0u8; 256];
    let digest = if length <= short.len() {
        // One call over one buffer is twice as fast as a hasher for such short inputs.
        let mut at = 0;
        for part in parts {
            short[at..at + part.len()].copy_from_slice(part.as_bytes());
            at += part.len() + 1;
        }
        blake3::hash(&short[..length])
    } else {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(part.as_bytes()).update(&[0]);
        }
        hasher.finalize()
    };
    out.copy_from_slice(&digest.as_bytes()[..16]);
    out
}

#[cfg(test)]
mod tests {
    use super::hash;

    #[test]
    fn the_short_way_and_the_long_way_agree() {
        let long = "x".repeat(300);
        for parts in [["a", "b", "c"], ["a", "bc", ""], ["", "", ""]] {
            let mut hasher = blake3::Hasher::new();
            parts.iter().for_each(|part| {
                hasher.update(part.as_bytes()).update(&[0]);
            });
            assert_eq!(hash(&parts), hasher.finalize().as_bytes()[..16]);
        }
        assert_ne!(hash(&[&long, "a"]), hash(&[&long, "b"]));
    }
}
