//! The lines in which two texts differ, as a unified diff.

use std::{fmt::Write, ops::Range};

/// How many equal lines are shown around a difference.
const AROUND: usize = 3;
/// The most pairs of lines that are compared: beyond, the differing part is shown as replaced.
const PAIRS_MAX: usize = 4 * 1024 * 1024;

/// A line of both texts, of the first, or of the second, by its number there.
#[derive(Clone, Copy)]
enum Step {
    Same(usize, usize),
    Gone(usize, usize),
    New(usize, usize),
}

impl Step {
    const fn is_same(self) -> bool {
        matches!(self, Self::Same(..))
    }

    /// Returns the next line of each text there.
    const fn at(self) -> (usize, usize) {
        match self {
            Self::Same(before, after) | Self::Gone(before, after) | Self::New(before, after) => (before, after),
        }
    }
}

/// Returns the lines of the diff; none where the texts are the same.
pub(super) fn unified(before: &str, after: &str) -> Vec<String> {
    let (before, after): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let steps = steps(&before, &after);
    let mut lines = Vec::new();
    for hunk in hunks(&steps) {
        let part = steps.get(hunk).unwrap_or_default();
        let (first_before, first_after) = part.first().map_or((0, 0), |step| step.at());
        let count = |left_out: fn(&Step) -> bool| part.iter().filter(|step| !left_out(step)).count();
        let (gone, new) = (count(|step| matches!(step, Step::New(..))), count(|step| matches!(step, Step::Gone(..))));
        let mut head = String::from("@@ ");
        // Writing to a String cannot fail.
        let _ = write!(head, "-{},{gone} +{},{new} @@", first_before + 1, first_after + 1);
        lines.push(head);
        let line = |sign: char, text: Option<&&str>| format!("{sign}{}", text.copied().unwrap_or_default());
        lines.extend(part.iter().map(|step| match *step {
            Step::Same(number, _) => line(' ', before.get(number)),
            Step::Gone(number, _) => line('-', before.get(number)),
            Step::New(_, number) => line('+', after.get(number)),
        }));
    }
    lines
}

/// Finds the way from one text to the other with the fewest lines gone and new.
fn steps(before: &[&str], after: &[&str]) -> Vec<Step> {
    let front = before.iter().zip(after).take_while(|(one, other)| one == other).count();
    let (old, new) = (&before[front..], &after[front..]);
    let back = old.iter().rev().zip(new.iter().rev()).take_while(|(one, other)| one == other).count();
    let (old, new) = (&old[..old.len() - back], &new[..new.len() - back]);
    let mut steps: Vec<Step> = (0..front).map(|number| Step::Same(number, number)).collect();
    let (mut at_old, mut at_new) = (0, 0);
    let common = common(old, new);
    let rest =
        |at_old: usize, at_new: usize| common.as_ref().map_or(0, |table| table[at_old * (new.len() + 1) + at_new]);
    while at_old < old.len() || at_new < new.len() {
        let (number_before, number_after) = (front + at_old, front + at_new);
        if common.is_some() && at_old < old.len() && at_new < new.len() && old[at_old] == new[at_new] {
            steps.push(Step::Same(number_before, number_after));
            (at_old, at_new) = (at_old + 1, at_new + 1);
        } else if at_old < old.len() && (at_new == new.len() || rest(at_old + 1, at_new) >= rest(at_old, at_new + 1)) {
            steps.push(Step::Gone(number_before, number_after));
            at_old += 1;
        } else {
            steps.push(Step::New(number_before, number_after));
            at_new += 1;
        }
    }
    let (from_before, from_after) = (front + old.len(), front + new.len());
    steps.extend((0..back).map(|number| Step::Same(from_before + number, from_after + number)));
    steps
}

/// Counts the lines that the rests of both have in common, from each pair of lines on; `None` where there are too many pairs.
fn common(old: &[&str], new: &[&str]) -> Option<Vec<u32>> {
    let width = new.len() + 1;
    let pairs = (old.len() + 1).checked_mul(width).filter(|pairs| *pairs <= PAIRS_MAX)?;
    let mut table = vec![0_u32; pairs];
    for at_old in (0..old.len()).rev() {
        for at_new in (0..new.len()).rev() {
            let place = at_old * width + at_new;
            table[place] = if old[at_old] == new[at_new] {
                table[place + width + 1] + 1
            } else {
                table[place + width].max(table[place + 1])
            };
        }
    }
    Some(table)
}

/// Cuts the steps into parts with differences and the lines around them.
fn hunks(steps: &[Step]) -> Vec<Range<usize>> {
    let mut hunks: Vec<Range<usize>> = Vec::new();
    for at in (0..steps.len()).filter(|at| !steps[*at].is_same()) {
        let (from, to) = (at.saturating_sub(AROUND), (at + AROUND + 1).min(steps.len()));
        match hunks.last_mut() {
            Some(last) if from <= last.end => last.end = to,
            _ => hunks.push(from..to),
        }
    }
    hunks
}

#[cfg(test)]
mod tests {
    use super::unified;

    fn check(before: &str, after: &str, expected: &[&str]) {
        let lines = |text: &str| text.split_whitespace().collect::<Vec<_>>().join("\n");
        assert_eq!(unified(&lines(before), &lines(after)), expected, "{before} / {after}");
    }

    #[test]
    fn differences_stand_among_equal_lines() {
        check("a b c", "a b c", &[]);
        check("a b c", "a x c", &["@@ -1,3 +1,3 @@", " a", "-b", "+x", " c"]);
        check("a", "a b", &["@@ -1,1 +1,2 @@", " a", "+b"]);
        check("a b", "b", &["@@ -1,2 +1,1 @@", "-a", " b"]);
        check("1 2 3 4 5 a 6", "1 2 3 4 5 6", &["@@ -3,5 +3,4 @@", " 3", " 4", " 5", "-a", " 6"]);
        let apart = ["@@ -1,4 +1,4 @@", "-a", "+x", " 1", " 2", " 3", "@@ -6,4 +6,4 @@", " 5", " 6", " 7", "-b", "+y"];
        check("a 1 2 3 4 5 6 7 b", "x 1 2 3 4 5 6 7 y", &apart);
        check("a b c d", "b d e", &["@@ -1,4 +1,3 @@", "-a", " b", "-c", " d", "+e"]);
    }

    #[test]
    fn what_is_too_long_is_shown_as_replaced() {
        let text = |letter: &str| (0..3_000).map(|number| format!("{letter}{number}\n")).collect::<String>();
        let lines = unified(&text("a"), &text("b"));
        assert_eq!((lines.len(), lines[1].as_str(), lines[3_001].as_str()), (6_001, "-a0", "+b0"));
    }
}
