//! Bisection between two images of different label.

use super::PixelValues;

/// Two images of different label, and those that they started from.
#[derive(Clone, Debug)]
pub(crate) struct Bracket {
    pub starts: [Vec<f32>; 2],
    pub ends: [Vec<f32>; 2],
    pub labels: [u32; 2],
}

impl Bracket {
    /// A bracket of two images that differ.
    pub fn new(starts: [Vec<f32>; 2], labels: [u32; 2]) -> Self {
        Self {
            ends: starts.clone(),
            starts,
            labels,
        }
    }

    /// An image between the ends; `None` if there is none.
    ///
    /// It is the middle of every pixel as long as there are values between. After that, half of the pixels that differ come from the other
    /// end. So at last the ends differ in one pixel, by the smallest step.
    pub fn middle(&self, values: PixelValues) -> Option<Vec<f32>> {
        let [from, to] = &self.ends;
        let pixels = from.iter().zip(to);
        let middle: Vec<f32> = pixels.map(|(&a, &b)| values.middle(a, b)).collect();
        if middle != *from && middle != *to {
            return Some(middle);
        }
        let differ: Vec<usize> = (0..from.len()).filter(|&i| from[i] != to[i]).collect();
        if differ.len() < 2 {
            return None;
        }
        let mut mixed = from.clone();
        for &i in &differ[..differ.len() / 2] {
            mixed[i] = to[i];
        }
        Some(mixed)
    }

    /// Replaces the end that `image` has the label of; the second end if it has neither label.
    pub fn narrow(&mut self, image: Vec<f32>, label: u32) {
        let side = usize::from(label != self.labels[0]);
        self.ends[side] = image;
        self.labels[side] = label;
    }
}

impl PixelValues {
    /// The value in the middle of `a` and `b`, or one of them if there is none between.
    fn middle(self, a: f32, b: f32) -> f32 {
        match self {
            Self::Float32 => a + (b - a) / 2.0,
            Self::Uint8 => from_level((level(a) + level(b)) / 2),
        }
    }

    /// The nearest of these values.
    pub fn nearest(self, value: f32) -> f32 {
        match self {
            Self::Float32 => value,
            Self::Uint8 => from_level(level(value)),
        }
    }
}

/// The nearest of the 256 levels of a pixel in [0, 1].
pub(crate) fn level(value: f32) -> u32 {
    (value * 255.0).round() as u32
}

/// The pixel of a level, as images of 8 bits are read.
pub(crate) fn from_level(level: u32) -> f32 {
    level as f32 / 255.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bisects until no image is left between, with the label 1 above a weighted sum of `threshold`.
    fn bisected(values: PixelValues, starts: [Vec<f32>; 2], threshold: f32) -> (Bracket, usize) {
        let weight = |i: usize| 1.0 + i as f32 / 7.0;
        let label = |image: &[f32]| {
            let sum: f32 = image.iter().enumerate().map(|(i, x)| weight(i) * x).sum();
            u32::from(sum > threshold)
        };
        let labels = [0, 1].map(|side| label(&starts[side]));
        assert_ne!(labels[0], labels[1]);
        let (mut bracket, mut asked) = (Bracket::new(starts, labels), 0);
        while let Some(middle) = bracket.middle(values) {
            asked += 1;
            let found = label(&middle);
            bracket.narrow(middle, found);
            assert!(asked < 1000, "bisection does not end");
        }
        assert_eq!(
            bracket.labels,
            [0, 1].map(|side| label(&bracket.ends[side]))
        );
        (bracket, asked)
    }

    fn differences(bracket: &Bracket) -> Vec<(f32, f32)> {
        let [a, b] = &bracket.ends;
        let both = a.iter().copied().zip(b.iter().copied());
        both.filter(|(a, b)| a != b).collect()
    }

    #[test]
    fn float_ends_differ_in_one_pixel_by_one_unit_in_the_last_place() {
        let starts = || [vec![0.1, 0.9, 0.3, 0.0], vec![0.8, 0.95, 0.2, 1.0]];
        for threshold in [1.9, 2.0, 2.5, 3.1] {
            let (bracket, asked) = bisected(PixelValues::Float32, starts(), threshold);
            let differ = differences(&bracket);
            assert_eq!(differ.len(), 1, "{threshold}");
            let (a, b) = differ[0];
            assert_eq!(a.to_bits().abs_diff(b.to_bits()), 1, "{a} {b}");
            assert!(asked < 60, "{asked}");
        }
    }

    #[test]
    fn eight_bit_ends_differ_in_one_pixel_by_one_level() {
        let image = |levels: [u32; 4]| levels.map(from_level).to_vec();
        let starts = || [image([3, 250, 90, 0]), image([200, 251, 10, 255])];
        for threshold in [1.9, 2.0, 2.5] {
            let (bracket, asked) = bisected(PixelValues::Uint8, starts(), threshold);
            let differ = differences(&bracket);
            assert_eq!(differ.len(), 1, "{threshold}");
            let (a, b) = differ[0];
            assert_eq!(level(a).abs_diff(level(b)), 1);
            assert!(asked < 20, "{asked}");
            let whole = bracket.ends.iter().flatten();
            assert!(whole.clone().all(|&x| x == from_level(level(x))));
        }
    }

    #[test]
    fn a_third_label_narrows_the_second_end() {
        let mut bracket = Bracket::new([vec![0.0], vec![1.0]], [4, 7]);
        bracket.narrow(vec![0.5], 2);
        assert_eq!((bracket.ends[1][0], bracket.labels), (0.5, [4, 2]));
        bracket.narrow(vec![0.25], 4);
        assert_eq!((bracket.ends[0][0], bracket.labels), (0.25, [4, 2]));
    }
}
