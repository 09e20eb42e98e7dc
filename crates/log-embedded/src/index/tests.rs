//! Counting goes over what is in the store and what is in memory, and stops in time.

use super::*;
use crate::store::MemoryStore;

const LIST: ListName = [7; 17];

fn fill(index: &Index, positions: std::ops::RangeInclusive<u64>) {
    for number in positions {
        let mut id = [0; 16];
        id[8..].copy_from_slice(&number.to_le_bytes());
        let before = index.with_active(|active| active.add(id, None, LIST, Position::new(number)));
        assert_eq!(before, None);
    }
}

fn frozen(index: &Index, end: u64) -> Arc<Block> {
    index.freeze(Watermark { position: Position::new(end), segment: Position::new(1), offset: 0, chain: [0; 32] })
}

#[test]
fn long_lists_are_counted_over_store_and_memory() {
    let store = Arc::new(MemoryStore::default());
    let index = Index::new(store.clone(), Position::new(1));
    let in_store = 2 * COUNT_STEP as u64 + 100;
    fill(&index, 1..=in_store);
    store.add(&frozen(&index, in_store)).expect("added");
    index.thaw();
    fill(&index, in_store + 1..=in_store + 50);
    let waiting = frozen(&index, in_store + 50);
    fill(&index, in_store + 51..=in_store + 70);
    // While a block is added it is in the store and in memory.
    store.add(&waiting).expect("added");
    let end = in_store + 71;
    for (from, to) in [(0, end), (1, end), (5, COUNT_STEP as u64 + 5), (in_store, end), (in_store + 60, end), (9, 9)] {
        let range = Position::new(from)..Position::new(to);
        let expected = to - from.max(1);
        for most in [0, 1, COUNT_STEP as u64, expected, u64::MAX] {
            let counted = index.count(&LIST, &range, most).expect("counted");
            assert_eq!(counted, expected.min(most), "{range:?}, at most {most}");
        }
        assert_eq!(index.count(&[8; 17], &range, u64::MAX).expect("counted"), 0);
    }
}
