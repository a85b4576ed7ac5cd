//! A contact sheet: what sensitive samples look like, and for pairs in what the two members differ.

use plotters::prelude::DrawingBackend;
use plotters::style::text_anchor::HPos;
use verify::{Images, Layout};

use super::Figure;
use super::canvas::{Canvas, Drawn};
use super::page::{Drawing, INK, MARGIN, Picture, QUIET};

/// Pictures of samples in a grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Sheet {
    title: String,
    /// Columns and rows of pixels of each picture.
    pixels: (u32, u32),
    /// Of each sample its picture and, of a pair, the picture of the difference; red, green and blue.
    samples: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// By how much differences are amplified.
    factor: Option<f64>,
}

/// A sheet of the first `at_most` samples; of pairs the member before the boundary, and below it |difference|, amplified so
/// that the largest of the sheet is white. The factor is stated.
pub fn sheet(title: &str, images: &Images, layout: Layout, at_most: usize) -> Figure {
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
    let difference = |i: usize, at: usize| (images.image(i)[at] - images.image(i + 1)[at]).abs();
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
    Figure::Sheet(Sheet {
        title: title.to_owned(),
        pixels: (width as u32, height as u32),
        samples: firsts.iter().map(sample).collect(),
        factor: pairs.then_some(f64::from(factor)),
    })
}

const HEAD: f64 = 76.0;
const GAP: f64 = 8.0;
const COLUMNS: usize = 10;

impl Sheet {
    /// The size of a picture in page units.
    fn tile(&self) -> (f64, f64) {
        let (columns, rows) = self.pixels;
        let width = 96.0;
        (width, width * f64::from(rows) / f64::from(columns.max(1)))
    }

    /// Columns and rows of samples.
    fn grid(&self) -> (usize, usize) {
        let columns = self.samples.len().clamp(1, COLUMNS);
        (columns, self.samples.len().div_ceil(columns))
    }

    /// Height of a sample with what is below it.
    fn pitch(&self) -> f64 {
        let pictures = if self.factor.is_some() { 2.0 } else { 1.0 };
        pictures * (self.tile().1 + 2.0) + GAP
    }

    fn at(&self, nth: usize) -> (f64, f64) {
        let (columns, _) = self.grid();
        let (column, row) = (nth % columns, nth / columns);
        (
            MARGIN + column as f64 * (self.tile().0 + GAP),
            HEAD + row as f64 * self.pitch(),
        )
    }

    /// What is to be known about the pictures.
    fn subtitle(&self) -> String {
        let count = self.samples.len();
        let (columns, rows) = self.pixels;
        match self.factor {
            Some(factor) => format!(
                "{count} pairs of {columns} x {rows} pixels: a member, and below it the absolute difference to the other, \
                 amplified {} times",
                thousands(factor)
            ),
            None => format!("{count} samples of {columns} x {rows} pixels"),
        }
    }
}

/// `1,234,568`.
fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (nth, digit) in digits.chars().enumerate() {
        if nth > 0 && (digits.len() - nth) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

impl Drawing for Sheet {
    fn title(&self) -> &str {
        &self.title
    }

    fn size(&self) -> (f64, f64) {
        let (columns, rows) = self.grid();
        let width = 2.0 * MARGIN + columns as f64 * (self.tile().0 + GAP) - GAP;
        // Room for the words, however few the pictures.
        (
            width.max(780.0),
            HEAD + rows as f64 * self.pitch() + MARGIN - GAP,
        )
    }

    fn pictures(&self) -> Vec<Picture> {
        let (width, height) = self.tile();
        let picture = |at, rgb: &Vec<u8>| Picture {
            at,
            size: (width, height),
            pixels: self.pixels,
            rgb: rgb.clone(),
        };
        let samples = self.samples.iter().enumerate();
        let pictures = samples.flat_map(|(nth, (above, below))| {
            let (x, y) = self.at(nth);
            let below = below
                .as_ref()
                .map(|rgb| picture((x, y + height + 2.0), rgb));
            [Some(picture((x, y), above)), below]
        });
        pictures.flatten().collect()
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Drawn<DB> {
        canvas.text(&self.title, (MARGIN, 26.0), 19.0, INK, HPos::Left)?;
        canvas.text(&self.subtitle(), (MARGIN, 52.0), 13.0, QUIET, HPos::Left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_commas() {
        assert_eq!(thousands(1.0), "1");
        assert_eq!(thousands(999_999.6), "1,000,000");
        assert_eq!(thousands(12_345.0), "12,345");
    }

    #[test]
    fn differences_are_amplified_to_white() {
        // One grey pair of 1 x 2 pixels that differ by 1e-6 in the second.
        let images = Images::new([1, 1, 2], vec![0.5, 0.25, 0.5, 0.250_001]).unwrap();
        let Figure::Sheet(sheet) = sheet("a", &images, Layout::Pairs, 5) else {
            panic!("a sheet")
        };
        let (above, below) = &sheet.samples[0];
        assert_eq!(above, &[128, 128, 128, 64, 64, 64]);
        assert_eq!(below.as_ref().unwrap(), &[0, 0, 0, 255, 255, 255]);
        let factor = sheet.factor.unwrap();
        assert!((factor - 1e6).abs() < 0.05e6, "{factor}");
    }
}
