//! Panels with direct labels, readable in grey (every generator has its own mark and dash), false alarms to the left of a
//! broken axis.

use plotters::prelude::DrawingBackend;
use plotters::style::RGBColor;
use plotters::style::text_anchor::HPos;

use super::canvas::{Canvas, Drawn, Shape};
use super::page::{
    COLUMN, Drawing, INK, LINE, LOOKS, Look, MARGIN, PAPER, QUIET, RULE, SHADE, SMALL, TITLE,
    draw_title, head, percent, power, spread_labels, wrap,
};
use crate::document::figure::{Axis, Curve, Dot, Panel, Rates};

impl Curve {
    fn look(&self) -> &'static Look {
        &LOOKS[self.look % LOOKS.len()]
    }

    /// The width of its line, and the size of its marks.
    fn weight(&self) -> (f64, f64) {
        if self.single { (1.0, 2.8) } else { (2.25, 4.2) }
    }
}

impl Drawing for Rates {
    fn title(&self) -> &str {
        &self.title
    }

    fn size(&self) -> (f64, f64) {
        let panels: f64 = self.panels.iter().map(height).sum();
        (COLUMN, head(&self.title) + panels.max(24.0) + FOOT)
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Drawn<DB> {
        draw_title(canvas, &self.title)?;
        let mut top = head(&self.title);
        if self.panels.is_empty() {
            let at = (MARGIN, top + 8.0);
            canvas.text(
                "Nothing has been computed yet.",
                at,
                SMALL,
                QUIET,
                HPos::Left,
            )?;
        }
        for panel in &self.panels {
            let mut room = 60.0_f64;
            for curve in &panel.curves {
                room = room.max(canvas.width(&curve.name, SMALL)?);
            }
            Frame::new(panel, self.axis, top, COLUMN - room - 30.0).draw(canvas)?;
            top += height(panel);
        }
        key(self, canvas, top)
    }
}

/// The plot with its axis and what stands below that.
const PLOT: f64 = 236.0;
const FOOT: f64 = 48.0;
/// The decade of the learning rate that readers look for first, and that is always named.
const ASKED: i32 = -8;
/// The least distance between two numbers of an axis of shares, and of learning rates, which are shorter.
const APART: f64 = 44.0;
const APART_RATES: f64 = 39.0;

/// The height of a panel with its headings.
fn height(panel: &Panel) -> f64 {
    LINE * (1 + lines(panel).len()) as f64 + PLOT
}

/// What stands below the title of a panel.
fn lines(panel: &Panel) -> Vec<String> {
    let lines = panel.lines.iter();
    lines
        .flat_map(|line| wrap(line, COLUMN - 2.0 * MARGIN, SMALL))
        .collect()
}

/// One panel, placed.
struct Frame<'a> {
    panel: &'a Panel,
    axis: Axis,
    /// The top of the panel with its headings.
    head: f64,
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
    /// `width` covers the plot and its axis, without the names to the right.
    fn new(panel: &'a Panel, axis: Axis, top: f64, width: f64) -> Self {
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
        let plot = 54.0;
        Self {
            panel,
            axis,
            head: top,
            left: plot,
            broken: plot + if zero { 108.0 } else { 82.0 },
            right: width,
            top: top + LINE * (1 + lines(panel).len()) as f64 + 12.0,
            bottom: top + height(panel) - 54.0,
            decades,
            zero,
        }
    }

    /// The place of a learning rate. There is a little room on both sides of the decades.
    fn x(&self, lr: f64) -> f64 {
        if lr == 0.0 {
            return self.broken - 18.0;
        }
        let (low, high) = self.decades;
        let (left, right) = (self.broken + 22.0, self.right - 12.0);
        left + (lr.log10() - low) / (high - low) * (right - left)
    }

    fn untouched(&self) -> f64 {
        self.left + 38.0
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
            canvas.polygon(
                &band,
                look(curve).color,
                if curve.single { 0.06 } else { 0.13 },
            )?;
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
            let (width, radius) = curve.weight();
            canvas.path(&points, *color, width, dash)?;
            // To the left of the break nearly everything is 0: side by side, not on top of each other.
            let step = 44.0 / (self.panel.curves.len() as f64).max(4.0);
            let aside = (nth as f64 - (self.panel.curves.len() as f64 - 1.0) / 2.0) * step;
            let zero = curve.measured.iter().filter(|(lr, _)| *lr == 0.0);
            let zero = zero.map(|(_, dot)| (self.x(0.0) + aside, dot));
            let untouched = curve
                .untouched
                .iter()
                .map(|dot| (self.untouched() + aside, dot));
            for (x, dot) in untouched.chain(zero) {
                canvas.line((x, self.y(dot.low)), (x, self.y(dot.high)), *color, 1.5)?;
                self.dot(canvas, x, dot, (*shape, radius), *color)?;
            }
            // A band needs two points.
            if let ([(x, _)], Some((_, dot))) = (&points[..], positive(curve).next()) {
                canvas.line((*x, self.y(dot.low)), (*x, self.y(dot.high)), *color, 1.5)?;
            }
            for (lr, dot) in positive(curve) {
                self.dot(canvas, self.x(lr), &dot, (*shape, radius), *color)?;
            }
        }
        self.labels(canvas)
    }

    fn dot<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<DB>,
        x: f64,
        dot: &Dot,
        (shape, radius): (Shape, f64),
        color: RGBColor,
    ) -> Drawn<DB> {
        let fill = if dot.hollow { PAPER } else { color };
        canvas.mark(shape, (x, self.y(dot.rate)), radius, fill, color)
    }

    fn axes<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Drawn<DB> {
        let title = (MARGIN, self.head + 8.0);
        canvas.text(&self.panel.title, title, TITLE, INK, HPos::Left)?;
        for (row, line) in lines(self.panel).iter().enumerate() {
            let at = (MARGIN, self.head + 8.0 + LINE * (row + 1) as f64);
            canvas.text(line, at, SMALL, QUIET, HPos::Left)?;
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
            canvas.text(&text, (self.left - 8.0, y), SMALL, QUIET, HPos::Right)?;
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
            SMALL,
            INK,
            HPos::Center,
        )?;
        if self.zero {
            canvas.text("0", (self.x(0.0), ticks), SMALL, INK, HPos::Center)?;
        }
        let (low, high) = self.decades;
        let decades = low.ceil() as i32..=high.floor() as i32;
        let pitch = self.x(10.0) - self.x(1.0);
        let apart = if self.axis.percent {
            APART
        } else {
            APART_RATES
        };
        let every = (apart / pitch).ceil().max(1.0) as u32;
        // One is always named: the one that readers look for, or else the last.
        let last = *decades.end();
        let named = match self.axis.percent || !decades.contains(&ASKED) {
            true => last,
            false => ASKED,
        };
        for decade in decades {
            let x = self.x(10_f64.powi(decade));
            canvas.line((x, self.bottom), (x, self.bottom + 5.0), INK, 1.25)?;
            if !(decade - named).unsigned_abs().is_multiple_of(every) {
                continue;
            }
            let text = if self.axis.percent {
                percent(decade)
            } else {
                power(decade)
            };
            canvas.text(&text, (x, ticks), SMALL, INK, HPos::Center)?;
        }
        // Where the axis ends between two decades.
        let end = 10_f64.powf(high);
        if self.axis.percent && (high - high.floor()) * pitch > APART {
            let x = self.x(end);
            canvas.line((x, self.bottom), (x, self.bottom + 5.0), INK, 1.25)?;
            let text = format!("{:.0} %", 100.0 * end);
            canvas.text(&text, (x, ticks), SMALL, INK, HPos::Center)?;
        }
        let names = self.bottom + 35.0;
        let middle = (self.left + self.broken - 5.0) / 2.0;
        canvas.text("false alarms", (middle, names), SMALL, QUIET, HPos::Center)?;
        let middle = (self.broken + 5.0 + self.right) / 2.0;
        canvas.text(self.axis.title, (middle, names), SMALL, QUIET, HPos::Center)
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
        let heights = spread_labels(&wanted, 18.0, self.top, self.bottom);
        for ((curve, x, y), height) in ends.into_iter().zip(heights) {
            let Look { color, shape, .. } = curve.look();
            let label = self.right + 8.0;
            // Dotted: where a curve ends early, a line would look like more of it.
            let leader = [(x + 7.0, y), (label - 2.0, height)];
            canvas.path(&leader, *color, 1.0, &[1.5, 4.0])?;
            let radius = if curve.single { 2.4 } else { 3.6 };
            canvas.mark(*shape, (label + 5.0, height), radius, *color, *color)?;
            canvas.text(
                &curve.name,
                (label + 15.0, height),
                SMALL,
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

/// What the lines mean, below all panels.
fn key<DB: DrawingBackend>(figure: &Rates, canvas: &Canvas<DB>, y: f64) -> Drawn<DB> {
    let y = y + 10.0;
    let measured = LOOKS[3].color;
    let band = [
        (MARGIN, y - 8.0),
        (MARGIN + 30.0, y - 8.0),
        (MARGIN + 30.0, y + 8.0),
        (MARGIN, y + 8.0),
    ];
    let say = |text: &str, x: f64, y: f64| canvas.text(text, (x, y), SMALL, INK, HPos::Left);
    canvas.polygon(&band, measured, 0.13)?;
    canvas.line((MARGIN, y), (MARGIN + 30.0, y), measured, 2.25)?;
    canvas.mark(Shape::Circle, (MARGIN + 15.0, y), 4.2, measured, measured)?;
    say("measured, 95 % interval", MARGIN + 38.0, y)?;
    let curves = || figure.panels.iter().flat_map(|panel| &panel.curves);
    if curves().any(|curve| !curve.printed.is_empty()) {
        let x = COLUMN / 2.0;
        canvas.path(&[(x, y), (x + 30.0, y)], measured, 1.0, &PRINTED)?;
        canvas.mark(Shape::Circle, (x + 15.0, y), 2.2, measured, measured)?;
        say("printed in the paper", x + 38.0, y)?;
    }
    let mut dots = curves().flat_map(|curve| &curve.measured);
    if dots.any(|(_, dot)| dot.hollow) {
        let y = y + LINE;
        canvas.mark(Shape::Square, (MARGIN + 6.0, y), 4.2, PAPER, LOOKS[1].color)?;
        canvas.mark(
            Shape::Triangle,
            (MARGIN + 22.0, y),
            4.2,
            PAPER,
            LOOKS[2].color,
        )?;
        say("in some run all labels became one", MARGIN + 38.0, y)?;
    }
    Ok(())
}
