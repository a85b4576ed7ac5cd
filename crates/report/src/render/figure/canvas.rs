//! Lines, marks and words in page units on any of plotters' backends.
//!
//! A page unit is a pixel of the SVG. Everything is drawn [`FINE`] times larger, because plotters rounds to whole pixels
//! and does not smooth thick lines: the SVG is told its size afterwards, the PNG is scaled down.

use plotters::coord::Shift;
use plotters::prelude::{DrawingArea, DrawingAreaErrorKind, DrawingBackend, PathElement, Polygon};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, IntoFont, RGBColor, ShapeStyle, TextStyle};

/// Drawn pixels a page unit.
pub const FINE: u32 = 4;

/// The family that [`super::draw`] registers its font as; viewers of the SVG take their own.
pub const FAMILY: &str = "sans-serif";

/// The shape of a mark.
#[derive(Clone, Copy)]
pub enum Shape {
    Circle,
    Square,
    Triangle,
    Diamond,
    Cross,
}

/// How a backend places words. plotters' backends mean different things by size and middle.
#[derive(Clone, Copy)]
pub struct Type {
    /// plotters' size of a font of 1 em.
    pub size: f64,
    /// How far below plotters' middle the middle of small letters has to be put, in em.
    pub drop: f64,
}

impl Type {
    /// plotters writes the size divided by 1.24 and centres small letters.
    pub const SVG: Self = Self {
        size: 1.24,
        drop: 0.0,
    };
    /// plotters takes the size for ascent plus descent (1.164 em in DejaVu Sans) and sets the base line a little below
    /// the middle.
    pub const BITMAP: Self = Self {
        size: 1.164,
        drop: 0.16,
    };
}

/// What drawing may fail with.
pub type Drawn<DB> = Result<(), DrawingAreaErrorKind<<DB as DrawingBackend>::ErrorType>>;

/// A page.
pub struct Canvas<DB: DrawingBackend> {
    area: DrawingArea<DB, Shift>,
    letters: Type,
}

/// A point in page units, from the top left.
pub type At = (f64, f64);

impl<DB: DrawingBackend> Canvas<DB> {
    pub fn new(area: DrawingArea<DB, Shift>, letters: Type) -> Self {
        Self { area, letters }
    }

    pub fn fill(&self, color: RGBColor) -> Drawn<DB> {
        self.area.fill(&color)
    }

    pub fn present(&self) -> Drawn<DB> {
        self.area.present()
    }

    pub fn line(&self, from: At, to: At, color: RGBColor, width: f64) -> Drawn<DB> {
        self.path(&[from, to], color, width, &[])
    }

    /// A line through points; `dash` is lengths of ink and gap in turn, none for a line without gaps.
    pub fn path(&self, points: &[At], color: RGBColor, width: f64, dash: &[f64]) -> Drawn<DB> {
        let style = ShapeStyle {
            color: color.to_rgba(),
            filled: false,
            stroke_width: (width * f64::from(FINE)).round() as u32,
        };
        for piece in pieces(points, dash) {
            let piece: Vec<_> = piece.into_iter().map(pixel).collect();
            self.area.draw(&PathElement::new(piece, style))?;
        }
        Ok(())
    }

    /// A filled shape; `ink` 1 is opaque.
    pub fn polygon(&self, points: &[At], color: RGBColor, ink: f64) -> Drawn<DB> {
        let points: Vec<_> = points.iter().copied().map(pixel).collect();
        self.area
            .draw(&Polygon::new(points, color.mix(ink).filled()))
    }

    /// A mark with an outline. `radius` is the circle's; the other shapes have about its area.
    pub fn mark(
        &self,
        shape: Shape,
        (x, y): At,
        radius: f64,
        fill: RGBColor,
        outline: RGBColor,
    ) -> Drawn<DB> {
        let corners = |angles: &[f64], scale: f64| -> Vec<At> {
            let corner = |angle: &f64| {
                let (sin, cos) = angle.to_radians().sin_cos();
                (x + radius * scale * cos, y + radius * scale * sin)
            };
            angles.iter().map(corner).collect()
        };
        let mut points = match shape {
            Shape::Circle => {
                let angles: Vec<f64> = (0..16).map(|i| f64::from(i) * 22.5).collect();
                corners(&angles, 1.0)
            }
            Shape::Square => corners(&[45.0, 135.0, 225.0, 315.0], 1.25),
            Shape::Triangle => corners(&[-90.0, 30.0, 150.0], 1.4),
            Shape::Diamond => corners(&[0.0, 90.0, 180.0, 270.0], 1.35),
            Shape::Cross => {
                let (inner, outer) = (0.45, 1.35);
                let arm = |i: i32| {
                    let at = f64::from(i) * 90.0;
                    [
                        (at - 20.0, outer),
                        (at + 20.0, outer),
                        (at + 45.0, inner * 1.41),
                    ]
                };
                let arms = (0..4).flat_map(arm);
                arms.flat_map(|(angle, scale)| corners(&[angle], scale))
                    .collect()
            }
        };
        self.polygon(&points, fill, 1.0)?;
        // Closed in the middle of a side, where no corner shows how the ends meet.
        if let [first, .., last] = points[..] {
            let seam = ((first.0 + last.0) / 2.0, (first.1 + last.1) / 2.0);
            points.insert(0, seam);
            points.push(seam);
        }
        self.path(&points, outline, 1.25, &[])
    }

    /// Words; the middle of small letters is at the height of `at`.
    pub fn text(&self, text: &str, at: At, size: f64, color: RGBColor, side: HPos) -> Drawn<DB> {
        let style = self
            .style(size)
            .color(&color)
            .pos(Pos::new(side, VPos::Center));
        let (x, y) = at;
        self.area
            .draw_text(text, &style, pixel((x, y + self.letters.drop * size)))
    }

    /// The width of words.
    pub fn width(&self, text: &str, size: f64) -> Result<f64, DrawingAreaErrorKind<DB::ErrorType>> {
        // One measure for all backends, so that they lay out alike.
        let style =
            TextStyle::from((FAMILY, Type::BITMAP.size * size * f64::from(FINE)).into_font());
        let (width, _) = self.area.estimate_text_size(text, &style)?;
        Ok(f64::from(width) / f64::from(FINE))
    }

    fn style(&self, size: f64) -> TextStyle<'static> {
        TextStyle::from((FAMILY, self.letters.size * size * f64::from(FINE)).into_font())
    }
}

fn pixel((x, y): At) -> (i32, i32) {
    let round = |v: f64| (v * f64::from(FINE)).round() as i32;
    (round(x), round(y))
}

/// Cuts a line into the pieces that have ink.
fn pieces(points: &[At], dash: &[f64]) -> Vec<Vec<At>> {
    if dash.is_empty() {
        return vec![points.to_vec()];
    }
    let mut pieces = Vec::new();
    let mut piece: Vec<At> = points.first().copied().into_iter().collect();
    let (mut nth, mut left) = (0, dash[0]);
    for leg in points.windows(2) {
        let ((x, y), (dx, dy)) = (leg[0], (leg[1].0 - leg[0].0, leg[1].1 - leg[0].1));
        let length = dx.hypot(dy);
        let mut done = 0.0;
        while length - done > left {
            done += left;
            let at = (x + dx * done / length, y + dy * done / length);
            if nth % 2 == 0 {
                piece.push(at);
                pieces.push(std::mem::take(&mut piece));
            } else {
                piece = vec![at];
            }
            nth += 1;
            left = dash[nth % dash.len()];
        }
        left -= length - done;
        if nth % 2 == 0 {
            piece.push(leg[1]);
        }
    }
    pieces.push(piece);
    pieces.retain(|piece| piece.len() > 1);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_go_around_corners() {
        let points = [(0.0, 0.0), (10.0, 0.0), (10.0, 10.0)];
        let pieces = pieces(&points, &[6.0, 2.0]);
        assert_eq!(
            pieces,
            [
                vec![(0.0, 0.0), (6.0, 0.0)],
                vec![(8.0, 0.0), (10.0, 0.0), (10.0, 4.0)],
                vec![(10.0, 6.0), (10.0, 10.0)],
            ]
        );
    }

    #[test]
    fn no_dash_is_one_piece() {
        assert_eq!(pieces(&[(0.0, 0.0), (1.0, 1.0)], &[]).len(), 1);
        assert_eq!(pieces(&[(0.0, 0.0)], &[1.0, 1.0]).len(), 0);
    }
}
