//! Moves the members of an 8-bit pair to a margin, by few pixels and one level each.
//!
//! The margins of single changes are measured, and sums of up to three of them predict where an image lands. One level of one pixel is a
//! coarse step, but there are many steps to choose from, so some sum nearly always lands where it should.

use super::bisect::{Bracket, from_level, level};
use super::queries::{Queries, own_margin};
use brink_models::Result;
use brink_random::Stream;
use brink_verify::Oracle;

/// A member is placed if its margin exceeds the wanted one by at most this factor.
const SLACK: f32 = 1.25;
/// Single changes that are measured for a member in a round.
const CHANGES: usize = 48;
/// Sums of changes that are tried for a member in a round.
const TRIALS: usize = 8;
/// The largest number of rounds.
const ROUNDS: usize = 6;
/// The expected error of a predicted sum, as a share of the changes' sizes: larger changes interact more.
const INTERACTION: f32 = 0.02;

/// The margin to reach, and the rounds so far.
pub(crate) struct Dial {
    margin: f32,
    pub rounds: usize,
}

/// A pixel, and whether its level goes up or down.
#[derive(Clone, Copy)]
pub(crate) struct Change {
    pixel: usize,
    up: bool,
}

impl Change {
    /// `image` with this pixel changed by `levels` levels, the other way if they are negative.
    pub fn by(self, levels: i32, image: &[f32]) -> Vec<f32> {
        let mut image = image.to_vec();
        self.apply(levels, &mut image);
        image
    }

    fn apply(self, levels: i32, image: &mut [f32]) {
        let up = if self.up { levels } else { -levels };
        let pixel = &mut image[self.pixel];
        *pixel = from_level(level(*pixel).saturating_add_signed(up));
    }

    /// The same step the other way.
    pub fn reversed(self) -> Self {
        Self {
            up: !self.up,
            ..self
        }
    }

    /// Whether `levels` levels the other way keep the pixel in range, too.
    pub fn can_be_reversed(self, levels: u32, image: &[f32]) -> bool {
        let from = level(image[self.pixel]);
        let room = if self.up { from } else { 255 - from };
        room >= levels
    }
}

impl Dial {
    /// To a margin of `margin`, after `rounds` rounds.
    pub fn new(margin: f32, rounds: usize) -> Self {
        Self { margin, rounds }
    }

    fn is_placed(&self, margin: f32) -> bool {
        (self.margin..=self.margin * SLACK).contains(&margin)
    }

    /// Changes every member that is not placed. Returns whether all are, or the rounds are used up.
    pub fn round(
        &mut self,
        queries: &mut Queries<impl Oracle>,
        brackets: &mut [Bracket],
        stream: &Stream,
    ) -> Result<bool> {
        if self.rounds == ROUNDS {
            return Ok(true);
        }
        let ends = brackets.iter().flat_map(|bracket| &bracket.ends);
        let pixels: Vec<f32> = ends.flatten().copied().collect();
        let margins = queries.margins(&pixels, brackets)?;
        let stream = stream.split("dial").split(&self.rounds.to_string());
        let mut finished = true;
        for (pair, (bracket, margins)) in brackets.iter_mut().zip(margins).enumerate() {
            for side in [0, 1] {
                if self.is_placed(margins[side]) {
                    continue;
                }
                finished = false;
                let draw = &mut stream.split(&format!("{pair}/{side}"));
                let label = bracket.labels[side];
                let (end, margin) = (&bracket.ends[side], margins[side]);
                if let Some(better) = self.better(queries, end, label, margin, draw)? {
                    bracket.ends[side] = better;
                }
            }
        }
        self.rounds += 1;
        Ok(finished)
    }

    /// A change of `image` that brings its margin closer to the wanted one.
    fn better(
        &self,
        queries: &mut Queries<impl Oracle>,
        image: &[f32],
        label: u32,
        margin: f32,
        draw: &mut Stream,
    ) -> Result<Option<Vec<f32>>> {
        let changes = changes(image, CHANGES, 1, draw);
        let single: Vec<f32> = changes
            .iter()
            .flat_map(|&it| changed(image, &[it]))
            .collect();
        let outputs = queries.outputs(&single)?;
        let effects: Vec<f32> = outputs
            .iter()
            .map(|it| own_margin(it, label) - margin)
            .collect();
        let aim = self.margin * (1.0 + SLACK) / 2.0;
        let sums = sums(&changes, &effects, aim - margin);
        let tried: Vec<Vec<f32>> = sums
            .iter()
            .map(|sum| changed(image, &sum.iter().map(|&i| changes[i]).collect::<Vec<_>>()))
            .collect();
        let outputs = queries.outputs(&tried.concat())?;
        // A placed image is best, then the closest one.
        let distance = |margin: f32| (!self.is_placed(margin), (margin - aim).abs());
        let tried = tried.into_iter().zip(&outputs);
        let found = tried.map(|(image, outputs)| (distance(own_margin(outputs, label)), image));
        let best = found.min_by(|a, b| a.0.partial_cmp(&b.0).unwrap_or(std::cmp::Ordering::Equal));
        Ok(best
            .filter(|(found, _)| *found < distance(margin))
            .map(|(_, image)| image))
    }
}

/// `count` changes of different pixels, at random. By `levels` levels, at most 127, each keeps its pixel in range.
pub(crate) fn changes(image: &[f32], count: usize, levels: u32, draw: &mut Stream) -> Vec<Change> {
    let pixels = draw.choose(image.len(), count.min(image.len()));
    let change = |pixel: usize| {
        let from = level(image[pixel]);
        let up = if from < levels {
            true
        } else if from + levels > 255 {
            false
        } else {
            draw.uniform() < 0.5
        };
        Change { pixel, up }
    };
    pixels.into_iter().map(change).collect()
}

/// `image` with some changes by one level.
pub(crate) fn changed(image: &[f32], changes: &[Change]) -> Vec<f32> {
    let mut image = image.to_vec();
    for change in changes {
        change.apply(1, &mut image);
    }
    image
}

/// The sums whose effect is likely to be nearest to `wanted`, as positions in `changes`: of one to three changes, and of as many as it takes
/// to get there, the largest first.
fn sums(changes: &[Change], effects: &[f32], wanted: f32) -> Vec<Vec<usize>> {
    let n = changes.len();
    let mut best: Vec<(f32, Vec<usize>)> = Vec::new();
    let mut offer = |sum: &[usize]| {
        let effect: f32 = sum.iter().map(|&i| effects[i]).sum();
        let size: f32 = sum.iter().map(|&i| effects[i].abs()).sum();
        let cost = (effect - wanted).abs() + INTERACTION * size;
        if best.len() < TRIALS || best.last().is_some_and(|(worst, _)| cost < *worst) {
            let at = best.partition_point(|(other, _)| *other <= cost);
            best.insert(at, (cost, sum.to_vec()));
            best.truncate(TRIALS);
        }
    };
    for i in 0..n {
        offer(&[i]);
        for j in i + 1..n {
            offer(&[i, j]);
            for k in j + 1..n {
                offer(&[i, j, k]);
            }
        }
    }
    let toward = |i: &usize| effects[*i] * wanted.signum();
    let mut far: Vec<usize> = (0..n).filter(|i| toward(i) > 0.0).collect();
    far.sort_by(|a, b| toward(b).total_cmp(&toward(a)));
    let mut left = wanted.abs();
    far.retain(|i| {
        let needed = left > 0.0;
        left -= toward(i);
        needed
    });
    if far.len() > 3 {
        offer(&far);
    }
    best.into_iter().map(|(_, sum)| sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_ordered_by_their_distance_from_the_wanted_effect() {
        let changes: Vec<Change> = (0..4).map(|pixel| Change { pixel, up: true }).collect();
        let found = sums(&changes, &[0.5, -0.2, 0.01, 0.03], 0.31);
        assert_eq!(found[0], [0, 1, 2]);
        assert_eq!(found[1], [0, 1]);
        assert_eq!(found.len(), TRIALS);
    }

    #[test]
    fn a_far_margin_takes_more_changes() {
        let changes: Vec<Change> = (0..6).map(|pixel| Change { pixel, up: true }).collect();
        let found = sums(&changes, &[0.1, -0.2, 0.2, 0.3, 0.25, 0.15], 0.85);
        assert_eq!(found[0], [3, 4, 2, 5]);
    }

    #[test]
    fn changes_keep_pixels_in_range() {
        let image: Vec<f32> = [0, 255, 7].map(from_level).to_vec();
        let all = changes(&image, CHANGES, 1, &mut Stream::new(1));
        let changed = changed(&image, &all);
        let levels: Vec<u32> = changed.iter().map(|&x| level(x)).collect();
        assert_eq!(levels[..2], [1, 254]);
        assert!([6, 8].contains(&levels[2]));
    }

    #[test]
    fn changes_by_many_levels_keep_pixels_in_range() {
        let image: Vec<f32> = (0..256).map(from_level).collect();
        let all = changes(&image, 256, 127, &mut Stream::new(1));
        for change in &all {
            let changed = change.by(127, &image)[change.pixel];
            assert!(level(changed).abs_diff(change.pixel as u32) == 127 && changed <= 1.0);
        }
        // Those that may go either way do.
        let few = changes(&image, 256, 1, &mut Stream::new(1));
        let up = few.iter().filter(|change| change.up).count();
        assert!((80..176).contains(&up), "{up}");
    }
}
