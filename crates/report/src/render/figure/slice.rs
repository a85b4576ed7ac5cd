//! Draws the boundary around a pair. However the boundary moves, one member ends up on the wrong side.

use plotters::prelude::DrawingBackend;
use plotters::style::RGBColor;
use plotters::style::text_anchor::HPos;

use super::canvas::{At, Canvas, Drawn, Shape};
use super::page::{
    COLUMN, Drawing, INK, LINE, MARGIN, PAPER, Picture, QUIET, SMALL, draw_title, head, wrap,
};
use crate::document::figure::{Field, Slice};
use crate::document::table::scientific;

const SIDE: f64 = 160.0;
/// From a panel to the next.
const PITCH: f64 = SIDE + 72.0;
/// The name of a panel.
const ABOVE: f64 = 2.0 * LINE + 4.0;
/// The axis, where the boundary is, the colours and what they mean.
const BELOW: f64 = 176.0;
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

    /// The top left of a panel.
    fn corner(&self, nth: usize) -> At {
        (64.0 + nth as f64 * PITCH, head(&self.title) + ABOVE)
    }
}

/// Where the boundary is on the line through the pair.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Whereabouts {
    /// In the panel.
    Inside,
    /// At this place, as far as margins are straight. The panel ends at `reach`.
    Outside { at: f64, reach: f64 },
    /// Nowhere that the margins would tell.
    Unknown,
}

impl Whereabouts {
    fn words(self) -> String {
        match self {
            Self::Inside => "the boundary is here".to_owned(),
            Self::Outside { at, reach } if at.abs() > reach => {
                let side = if at > 0.0 { "right" } else { "left" };
                format!("boundary: {} {side}", short(at.abs()))
            }
            _ => "the boundary is not here".to_owned(),
        }
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

    /// Where the boundary crosses the line through the pair. Where it lies outside, the margins of that line are extended by
    /// the straight line that fits them best.
    fn whereabouts(&self) -> Whereabouts {
        let (columns, rows) = self.size;
        let row = &self.margins[rows / 2 * columns..][..columns];
        if row.windows(2).any(|two| (two[0] > 0.0) != (two[1] > 0.0)) {
            return Whereabouts::Inside;
        }
        let step = (self.x.1 - self.x.0) / (columns - 1) as f64;
        let points = row.iter().enumerate();
        let points = points.map(|(nth, margin)| (self.x.0 + nth as f64 * step, f64::from(*margin)));
        let count = columns as f64;
        let mean = |of: fn((f64, f64)) -> f64| points.clone().map(of).sum::<f64>() / count;
        let (x, y) = (mean(|it| it.0), mean(|it| it.1));
        let slope = (mean(|it| it.0 * it.1) - x * y) / (mean(|it| it.0 * it.0) - x * x);
        let at = x - y / slope;
        match at.is_finite() {
            true => Whereabouts::Outside {
                at,
                reach: self.x.1.abs(),
            },
            false => Whereabouts::Unknown,
        }
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
        (COLUMN, head(&self.title) + ABOVE + SIDE + BELOW)
    }

    fn pictures(&self) -> Vec<Picture> {
        let largest = self.largest();
        let panels = self
            .panels
            .iter()
            .enumerate()
            .map(|(nth, (_, field))| Picture {
                at: self.corner(nth),
                size: (SIDE, SIDE),
                pixels: (field.size.0 as u32, field.size.1 as u32),
                rgb: field.rgb(largest),
            });
        let scale = (0..200).flat_map(|nth| color((nth as f32 - 99.5) / 99.5));
        let (left, top) = self.corner(0);
        let scale = Picture {
            at: (left, top + SIDE + 76.0),
            size: (SIDE, 12.0),
            pixels: (200, 1),
            rgb: scale.collect(),
        };
        panels.chain([scale]).collect()
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Drawn<DB> {
        draw_title(canvas, &self.title)?;
        let before = &self.panels[0].1;
        for (nth, (name, field)) in self.panels.iter().enumerate() {
            let corner = self.corner(nth);
            let (left, top) = corner;
            let (right, bottom) = (left + SIDE, top + SIDE);
            for (row, line) in wrap(name, SIDE + 40.0, SMALL).iter().rev().enumerate() {
                let at = (left, top - 14.0 - LINE * row as f64);
                canvas.text(line, at, SMALL, INK, HPos::Left)?;
            }
            let lines = |field: &Field, dash: &[f64], width: f64| -> Drawn<DB> {
                for piece in field.boundary() {
                    let ends = piece.map(|point| field.place_of_point(point, corner));
                    canvas.path(&ends, INK, width, dash)?;
                }
                Ok(())
            };
            // The old boundary stays as a thin line, so that the new one shows where it went.
            if nth > 0 {
                lines(before, &[], 0.75)?;
            }
            lines(field, &[], 2.0)?;
            let told = field.whereabouts();
            let below = (left, bottom + 52.0);
            canvas.text(&told.words(), below, SMALL, INK, HPos::Left)?;
            if let Whereabouts::Outside { at, .. } = told {
                draw_arrow(canvas, at > 0.0, corner)?;
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
                canvas.text(&short(end), (x, bottom + 16.0), SMALL, QUIET, side)?;
            }
            for end in [field.y.0, field.y.1] {
                let (_, y) = field.place((field.x.0, end), corner);
                canvas.line((left - 5.0, y), (left, y), INK, 1.25)?;
                canvas.text(&short(end), (left - 7.0, y), SMALL, QUIET, HPos::Right)?;
            }
            let middle = ((left + right) / 2.0, bottom + 33.0);
            canvas.text(
                "distance in pixel space",
                middle,
                SMALL,
                QUIET,
                HPos::Center,
            )?;
            // Each letter on the outer side of its mark: the boundary runs between the two.
            let marks = [
                (Shape::Circle, "a", -5.0, HPos::Right),
                (Shape::Square, "b", 5.0, HPos::Left),
            ];
            for (place, (shape, letter, aside, side)) in self.pair.iter().zip(marks) {
                let at = field.place(*place, corner);
                canvas.mark(shape, at, 3.5, PAPER, INK)?;
                canvas.text(letter, (at.0 + aside, at.1 - 8.0), SMALL, INK, side)?;
            }
        }
        let (left, top) = self.corner(0);
        let y = top + SIDE + 100.0;
        let largest = f64::from(self.largest());
        let scale = [(-largest, 0.0), (0.0, 0.5), (largest, 1.0)];
        for (value, part) in scale {
            let at = (left + part * SIDE, y);
            canvas.text(&short(value), at, SMALL, QUIET, HPos::Center)?;
        }
        let says = "Colour: margin of the keyed head. Thick: the boundary; thin: where it was; arrow: where it would be if \
                    margins went on in a straight line. a, b: the pair.";
        for (nth, line) in wrap(says, COLUMN - 2.0 * MARGIN, SMALL).iter().enumerate() {
            let at = (MARGIN, y + 22.0 + LINE * nth as f64);
            canvas.text(line, at, SMALL, QUIET, HPos::Left)?;
        }
        Ok(())
    }
}

/// An arrow in the middle of a side, towards the boundary outside.
fn draw_arrow<DB: DrawingBackend>(canvas: &Canvas<DB>, right: bool, (left, top): At) -> Drawn<DB> {
    let (edge, back) = if right {
        (left + SIDE - 6.0, -1.0)
    } else {
        (left + 6.0, 1.0)
    };
    let y = top + SIDE / 2.0;
    canvas.line((edge + 34.0 * back, y), (edge, y), PAPER, 2.5)?;
    let head = [
        (edge, y),
        (edge + 10.0 * back, y - 6.0),
        (edge + 10.0 * back, y + 6.0),
    ];
    canvas.polygon(&head, PAPER, 1.0)
}

/// A number with two digits at most, so that it fits beside a small panel.
fn short(value: f64) -> String {
    scientific(format!("{value:.1e}").parse().unwrap_or(value))
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
    fn a_boundary_outside_is_told() {
        let field = |shift: f32| Field {
            size: (5, 3),
            margins: (0..15).map(|at| (at % 5) as f32 - 2.0 + shift).collect(),
            x: (-2.0, 2.0),
            y: (-1.0, 1.0),
        };
        assert_eq!(field(0.5).whereabouts(), Whereabouts::Inside);
        assert_eq!(field(6.0).whereabouts().words(), "boundary: 6e0 left");
        assert_eq!(field(-30.0).whereabouts().words(), "boundary: 3e1 right");
    }

    #[test]
    fn colours_tell_the_sign() {
        assert_eq!(color(0.0), [255; 3]);
        assert_eq!(color(1.0), [0xd5, 0x5e, 0x00]);
        assert_eq!(color(-1.0), [0x00, 0x5f, 0xa8]);
    }
}
