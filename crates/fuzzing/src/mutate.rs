//! Changes of inputs: small ones, joined parts of two, pieces from a dictionary. One seed gives one sequence.

use rand::{Rng, SeedableRng, rngs::SmallRng};

use crate::corpus::Seed;

/// No changed input is longer in bytes: most mistakes need little, and speed finds them.
const INPUT_BYTES_MAX: usize = 4096;
/// The most changes of one input.
const CHANGES_MAX: usize = 8;
/// Bytes at which readers decide something.
const TELLING: &[u8] = b"\0\x01\x7f\x80\xff \t\r\n\"\\/{}[](),:;=%+-*#?.0199aAzZ";

/// Makes inputs out of seeds.
#[derive(Debug)]
pub struct Mutator<'a> {
    seeds: &'a [Seed],
    dictionary: &'a [&'a [u8]],
    random: SmallRng,
}

impl<'a> Mutator<'a> {
    /// Begins a sequence.
    #[must_use]
    pub fn new(seeds: &'a [Seed], dictionary: &'a [&'a [u8]], seed: u64) -> Self {
        Self { seeds, dictionary, random: SmallRng::seed_from_u64(seed) }
    }

    /// Makes the next input.
    pub fn input(&mut self) -> Vec<u8> {
        let mut data = self.seed().to_vec();
        for _ in 0..self.random.random_range(1..=CHANGES_MAX) {
            self.change(&mut data);
        }
        data.truncate(INPUT_BYTES_MAX);
        data
    }

    fn seed(&mut self) -> &'a [u8] {
        if self.seeds.is_empty() {
            return &[];
        }
        &self.seeds[self.random.random_range(0..self.seeds.len())].data
    }

    fn change(&mut self, data: &mut Vec<u8>) {
        let at = self.random.random_range(0..=data.len());
        match self.random.random_range(0..10) {
            0 => data.truncate(at),
            1 => {
                let end = self.end(data, at);
                data.drain(at..end);
            }
            2 => {
                let end = self.end(data, at);
                let part = data[at..end].to_vec();
                self.put(data, &part);
            }
            3 | 4 if !self.dictionary.is_empty() => {
                let piece = self.dictionary[self.random.random_range(0..self.dictionary.len())];
                self.put(data, piece);
            }
            5 => {
                // The beginning of this and the end of another.
                let other = self.seed();
                data.truncate(at);
                data.extend_from_slice(&other[self.random.random_range(0..=other.len())..]);
            }
            6 => {
                let byte = self.telling();
                let length = self.random.random_range(1..=64);
                self.put(data, &vec![byte; length]);
            }
            7 => {
                let byte = self.telling();
                data.insert(at, byte);
            }
            8 if at < data.len() => data[at] = self.telling(),
            _ if at < data.len() => data[at] ^= 1u8 << self.random.random_range(0..8u32),
            _ => data.push(self.random.random()),
        }
    }

    /// Chooses the end of a part that begins at a place: mostly a short one.
    fn end(&mut self, data: &[u8], at: usize) -> usize {
        let rest = data.len() - at;
        let length_max = if self.random.random_range(0..4) == 0 { rest } else { rest.min(16) };
        at + self.random.random_range(0..=length_max)
    }

    /// Puts a piece in somewhere, or over what stands there.
    fn put(&mut self, data: &mut Vec<u8>, piece: &[u8]) {
        let at = self.random.random_range(0..=data.len());
        let end = if self.random.random_range(0..3) == 0 { (at + piece.len()).min(data.len()) } else { at };
        drop(data.splice(at..end, piece.iter().copied()));
    }

    fn telling(&mut self) -> u8 {
        TELLING[self.random.random_range(0..TELLING.len())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_one_sequence_of_bounded_inputs() {
        let seeds = [Seed { name: "a".into(), data: vec![b'a'; 8 * INPUT_BYTES_MAX] }];
        let sequence = |seed: u64, seeds: &[Seed]| {
            let dictionary = [&b"piece"[..]];
            let mut mutator = Mutator::new(seeds, &dictionary, seed);
            (0..500).map(|_| mutator.input()).collect::<Vec<_>>()
        };
        assert_eq!(sequence(1, &seeds), sequence(1, &seeds));
        assert_ne!(sequence(1, &seeds), sequence(2, &seeds));
        assert!(sequence(3, &seeds).iter().all(|input| input.len() <= INPUT_BYTES_MAX));
        assert!(sequence(4, &[]).iter().any(|input| input.windows(5).any(|window| window == b"piece")));
    }
}
