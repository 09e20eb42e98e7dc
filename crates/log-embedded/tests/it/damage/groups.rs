//! The frames of a group say nothing of each other, but one of a later group, or the seal, proves all of them: a repair
//! gives up the damaged one alone.

use super::*;

/// A group of 40 frames: two spaces that alternate share none.
fn group() -> Vec<Append> {
    let other = SpaceName::new("other").expect("valid");
    (0..40)
        .map(|number| {
            let space = if number % 2 == 0 { SpaceName::default() } else { other.clone() };
            Append::new(space, vec![event(&format!("of-the-group-{number}"), "k")])
        })
        .collect()
}

/// A log with one event, the group, and perhaps one more event behind it. One large segment.
fn log_with_group(one_more: bool, clean: bool) -> (SimDisk, Arc<dyn IndexStore>) {
    let (disk, store) = (SimDisk::default(), new_store());
    let options = Options { segment_bytes: 1 << 20, index_block_events: 1000, ..tiny_options() };
    let (_log, mut workers) = open_with(&disk, &store, options).expect("the log opens");
    write(&mut workers, append(vec![event("first", "k")]));
    for outcome in workers.writer.step(&group()).expect("small") {
        outcome.expect("appended");
    }
    if one_more {
        write(&mut workers, append(vec![event("last", "k")]));
    }
    if clean {
        close(workers);
    }
    (disk.copy(), store)
}

#[test]
fn a_repair_gives_up_only_the_damaged_frame_of_a_group() {
    for (one_more, clean) in [(true, false), (true, true), (false, true)] {
        for damaged in [1, 20] {
            let (disk, store) = log_with_group(one_more, clean);
            let name = disk.segments()[0].0.clone();
            let frames = frames::of(&disk.bytes(&name));
            disk.flip(&name, (frames[damaged].offset + 100) * 8);
            let sealed = if clean { frames.len() as u64 } else { 0 };
            let found = verify(&disk, sealed);
            let lost: Vec<_> = found.damage.iter().filter_map(|damage| damage.lost).collect();
            assert_eq!(lost, [frames[damaged].positions()], "one more {one_more}, clean {clean}");
            assert_eq!(found.events, frames.len() as u64 - 1);
            repair(&disk, &store, true).expect("repaired");
            let again = verify(&disk, sealed);
            assert_eq!((again.damage, again.events), (Vec::new(), frames.len() as u64 - 1));
        }
    }
}

/// Without such a proof it was never acknowledged as far as the log can tell: the start cuts it, and keeps all of it.
#[test]
fn a_group_that_nothing_proves_is_cut_as_a_whole() {
    let (disk, store) = log_with_group(false, false);
    let name = disk.segments()[0].0.clone();
    let frames = frames::of(&disk.bytes(&name));
    disk.flip(&name, (frames[1].offset + 100) * 8);
    let end = frames[frames.len() - 1].until();
    let remains = disk.bytes(&name)[frames[1].offset..end].to_vec();
    assert_eq!(verify(&disk, 0).damage, Vec::new());
    let (log, _workers) = open(&disk, &store).expect("the log opens");
    assert_eq!(ids(&log), ["first"]);
    assert_eq!(disk.bytes(&format!("{name}.cut-{}", frames[1].offset)), remains);
}

/// Two gaps side by side: the frame behind a gap keeps its chain value, be it a gap itself.
#[test]
fn what_stands_before_a_gap_can_be_given_up_later() {
    let (disk, store) = log_with_group(true, true);
    let name = disk.segments()[0].0.clone();
    let frames = frames::of(&disk.bytes(&name));
    for (damaged, lost) in [(20, 1), (19, 2), (21, 3)] {
        disk.flip(&name, (frames[damaged].offset + 100) * 8);
        repair(&disk, &store, true).expect("repaired");
        let found = verify(&disk, frames.len() as u64);
        assert_eq!((found.damage, found.events), (Vec::new(), frames.len() as u64 - lost));
        open(&disk, &store).map(|_| ()).expect("the log opens");
    }
}
