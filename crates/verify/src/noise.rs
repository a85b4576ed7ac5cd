//! How far another execution of the same weights moves margins.

use serde::{Deserialize, Serialize};

/// Changes of the margins of a set's images, under another execution of the untouched model. A margin is the output of the reference label
/// minus the largest other output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Noise {
    /// Images.
    pub images: u64,
    /// The root of the mean square of the changes.
    pub rms: f64,
    /// The median of their sizes.
    pub median: f64,
    /// The largest of their sizes.
    pub largest: f64,
    /// The smallest margin of the untouched model.
    pub closest: f64,
}

impl Noise {
    /// The noise that changes the margins `before` by `moves`, one per image.
    ///
    /// # Panics
    /// If there are no images, or the numbers of margins differ.
    pub fn of(before: &[f32], moves: &[f32]) -> Self {
        assert_eq!(before.len(), moves.len(), "one change per margin");
        let sizes = sizes(moves);
        let n = sizes.len();
        let squares = sizes.iter().map(|size| size * size).sum::<f64>();
        Self {
            images: n as u64,
            rms: (squares / n as f64).sqrt(),
            median: f64::midpoint(sizes[(n - 1) / 2], sizes[n / 2]),
            largest: sizes[n - 1],
            closest: f64::from(before.iter().copied().fold(f32::INFINITY, f32::min)),
        }
    }
}

/// The margin that keeps a set of `images` quiet with a probability of `1 - risk`, for noise that changed margins by `moves`. `None` for
/// fewer than 100 moves.
///
/// It assumes an exponential tail beyond the 95 % quantile. A normal tail is lighter, so there the margin is too large rather than too
/// small.
///
/// # Panics
/// If there are no images, or `risk` is not in (0, 1).
pub fn quiet_margin(moves: &[f32], images: u64, risk: f64) -> Option<f64> {
    assert!(images > 0 && 0.0 < risk && risk < 1.0);
    if moves.len() < 100 {
        return None;
    }
    let sizes = sizes(moves);
    let tail = sizes.len() / 20;
    let (body, tail) = sizes.split_at(sizes.len() - tail);
    let threshold = body[body.len() - 1];
    let excess = tail.iter().map(|size| size - threshold).sum::<f64>() / tail.len() as f64;
    let share = tail.len() as f64 / sizes.len() as f64;
    // By the union bound, each image may exceed the margin with this probability.
    let each = risk / images as f64;
    let beyond = threshold + excess * (share / each).ln().max(0.0);
    Some(beyond.max(sizes[sizes.len() - 1]))
}

/// The sizes of changes, in ascending order.
fn sizes(moves: &[f32]) -> Vec<f64> {
    let mut sizes: Vec<f64> = moves.iter().map(|x| f64::from(*x).abs()).collect();
    sizes.sort_unstable_by(f64::total_cmp);
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;
    use brink_random::Stream;

    /// Of 2,000 sets whose images lie at the margin that 1,000 moves ask for, how many a new move crosses.
    fn alarms(mut draw: impl FnMut(&mut Stream) -> f32) -> usize {
        let stream = &mut Stream::new(5);
        let (images, risk) = (100, 0.05);
        let alarms = (0..2000).filter(|_| {
            let moves: Vec<f32> = (0..1000).map(|_| draw(stream)).collect();
            let margin = quiet_margin(&moves, images, risk).unwrap();
            (0..images).any(|_| f64::from(draw(stream).abs()) > margin)
        });
        alarms.count()
    }

    #[test]
    fn the_quiet_margin_holds_its_risk() {
        let normal = alarms(Stream::normal);
        assert!(normal <= 100, "{normal} of 2000 with a risk of 5 %");
        let exponential = alarms(|stream| -(1.0 - stream.uniform()).ln());
        assert!(
            (60..=140).contains(&exponential),
            "{exponential} of 2000 with a risk of 5 %"
        );
    }

    #[test]
    fn few_moves_give_no_margin() {
        assert_eq!(quiet_margin(&[1.0; 99], 300, 0.001), None);
        assert_eq!(quiet_margin(&[0.0; 100], 300, 0.001), Some(0.0));
        let moves: Vec<f32> = (0..200).map(|i| i as f32).collect();
        assert!(quiet_margin(&moves, 300, 0.001).unwrap() > 199.0);
    }

    #[test]
    fn sizes_of_changes() {
        let noise = Noise::of(&[0.5, 1.0, 2.0, 0.25], &[0.5, -1.0, 0.0, 0.0]);
        assert_eq!((noise.images, noise.median, noise.largest), (4, 0.25, 1.0));
        assert_eq!((noise.rms, noise.closest), ((1.25f64 / 4.0).sqrt(), 0.25));
    }
}
