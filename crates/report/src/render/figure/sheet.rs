//! Draws a contact sheet of samples.

use plotters::prelude::DrawingBackend;
use plotters::style::text_anchor::HPos;

use super::canvas::{Canvas, Drawn};
use super::page::{COLUMN, Drawing, LINE, MARGIN, Picture, QUIET, SMALL, draw_title, head, wrap};
use crate::document::figure::Sheet;

const GAP: f64 = 4.0;
const COLUMNS: usize = 10;

impl Sheet {
    /// The size of a picture in page units.
    fn tile(&self) -> (f64, f64) {
        let (columns, rows) = self.pixels;
        // All columns fill the page.
        let room = COLUMN - 2.0 * MARGIN + GAP;
        let width = (room / COLUMNS as f64).floor() - GAP;
        (width, width * f64::from(rows) / f64::from(columns.max(1)))
    }

    /// Columns and rows of samples.
    fn grid(&self) -> (usize, usize) {
        let columns = self.samples.len().clamp(1, COLUMNS);
        (columns, self.samples.len().div_ceil(columns))
    }

    /// The height of a sample and its difference, in page units.
    fn pitch(&self) -> f64 {
        let pictures = if self.factor.is_some() { 2.0 } else { 1.0 };
        pictures * (self.tile().1 + 2.0) + GAP
    }

    fn at(&self, nth: usize) -> (f64, f64) {
        let (columns, _) = self.grid();
        let (column, row) = (nth % columns, nth / columns);
        (
            MARGIN + column as f64 * (self.tile().0 + GAP),
            self.head() + row as f64 * self.pitch(),
        )
    }

    /// The lines below the title.
    fn lines(&self) -> Vec<String> {
        wrap(&self.subtitle(), COLUMN - 2.0 * MARGIN, SMALL)
    }

    /// The height of all words.
    fn head(&self) -> f64 {
        head(&self.title) + LINE * self.lines().len() as f64 + 6.0
    }

    /// The number and size of the pictures, and the amplification.
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
        let (_, rows) = self.grid();
        let pictures = rows as f64 * self.pitch() - GAP;
        (COLUMN, self.head() + pictures + MARGIN)
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
        draw_title(canvas, &self.title)?;
        for (nth, line) in self.lines().iter().enumerate() {
            let at = (MARGIN, head(&self.title) + 8.0 + LINE * nth as f64);
            canvas.text(line, at, SMALL, QUIET, HPos::Left)?;
        }
        Ok(())
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
}
