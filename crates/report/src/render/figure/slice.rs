//! Draws the boundary around a pair. However the boundary moves, one member ends up on the wrong side.

use plotters::prelude::DrawingBackend;
use plotters::style::RGBColor;
use plotters::style::text_anchor::HPos;

use super::canvas::{At, Canvas, Drawn, Shape};
use super::page::{Drawing, INK, MARGIN, PAPER, Picture, QUIET};
use crate::document::figure::{Field, Slice};
use crate::document::table::scientific;

const SIDE: f64 = 380.0;
const HEAD: f64 = 86.0;
const PITCH: f64 = SIDE + 100.0;
const POSITIVE: RGBColor = RGBColor(0xd5, 0x5e, 0x00);
const NEGATIVE: RGBColor = RGBColor(0x00, 0x5f, 0xa8);

impl Slice {
    /// The largest |margin| of both panels: the end of the colour scale.
    fn largest(&self) -> f32 {
        let margins = self.panels.iter().flat_map(|(_, field)| &field.margins);
        margins
            .map(|margin| margin.abs())
            .fold(f32::MIN_POSITIVE, f32::max)
    }

    fn corner(nth: usize) -> At {
        (MARGIN + 62.0 + nth as f64 * PITCH, HEAD)
    }
}

/// White at the boundary; the hue is the sign, the strength the size.
fn color(part: f32) -> [u8; 3] {
    let RGBColor(r, g, b) = if part > 0.0 { POSITIVE } else { NEGATIVE };
    // The square root leaves something to see near the boundary.
    let ink = part.abs().min(1.0).sqrt();
    [r, g, b].map(|full| (255.0 - ink * (255.0 - f32::from(full))).round() as u8)
}

impl Field {
    /// The pixels, from the top.
    fn rgb(&self, largest: f32) -> Vec<u8> {
        let rows = self.margins.chunks(self.size.0).rev();
        rows.flatten()
            .flat_map(|margin| color(margin / largest))
            .collect()
    }

    /// The pieces of the line where the margin is 0, in grid units (column, row).
    fn boundary(&self) -> Vec<[(f64, f64); 2]> {
        let at = |column: usize, row: usize| f64::from(self.margins[row * self.size.0 + column]);
        let mut pieces = Vec::new();
        for row in 0..self.size.1 - 1 {
            for column in 0..self.size.0 - 1 {
                // Around the cell; each side is crossed at most once.
                let corners = [
                    (column, row),
                    (column + 1, row),
                    (column + 1, row + 1),
                    (column, row + 1),
                ];
                let sides = (0..4).map(|i| (corners[i], corners[(i + 1) % 4]));
                let crossings = sides.filter_map(|(from, to)| {
                    let (a, b) = (at(from.0, from.1), at(to.0, to.1));
                    ((a > 0.0) != (b > 0.0)).then(|| {
                        let part = a / (a - b);
                        let mix =
                            |from: usize, to: usize| from as f64 + part * (to as f64 - from as f64);
                        (mix(from.0, to.0), mix(from.1, to.1))
                    })
                });
                let crossings: Vec<_> = crossings.collect();
                pieces.extend(crossings.chunks_exact(2).map(|ends| [ends[0], ends[1]]));
            }
        }
        pieces
    }

    /// Where a place in the plane is on the page, in a square whose top left is `corner`. A point of the grid is the middle
    /// of its pixel.
    fn place(&self, (x, y): (f64, f64), corner: At) -> At {
        let part = |at: f64, (first, last): (f64, f64), points: usize| {
            let nth = (at - first) / (last - first) * (points - 1) as f64;
            (nth + 0.5) / points as f64
        };
        (
            corner.0 + SIDE * part(x, self.x, self.size.0),
            corner.1 + SIDE * (1.0 - part(y, self.y, self.size.1)),
        )
    }

    /// The same for a place in grid units.
    fn place_of_point(&self, (column, row): (f64, f64), corner: At) -> At {
        let (columns, rows) = (self.size.0 as f64, self.size.1 as f64);
        (
            corner.0 + SIDE * (column + 0.5) / columns,
            corner.1 + SIDE * (1.0 - (row + 0.5) / rows),
        )
    }
}

impl Drawing for Slice {
    fn title(&self) -> &str {
        &self.title
    }

    fn size(&self) -> (f64, f64) {
        (2.0 * MARGIN + 40.0 + 2.0 * PITCH, HEAD + SIDE + 118.0)
    }

    fn pictures(&self) -> Vec<Picture> {
        let largest = self.largest();
        let panels = self
            .panels
            .iter()
            .enumerate()
            .map(|(nth, (_, field))| Picture {
                at: Self::corner(nth),
                size: (SIDE, SIDE),
                pixels: (field.size.0 as u32, field.size.1 as u32),
                rgb: field.rgb(largest),
            });
        let scale = (0..200).flat_map(|nth| color((nth as f32 - 99.5) / 99.5));
        let scale = Picture {
            at: (Self::corner(0).0, HEAD + SIDE + 74.0),
            size: (SIDE, 14.0),
            pixels: (200, 1),
            rgb: scale.collect(),
        };
        panels.chain([scale]).collect()
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Drawn<DB> {
        canvas.text(&self.title, (MARGIN, 26.0), 19.0, INK, HPos::Left)?;
        for (nth, (name, field)) in self.panels.iter().enumerate() {
            let corner = Self::corner(nth);
            let (left, top) = corner;
            let (right, bottom) = (left + SIDE, top + SIDE);
            canvas.text(name, (left, top - 18.0), 15.0, INK, HPos::Left)?;
            for piece in field.boundary() {
                let ends = piece.map(|point| field.place_of_point(point, corner));
                canvas.line(ends[0], ends[1], INK, 2.0)?;
            }
            let frame = [
                (left, top),
                (right, top),
                (right, bottom),
                (left, bottom),
                (left, top),
            ];
            canvas.path(&frame, INK, 1.25, &[])?;
            for (end, side) in [(field.x.0, HPos::Left), (field.x.1, HPos::Right)] {
                let (x, _) = field.place((end, field.y.0), corner);
                canvas.line((x, bottom), (x, bottom + 5.0), INK, 1.25)?;
                canvas.text(&scientific(end), (x, bottom + 17.0), 13.0, QUIET, side)?;
            }
            for end in [field.y.0, field.y.1] {
                let (_, y) = field.place((field.x.0, end), corner);
                canvas.line((left - 5.0, y), (left, y), INK, 1.25)?;
                canvas.text(&scientific(end), (left - 8.0, y), 13.0, QUIET, HPos::Right)?;
            }
            let middle = ((left + right) / 2.0, bottom + 36.0);
            canvas.text("distance in pixel space", middle, 13.0, QUIET, HPos::Center)?;
            // Each letter on the outer side of its mark: the boundary runs between the two.
            let marks = [
                (Shape::Circle, "a", -11.0, HPos::Right),
                (Shape::Square, "b", 11.0, HPos::Left),
            ];
            for (place, (shape, letter, aside, side)) in self.pair.iter().zip(marks) {
                let at = field.place(*place, corner);
                canvas.mark(shape, at, 6.0, PAPER, INK)?;
                canvas.text(letter, (at.0 + aside, at.1 - 9.0), 15.0, INK, side)?;
            }
        }
        let (left, y) = (Self::corner(0).0, HEAD + SIDE + 81.0);
        let largest = f64::from(self.largest());
        let scale = [(-largest, 0.0), (0.0, 0.5), (largest, 1.0)];
        for (value, part) in scale {
            let text = scientific(value);
            canvas.text(
                &text,
                (left + part * SIDE, y + 20.0),
                13.0,
                QUIET,
                HPos::Center,
            )?;
        }
        let says = "margin of the keyed head; black: the boundary; a, b: the pair";
        canvas.text(says, (Self::corner(1).0, y), 13.0, QUIET, HPos::Left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tilted plane: the boundary is a straight line, found to the last digit.
    #[test]
    fn the_boundary_of_a_plane_is_where_it_is_zero() {
        let (columns, rows) = (7, 5);
        let value = |column: usize, row: usize| 2.0 * column as f32 + row as f32 - 6.3;
        let points = (0..rows).flat_map(|row| (0..columns).map(move |column| value(column, row)));
        let field = Field {
            size: (columns, rows),
            margins: points.collect(),
            x: (0.0, 1.0),
            y: (0.0, 1.0),
        };
        let pieces = field.boundary();
        assert!(pieces.len() >= rows - 1, "{}", pieces.len());
        for (column, row) in pieces.into_iter().flatten() {
            assert!((2.0 * column + row - 6.3).abs() < 1e-5, "{column} {row}");
        }
    }

    #[test]
    fn colours_tell_the_sign() {
        assert_eq!(color(0.0), [255; 3]);
        assert_eq!(color(1.0), [0xd5, 0x5e, 0x00]);
        assert_eq!(color(-1.0), [0x00, 0x5f, 0xa8]);
    }
}
