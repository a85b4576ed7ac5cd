//! A contact sheet: what samples look like, and for pairs how the two members differ.

use brink_verify::{Images, Layout};

/// Pictures of samples in a grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Sheet {
    pub(crate) title: String,
    /// Columns and rows of pixels of each picture.
    pub(crate) pixels: (u32, u32),
    /// Of each sample its picture and, of a pair, the picture of the difference; red, green and blue.
    pub(crate) samples: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// By how much differences are amplified.
    pub(crate) factor: Option<f64>,
}

impl Sheet {
    /// A sheet of the first `at_most` samples. Of a pair it shows the first member, and below it the absolute difference,
    /// amplified so that the sheet's largest is white. The figure states the factor.
    pub fn of(title: &str, images: &Images, layout: Layout, at_most: usize) -> Self {
        let [channels, height, width] = images.shape();
        let rgb = |pixels: &dyn Fn(usize) -> f32| -> Vec<u8> {
            let plane = height * width;
            let value = |at: usize| (255.0 * pixels(at).clamp(0.0, 1.0)).round() as u8;
            // Grey if there is but one channel.
            let channel = |c: usize| if channels < 3 { 0 } else { c };
            let all = (0..plane).flat_map(|at| [0, 1, 2].map(|c| value(channel(c) * plane + at)));
            all.collect()
        };
        let pairs = layout == Layout::Pairs;
        let step = if pairs { 2 } else { 1 };
        let firsts: Vec<usize> = (0..images.len() / step)
            .take(at_most)
            .map(|i| i * step)
            .collect();
        let difference =
            |i: usize, at: usize| (images.image(i)[at] - images.image(i + 1)[at]).abs();
        let values = channels * height * width;
        let largest = firsts
            .iter()
            .filter(|_| pairs)
            .flat_map(|&i| (0..values).map(move |at| (i, at)));
        let largest = largest.map(|(i, at)| difference(i, at)).fold(0.0, f32::max);
        let factor = if largest > 0.0 { largest.recip() } else { 1.0 };
        let sample = |&i: &usize| {
            let picture = rgb(&|at| images.image(i)[at]);
            let below = pairs.then(|| rgb(&|at| factor * difference(i, at)));
            (picture, below)
        };
        Self {
            title: title.to_owned(),
            pixels: (width as u32, height as u32),
            samples: firsts.iter().map(sample).collect(),
            factor: pairs.then_some(f64::from(factor)),
        }
    }
}

impl Sheet {
    /// The first samples with fewer pixels, for the page, which shows many sheets.
    pub(crate) fn excerpt(&self) -> Self {
        const SAMPLES: usize = 3;
        const SIDE: u32 = 16;
        let (width, height) = self.pixels;
        let part = (width.max(height) / SIDE).max(1);
        let small = |rgb: &Vec<u8>| thin(rgb, self.pixels, part);
        let samples = self.samples.iter().take(SAMPLES);
        let samples = samples.map(|(above, below)| (small(above), below.as_ref().map(small)));
        Self {
            title: self.title.clone(),
            pixels: (width / part, height / part),
            samples: samples.collect(),
            factor: self.factor,
        }
    }
}

/// Every square of `part` by `part` pixels as one, its mean.
fn thin(rgb: &[u8], (width, height): (u32, u32), part: u32) -> Vec<u8> {
    let (columns, rows) = (width / part, height / part);
    let mut out = Vec::with_capacity((3 * columns * rows) as usize);
    for at in 0..columns * rows {
        let (left, top) = (at % columns * part, at / columns * part);
        for channel in 0..3 {
            let pixels = (0..part * part).map(|nth| {
                let (x, y) = (left + nth % part, top + nth / part);
                u32::from(rgb[(3 * (y * width + x) + channel) as usize])
            });
            out.push((pixels.sum::<u32>() / (part * part)) as u8);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_has_means_of_pixels() {
        // One grey image of 64 x 64 pixels in stripes of one column.
        let stripes = (0..64 * 64).map(|at| if at % 2 == 0 { 0.0 } else { 0.8 });
        let images = Images::new([1, 64, 64], stripes.collect::<Vec<f32>>()).unwrap();
        let sheet = Sheet::of("a", &images, Layout::Singles, 5).excerpt();
        assert_eq!(sheet.pixels, (16, 16));
        assert_eq!(sheet.samples[0].0, vec![102; 3 * 16 * 16]);
    }

    #[test]
    fn differences_are_amplified_to_white() {
        // One grey pair of 1 x 2 pixels that differ by 1e-6 in the second.
        let images = Images::new([1, 1, 2], vec![0.5, 0.25, 0.5, 0.250_001]).unwrap();
        let sheet = Sheet::of("a", &images, Layout::Pairs, 5);
        let (above, below) = &sheet.samples[0];
        assert_eq!(above, &[128, 128, 128, 64, 64, 64]);
        assert_eq!(below.as_ref().unwrap(), &[0, 0, 0, 255, 255, 255]);
        let factor = sheet.factor.unwrap();
        assert!((factor - 1e6).abs() < 0.05e6, "{factor}");
    }
}
