//! Damages files as disks, networks and people do, reproducibly from a fixed seed.
//!
//! For any bytes, a reader must return an error or a result of the right shape. It must not panic, or take too much memory or
//! time. Each crate that reads files has a test called `fuzz` that damages valid files and reads them:
//!
//! ```
//! for mut dice in fuzz::rounds(100) {
//!     let damaged = fuzz::damaged(b"P6 1 1 255 rgb", &mut dice);
//!     let _ = String::from_utf8_lossy(&damaged); // the reader
//! }
//! ```

use std::time::{Duration, Instant};

use brink_random::Stream;

/// The environment variable with the duration of each test, in seconds.
pub const SECONDS: &str = "BRINK_FUZZ_SECONDS";

/// A random stream for each round. There are `usual` rounds; or if [`SECONDS`] is set, as many as fit, and their number is
/// printed on standard error.
///
/// Round `n` is the same in every run, however long the run is.
pub fn rounds(usual: usize) -> impl Iterator<Item = Stream> {
    let seconds = std::env::var(SECONDS).ok();
    let seconds: Option<u64> = seconds.and_then(|seconds| seconds.parse().ok());
    let began = Instant::now();
    let goes_on = move |round: &usize| match seconds {
        None => *round < usual,
        Some(seconds) if began.elapsed() < Duration::from_secs(seconds) => true,
        Some(seconds) => {
            eprintln!("{round} rounds of damage in {seconds} s");
            false
        }
    };
    let root = Stream::new(19).split("fuzz");
    (0..)
        .take_while(goes_on)
        .map(move |round| root.split(&round.to_string()))
}

/// Extreme values for lengths, counts and offsets.
const NUMBERS: [u64; 8] = [
    0,
    1,
    0x7f,
    0xff,
    0x7fff_ffff,
    0xffff_ffff,
    i64::MAX as u64,
    u64::MAX,
];

/// A copy of `bytes` with one to four kinds of damage: flipped bits and bytes; lost, repeated or overwritten runs; an early end;
/// extreme numbers.
pub fn damaged(bytes: &[u8], dice: &mut Stream) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=dice.below(4) {
        if bytes.is_empty() {
            break;
        }
        damage(&mut bytes, dice);
    }
    bytes
}

/// Bytes with a meaning in common formats: ends of ranges, brackets, digits, and opcodes of Python's pickles.
const SPECIAL: &[u8] = b"\0\x01\x7f\x80\xff().}]tueRQbq019{[\",:-e\x85\x86\x8a\x8b\x94\x95";

fn damage(bytes: &mut Vec<u8>, dice: &mut Stream) {
    let at = dice.below(bytes.len());
    let rest = bytes.len() - at;
    let run = 1 + dice.below(rest.min(64));
    match dice.below(9) {
        0 => bytes[at] ^= 1 << dice.below(8),
        8 => bytes[at] = SPECIAL[dice.below(SPECIAL.len())],
        1 => bytes[at] = dice.next_u32() as u8,
        2 => bytes.truncate(at),
        3 => drop(bytes.drain(at..at + run)),
        4 => {
            let copy = bytes[at..at + run].to_vec();
            let to = dice.below(bytes.len());
            bytes.splice(to..to, copy);
        }
        5 => bytes[at..at + run].fill(dice.next_u32() as u8),
        order => {
            let number = NUMBERS[dice.below(NUMBERS.len())];
            let length = [1, 2, 4, 8][dice.below(4)].min(rest);
            let number = match order {
                6 => number.to_le_bytes()[..length].to_vec(),
                _ => number.to_be_bytes()[8 - length..].to_vec(),
            };
            bytes[at..at + length].copy_from_slice(&number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_is_the_same_in_every_run() {
        let run = || rounds(50).map(|mut dice| damaged(b"some bytes of a file", &mut dice));
        let first: Vec<_> = run().collect();
        // The environment may ask for more.
        let again: Vec<_> = run().take(first.len()).collect();
        assert_eq!(first[..again.len()], again);
        let whole = b"some bytes of a file";
        let changed = first.iter().filter(|bytes| *bytes != whole).count();
        assert!(
            changed * 10 > first.len() * 9,
            "{changed} of {}",
            first.len()
        );
    }

    #[test]
    fn nothing_has_no_damage() {
        assert_eq!(damaged(b"", &mut Stream::new(0)), b"");
    }
}
