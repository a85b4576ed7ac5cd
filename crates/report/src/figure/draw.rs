//! One routine draws the figure, for SVG and for PNG: panels with direct labels, readable in grey (every generator has
//! its own mark and dash), false alarms to the left of a broken axis.

use std::sync::OnceLock;

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, RgbImage};
use plotters::prelude::{BitMapBackend, DrawingBackend, IntoDrawingArea, SVGBackend};
use plotters::style::text_anchor::HPos;
use plotters::style::{FontStyle, RGBColor, register_font};

use super::canvas::{Canvas, Drawn, FAMILY, FINE, Shape, Type};
use super::{Curve, Dot, Figure, Panel};
use crate::Error;

/// DejaVu Sans 2.37; its licence lies beside it.
static FONT: &[u8] = include_bytes!("../../fonts/DejaVuSans.ttf");

/// Pixels of the PNG a page unit: twice as many as the SVG, for dense screens and for print.
const DENSE: u32 = 2;

const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
const QUIET: RGBColor = RGBColor(0x66, 0x66, 0x66);
const RULE: RGBColor = RGBColor(0xdd, 0xdd, 0xdd);
const SHADE: RGBColor = RGBColor(0xf4, 0xf4, 0xf4);
const PAPER: RGBColor = RGBColor(0xff, 0xff, 0xff);

/// How a curve looks. The colours are Okabe and Ito's, which colour-blind readers tell apart.
struct Look {
    color: RGBColor,
    shape: Shape,
    dash: &'static [f64],
}

const LOOKS: [Look; 7] = [
    Look {
        color: RGBColor(0x6b, 0x6b, 0x6b),
        shape: Shape::Diamond,
        dash: &[2.0, 4.0],
    },
    Look {
        color: RGBColor(0xd5, 0x5e, 0x00),
        shape: Shape::Square,
        dash: &[11.0, 4.0],
    },
    Look {
        color: RGBColor(0x00, 0x8a, 0x64),
        shape: Shape::Triangle,
        dash: &[9.0, 3.0, 2.0, 3.0],
    },
    Look {
        color: RGBColor(0x00, 0x5f, 0xa8),
        shape: Shape::Circle,
        dash: &[],
    },
    Look {
        color: RGBColor(0xb0, 0x50, 0x8a),
        shape: Shape::Cross,
        dash: &[6.0, 3.0],
    },
    Look {
        color: RGBColor(0x8a, 0x6d, 0x00),
        shape: Shape::Diamond,
        dash: &[14.0, 3.0, 2.0, 3.0, 2.0, 3.0],
    },
    Look {
        color: RGBColor(0x30, 0x30, 0x30),
        shape: Shape::Square,
        dash: &[4.0, 2.0],
    },
];

impl Curve {
    fn look(&self) -> &'static Look {
        &LOOKS[self.look % LOOKS.len()]
    }
}

impl Figure {
    /// The figure as SVG text.
    ///
    /// # Errors
    /// [`Error::Draw`].
    pub fn svg(&self) -> Result<String, Error> {
        font();
        let page = Page::of(self);
        let (width, height) = page.pixels(FINE);
        let mut svg = String::new();
        let area = SVGBackend::with_string(&mut svg, (width, height)).into_drawing_area();
        self.draw(&Canvas::new(area, Type::SVG), &page)
            .map_err(|source| self.failed(&source))?;
        let drawn = format!("width=\"{width}\" height=\"{height}\"");
        let (width, height) = page.pixels(1);
        Ok(svg.replacen(&drawn, &format!("width=\"{width}\" height=\"{height}\""), 1))
    }

    /// The figure as a PNG file.
    ///
    /// # Errors
    /// [`Error::Draw`].
    pub fn png(&self) -> Result<Vec<u8>, Error> {
        font();
        let page = Page::of(self);
        let (width, height) = page.pixels(FINE);
        let mut pixels = vec![0; (width * height * 3) as usize];
        let area = BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area();
        self.draw(&Canvas::new(area, Type::BITMAP), &page)
            .map_err(|source| self.failed(&source))?;
        let fine = RgbImage::from_raw(width, height, pixels)
            .ok_or_else(|| self.failed(&"the buffer does not fit the page"))?;
        let (width, height) = page.pixels(DENSE);
        let smooth = image::imageops::thumbnail(&fine, width, height);
        let mut png = Vec::new();
        PngEncoder::new(&mut png)
            .write_image(&smooth, width, height, ExtendedColorType::Rgb8)
            .map_err(|source| self.failed(&source))?;
        Ok(png)
    }

    fn failed(&self, source: &dyn std::fmt::Display) -> Error {
        Error::Draw {
            title: self.title.clone(),
            source: source.to_string().into(),
        }
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, page: &Page) -> Drawn<DB> {
        canvas.fill(PAPER)?;
        canvas.text(&self.title, (MARGIN, 26.0), 19.0, INK, HPos::Left)?;
        if self.panels.is_empty() {
            canvas.text(
                "Nothing has been computed yet.",
                (MARGIN, 60.0),
                15.0,
                QUIET,
                HPos::Left,
            )?;
        }
        for (nth, panel) in self.panels.iter().enumerate() {
            let (column, row) = (nth % page.columns, nth / page.columns);
            let left = column as f64 * page.panel;
            let top = HEAD + row as f64 * PANEL;
            let mut room = 90.0_f64;
            for curve in &panel.curves {
                room = room.max(canvas.width(&curve.name, LABEL)?);
            }
            Frame::new(panel, left, top, page.panel - room - 45.0).draw(canvas)?;
        }
        key(self, canvas, page.height - FOOT)?;
        canvas.present()
    }
}

/// Registers the font, once a process.
fn font() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        // The font is compiled in and parsed by a test; plotters' error says nothing.
        let _ = register_font(FAMILY, FontStyle::Normal, FONT);
    });
}

const MARGIN: f64 = 20.0;
const HEAD: f64 = 48.0;
const PANEL: f64 = 430.0;
const FOOT: f64 = 40.0;
/// Size of the curves' names.
const LABEL: f64 = 13.5;

/// The size of the page in page units.
struct Page {
    columns: usize,
    panel: f64,
    width: f64,
    height: f64,
}

impl Page {
    fn of(figure: &Figure) -> Self {
        let columns = if figure.panels.len() > 1 { 2 } else { 1 };
        let panel = if columns == 1 { 900.0 } else { 680.0 };
        let rows = figure.panels.len().div_ceil(columns).max(1);
        Self {
            columns,
            panel,
            width: panel * columns as f64,
            height: HEAD + PANEL * rows as f64 + FOOT,
        }
    }

    fn pixels(&self, unit: u32) -> (u32, u32) {
        (self.width as u32 * unit, self.height as u32 * unit)
    }
}

/// One panel, placed.
struct Frame<'a> {
    panel: &'a Panel,
    /// Left and top of the panel with its headings.
    corner: (f64, f64),
    /// The plot from left to right: untouched and 0, break, learning rates.
    left: f64,
    broken: f64,
    right: f64,
    top: f64,
    bottom: f64,
    /// Decades at both ends of the axis.
    decades: (f64, f64),
    zero: bool,
}

impl<'a> Frame<'a> {
    /// `width` is that of the plot with its axis; the names to the right of it come on top.
    fn new(panel: &'a Panel, left: f64, top: f64, width: f64) -> Self {
        let measured = panel.curves.iter().flat_map(|curve| &curve.measured);
        let printed = panel.curves.iter().flat_map(|curve| &curve.printed);
        let lrs = measured
            .map(|(lr, _)| *lr)
            .chain(printed.map(|(lr, _)| *lr));
        let lrs: Vec<f64> = lrs.collect();
        let positive = || lrs.iter().filter(|lr| **lr > 0.0).map(|lr| lr.log10());
        let low = positive().fold(f64::INFINITY, f64::min);
        let high = positive().fold(f64::NEG_INFINITY, f64::max);
        let decades = if low > high {
            (-10.0, -5.0)
        } else {
            (low.min(high - 1.0), high)
        };
        let zero = lrs.contains(&0.0);
        let plot = left + 62.0;
        Self {
            panel,
            corner: (left, top),
            left: plot,
            broken: plot + if zero { 150.0 } else { 92.0 },
            right: left + width,
            top: top + if panel.paper.is_some() { 80.0 } else { 62.0 },
            bottom: top + PANEL - 62.0,
            decades,
            zero,
        }
    }

    /// The place of a learning rate. There is a little room on both sides of the decades.
    fn x(&self, lr: f64) -> f64 {
        if lr == 0.0 {
            return self.broken - 36.0;
        }
        let (low, high) = self.decades;
        let (left, right) = (self.broken + 34.0, self.right - 14.0);
        left + (lr.log10() - low) / (high - low) * (right - left)
    }

    fn untouched(&self) -> f64 {
        self.left + if self.zero { 52.0 } else { 44.0 }
    }

    fn y(&self, rate: f64) -> f64 {
        self.bottom + rate * (self.top - self.bottom)
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Drawn<DB> {
        self.axes(canvas)?;
        let look = |curve: &Curve| curve.look();
        for curve in &self.panel.curves {
            let above = positive(curve).map(|(lr, dot)| (self.x(lr), self.y(dot.high)));
            let below = positive(curve).map(|(lr, dot)| (self.x(lr), self.y(dot.low)));
            let below: Vec<_> = below.collect();
            let band: Vec<_> = above.chain(below.into_iter().rev()).collect();
            canvas.polygon(&band, look(curve).color, 0.13)?;
        }
        for curve in &self.panel.curves {
            let points = curve
                .printed
                .iter()
                .map(|(lr, rate)| (self.x(*lr), self.y(*rate)));
            let points: Vec<_> = points.collect();
            let color = look(curve).color;
            canvas.path(&points, color, 1.0, &PRINTED)?;
            for at in points {
                canvas.mark(look(curve).shape, at, 2.2, color, color)?;
            }
        }
        for (nth, curve) in self.panel.curves.iter().enumerate() {
            let Look { color, shape, dash } = look(curve);
            let points = positive(curve).map(|(lr, dot)| (self.x(lr), self.y(dot.rate)));
            let points: Vec<_> = points.collect();
            canvas.path(&points, *color, 2.25, dash)?;
            // To the left of the break nearly everything is 0: side by side, not on top of each other.
            let step = 48.0 / (self.panel.curves.len() as f64).max(4.0);
            let aside = (nth as f64 - (self.panel.curves.len() as f64 - 1.0) / 2.0) * step;
            let zero = curve.measured.iter().filter(|(lr, _)| *lr == 0.0);
            let zero = zero.map(|(_, dot)| (self.x(0.0) + aside, dot));
            let untouched = curve
                .untouched
                .iter()
                .map(|dot| (self.untouched() + aside, dot));
            for (x, dot) in untouched.chain(zero) {
                canvas.line((x, self.y(dot.low)), (x, self.y(dot.high)), *color, 1.5)?;
                self.dot(canvas, x, dot, *shape, *color)?;
            }
            // A band needs two points.
            if let ([(x, _)], Some((_, dot))) = (&points[..], positive(curve).next()) {
                canvas.line((*x, self.y(dot.low)), (*x, self.y(dot.high)), *color, 1.5)?;
            }
            for (lr, dot) in positive(curve) {
                self.dot(canvas, self.x(lr), &dot, *shape, *color)?;
            }
        }
        self.labels(canvas)
    }

    fn dot<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<DB>,
        x: f64,
        dot: &Dot,
        shape: Shape,
        color: RGBColor,
    ) -> Drawn<DB> {
        let fill = if dot.hollow { PAPER } else { color };
        canvas.mark(shape, (x, self.y(dot.rate)), 4.2, fill, color)
    }

    fn axes<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Drawn<DB> {
        let (left, top) = self.corner;
        canvas.text(
            &self.panel.title,
            (left + MARGIN, top + 12.0),
            16.0,
            INK,
            HPos::Left,
        )?;
        canvas.text(
            &self.panel.subtitle,
            (left + MARGIN, top + 33.0),
            13.0,
            QUIET,
            HPos::Left,
        )?;

        if let Some(paper) = &self.panel.paper {
            let at = (left + MARGIN, top + 51.0);
            canvas.text(paper, at, 13.0, QUIET, HPos::Left)?;
        }

        let shade = [
            (self.left, self.top),
            (self.broken - 5.0, self.top),
            (self.broken - 5.0, self.bottom),
            (self.left, self.bottom),
        ];
        canvas.polygon(&shade, SHADE, 1.0)?;
        for percent in [0, 20, 40, 60, 80, 100] {
            let y = self.y(f64::from(percent) / 100.0);
            canvas.line((self.left, y), (self.broken - 5.0, y), RULE, 1.0)?;
            canvas.line((self.broken + 5.0, y), (self.right, y), RULE, 1.0)?;
            let text = if percent == 100 {
                "100 %".to_owned()
            } else {
                percent.to_string()
            };
            canvas.text(&text, (self.left - 8.0, y), 13.0, QUIET, HPos::Right)?;
        }
        canvas.line(
            (self.left, self.bottom),
            (self.broken - 5.0, self.bottom),
            INK,
            1.25,
        )?;
        canvas.line(
            (self.broken + 5.0, self.bottom),
            (self.right, self.bottom),
            INK,
            1.25,
        )?;
        for x in [self.broken - 5.0, self.broken + 5.0] {
            canvas.line(
                (x - 3.0, self.bottom + 7.0),
                (x + 3.0, self.bottom - 7.0),
                INK,
                1.25,
            )?;
        }

        let ticks = self.bottom + 17.0;
        canvas.text(
            "untouched",
            (self.untouched(), ticks),
            13.0,
            INK,
            HPos::Center,
        )?;
        if self.zero {
            canvas.text("0", (self.x(0.0), ticks), 13.0, INK, HPos::Center)?;
        }
        let (low, high) = self.decades;
        for decade in low.ceil() as i32..=high.floor() as i32 {
            let x = self.x(10_f64.powi(decade));
            canvas.line((x, self.bottom), (x, self.bottom + 5.0), INK, 1.25)?;
            canvas.text(&power(decade), (x, ticks), 13.0, INK, HPos::Center)?;
        }
        let names = self.bottom + 38.0;
        let middle = (self.left + self.broken - 5.0) / 2.0;
        canvas.text("false alarms", (middle, names), 13.0, QUIET, HPos::Center)?;
        let middle = (self.broken + 5.0 + self.right) / 2.0;
        canvas.text("learning rate", (middle, names), 13.0, QUIET, HPos::Center)
    }

    /// The curves' names at their right ends, moved apart where the ends are close.
    fn labels<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Drawn<DB> {
        let ends = self.panel.curves.iter().filter_map(|curve| {
            let (lr, dot) = positive(curve).last()?;
            Some((curve, self.x(lr), self.y(dot.rate)))
        });
        let mut ends: Vec<_> = ends.collect();
        ends.sort_by(|a, b| a.2.total_cmp(&b.2));
        let wanted: Vec<f64> = ends.iter().map(|(_, _, y)| *y).collect();
        let heights = apart(&wanted, 18.0, self.top, self.bottom);
        for ((curve, x, y), height) in ends.into_iter().zip(heights) {
            let Look { color, shape, .. } = curve.look();
            let label = self.right + 12.0;
            canvas.line((x + 7.0, y), (label - 2.0, height), *color, 0.75)?;
            canvas.mark(*shape, (label + 5.0, height), 3.6, *color, *color)?;
            canvas.text(
                &curve.name,
                (label + 15.0, height),
                13.5,
                *color,
                HPos::Left,
            )?;
        }
        Ok(())
    }
}

/// The dash of the paper's curves.
const PRINTED: [f64; 2] = [3.0, 3.0];

/// The points of a curve that have a place on a logarithmic axis.
fn positive(curve: &Curve) -> impl Iterator<Item = (f64, Dot)> {
    curve.measured.iter().copied().filter(|(lr, _)| *lr > 0.0)
}

/// `10⁻⁷`.
fn power(exponent: i32) -> String {
    let raised = |c| match c {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        digit => char::from_u32(0x2070 + (digit as u32 - '0' as u32)).unwrap_or(digit),
    };
    let exponent = exponent.to_string();
    format!("10{}", exponent.chars().map(raised).collect::<String>())
}

/// Moves ascending heights apart to at least `gap`, within `top` and `bottom` as far as they fit, each as near to where it
/// was wanted as its neighbours allow.
fn apart(wanted: &[f64], gap: f64, top: f64, bottom: f64) -> Vec<f64> {
    let mut heights = wanted.to_vec();
    for _ in 0..100 {
        for i in 1..heights.len() {
            let overlap = gap - (heights[i] - heights[i - 1]);
            if overlap > 0.0 {
                heights[i - 1] -= overlap / 2.0;
                heights[i] += overlap / 2.0;
            }
        }
        for height in &mut heights {
            *height = height.clamp(top, bottom);
        }
    }
    heights
}

/// What the lines mean, below all panels.
fn key<DB: DrawingBackend>(figure: &Figure, canvas: &Canvas<DB>, y: f64) -> Drawn<DB> {
    let y = y + 12.0;
    let measured = LOOKS[3].color;
    let mut x = MARGIN;
    let say = |text: &str, x: f64| -> Result<f64, _> {
        canvas.text(text, (x, y), 13.0, INK, HPos::Left)?;
        Ok(x + canvas.width(text, 13.0)? + 28.0)
    };
    let band = [
        (x, y - 8.0),
        (x + 36.0, y - 8.0),
        (x + 36.0, y + 8.0),
        (x, y + 8.0),
    ];
    canvas.polygon(&band, measured, 0.13)?;
    canvas.line((x, y), (x + 36.0, y), measured, 2.25)?;
    canvas.mark(Shape::Circle, (x + 18.0, y), 4.2, measured, measured)?;
    x = say("measured, 95 % interval", x + 44.0)?;
    let mut dots = figure
        .panels
        .iter()
        .flat_map(|panel| &panel.curves)
        .flat_map(|curve| &curve.measured);
    if dots.any(|(_, dot)| dot.hollow) {
        canvas.mark(Shape::Square, (x + 4.0, y), 4.2, PAPER, LOOKS[1].color)?;
        canvas.mark(Shape::Triangle, (x + 18.0, y), 4.2, PAPER, LOOKS[2].color)?;
        x = say("all labels coincide: balance of labels", x + 30.0)?;
    }
    if figure.panels.iter().any(|panel| panel.paper.is_some()) {
        canvas.path(&[(x, y), (x + 36.0, y)], measured, 1.0, &PRINTED)?;
        canvas.mark(Shape::Circle, (x + 18.0, y), 2.2, measured, measured)?;
        say("printed in the paper", x + 44.0)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_font_is_a_font() {
        assert!(register_font("another", FontStyle::Normal, FONT).is_ok());
    }

    #[test]
    fn labels_never_overlap() {
        for wanted in [
            vec![0.0, 0.0, 0.0, 0.0],
            vec![300.0, 300.0, 300.0, 300.0],
            vec![100.0, 101.0, 102.0, 290.0],
            vec![0.0, 150.0, 300.0],
            vec![],
        ] {
            let heights = apart(&wanted, 18.0, 0.0, 300.0);
            for pair in heights.windows(2) {
                assert!(pair[1] - pair[0] > 17.5, "{wanted:?} {heights:?}");
            }
            assert!(heights.iter().all(|height| (0.0..=300.0).contains(height)));
        }
        assert_eq!(
            apart(&[0.0, 150.0], 18.0, 0.0, 300.0),
            [0.0, 150.0],
            "no need, no move"
        );
    }

    #[test]
    fn powers_are_raised() {
        assert_eq!(power(-10), "10⁻¹⁰");
        assert_eq!(power(4), "10⁴");
    }
}
