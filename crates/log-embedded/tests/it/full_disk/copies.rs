//! What a start cuts off is kept: durably, beside earlier copies, and on a full disk too.

use super::*;

/// A log whose last group is torn. Returns the segment, where it is cut, and what is cut.
fn torn(disk: &SimDisk) -> (String, usize, Vec<u8>) {
    let name = disk.segments()[0].0.clone();
    let before = end_of(&disk.bytes(&name));
    let (_log, mut workers, _) = open(disk, &tiny_options()).expect("the log opens");
    write(&mut workers, event(&format!("torn-{}", disk.names().len()), "k")).expect("appended");
    let end = end_of(&disk.bytes(&name));
    disk.flip(&name, (end - 3) * 8);
    (name.clone(), before, disk.bytes(&name)[before..end].to_vec())
}

fn end_of(segment: &[u8]) -> usize {
    segment.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
}

fn with_two_events() -> SimDisk {
    let disk = SimDisk::default();
    let (_log, mut workers, _) = open(&disk, &tiny_options()).expect("the log opens");
    write(&mut workers, event("1", "k")).expect("appended");
    write(&mut workers, event("2", "k")).expect("appended");
    disk
}

#[test]
fn a_copy_does_not_replace_an_earlier_one() {
    let disk = with_two_events();
    for number in 1..4 {
        let (name, offset, remains) = torn(&disk);
        let (log, _, recovered) = open(&disk, &tiny_options()).expect("the log opens");
        assert_eq!(ids(&log), ["1", "2"]);
        let suffix = if number == 1 { String::new() } else { format!("-{number}") };
        let kept_in = recovered.cut.expect("cut").kept_in;
        assert_eq!(kept_in, format!("{name}.cut-{offset}{suffix}"));
        assert_eq!(disk.bytes(&kept_in), remains);
    }
    assert_eq!(disk.names().len(), 4, "the segment and three copies: {:?}", disk.names());
}

#[test]
fn a_full_disk_gives_back_what_is_reserved_for_the_copy() {
    let disk = with_two_events();
    let (_, _, remains) = torn(&disk);
    let used: u64 = disk.names().iter().map(|name| disk.bytes(name).len() as u64).sum();
    disk.limit_space(Some(used));
    let (log, _, recovered) = open(&disk, &tiny_options()).expect("the log opens on a full disk");
    assert_eq!(ids(&log), ["1", "2"]);
    assert_eq!(disk.bytes(&recovered.cut.expect("cut").kept_in), remains);
}

/// Wherever the power goes: what is cut is still in the segment, or in a copy.
#[test]
fn nothing_is_cut_before_its_copy_is_durable() {
    for operations in 0..16 {
        for seed in 0..20 {
            let disk = with_two_events();
            let (name, offset, remains) = torn(&disk);
            let disk = disk.copy();
            disk.cut_power_after(operations);
            let _ = open(&disk, &tiny_options()).map(|_| ());
            let after = disk.restart(seed);
            let in_place = after.bytes(&name).get(offset..offset + remains.len()) == Some(&remains[..]);
            let kept = after.names().iter().any(|copy| copy.contains(".cut-") && after.bytes(copy) == remains);
            assert!(in_place || kept, "after {operations} operations, seed {seed}: {:?}", after.names());
        }
    }
}
