//! Draws bars side by side: false alarms first, in a colour of their own, then detection.

use plotters::prelude::DrawingBackend;
use plotters::style::RGBColor;
use plotters::style::text_anchor::HPos;

use super::canvas::{At, Canvas, Drawn};
use super::page::{Drawing, INK, LOOKS, MARGIN, QUIET, RULE, SHADE};
use crate::document::figure::{Bar, Bars, BarsPanel, Strip};

/// Above the first panel: the title of the figure.
const HEAD: f64 = 44.0;
/// Above the rows of a line of strips: the panel's title, and three lines over each strip.
const HEADINGS: f64 = 102.0;
/// Below the rows: the numbers of the axis.
const AXIS: f64 = 36.0;
/// Below all panels: what the bars are.
const FOOT: f64 = 36.0;
const ROW: f64 = 30.0;
/// The width of the names, and of a strip with the gap after it.
const NAMES: f64 = 300.0;
const STRIP: f64 = 178.0;
/// The most strips side by side. More continue below.
const ABREAST: usize = 7;
/// From 0 to 100 %.
const FULL: f64 = 92.0;
/// Size of words.
const LABEL: f64 = 15.0;

/// The colours of false alarms and of detection, which also differ in grey.
const ALARM: RGBColor = LOOKS[1].color;
const DETECTION: RGBColor = LOOKS[3].color;

impl BarsPanel {
    fn line_height(&self) -> f64 {
        HEADINGS + self.names.len() as f64 * ROW + AXIS
    }

    fn height(&self) -> f64 {
        self.line_height() * self.strips.len().div_ceil(ABREAST) as f64
    }
}

impl Drawing for Bars {
    fn title(&self) -> &str {
        &self.title
    }

    fn size(&self) -> (f64, f64) {
        let strips = self.panels.iter().map(|panel| panel.strips.len()).max();
        let strips = strips.unwrap_or(0).clamp(4, ABREAST) as f64;
        let height: f64 = self.panels.iter().map(BarsPanel::height).sum();
        (2.0 * MARGIN + NAMES + strips * STRIP, HEAD + height + FOOT)
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Drawn<DB> {
        canvas.text(&self.title, (MARGIN, 26.0), 19.0, INK, HPos::Left)?;
        let mut top = HEAD;
        for panel in &self.panels {
            for strips in panel.strips.chunks(ABREAST) {
                draw_line(canvas, panel, strips, top)?;
                top += panel.line_height();
            }
        }
        let words = match self.panels.is_empty() {
            true => "Nothing has been computed yet.",
            false => {
                "Pairs that change in %, with 95 % intervals. Good samples raise few false alarms and detect much."
            }
        };
        canvas.text(words, (MARGIN, top + 12.0), 13.0, QUIET, HPos::Left)
    }
}

/// Some strips of a panel, side by side.
fn draw_line<DB: DrawingBackend>(
    canvas: &Canvas<DB>,
    panel: &BarsPanel,
    strips: &[Strip],
    top: f64,
) -> Drawn<DB> {
    canvas.text(&panel.title, (MARGIN, top + 16.0), 16.0, INK, HPos::Left)?;
    let left = MARGIN + NAMES;
    let right = left + strips.len() as f64 * STRIP;
    let first = top + HEADINGS;
    for (row, name) in panel.names.iter().enumerate() {
        let (above, below) = (first + row as f64 * ROW, first + (row + 1) as f64 * ROW);
        if row % 2 == 0 {
            let band = [
                (MARGIN, above),
                (right, above),
                (right, below),
                (MARGIN, below),
            ];
            canvas.polygon(&band, SHADE, 1.0)?;
        }
        let at = (left - 12.0, above + ROW / 2.0);
        canvas.text(name, at, LABEL, INK, HPos::Right)?;
    }
    for (nth, strip) in strips.iter().enumerate() {
        draw_strip(canvas, strip, (left + nth as f64 * STRIP, first))?;
    }
    Ok(())
}

fn draw_strip<DB: DrawingBackend>(
    canvas: &Canvas<DB>,
    strip: &Strip,
    (left, first): At,
) -> Drawn<DB> {
    let color = if strip.alarm { ALARM } else { DETECTION };
    let last = first + strip.bars.len() as f64 * ROW;
    canvas.text(&strip.title, (left, first - 54.0), LABEL, color, HPos::Left)?;
    for (line, words) in strip.below.iter().enumerate() {
        let at = (left, first - 36.0 + 18.0 * line as f64);
        canvas.text(words, at, 13.0, QUIET, HPos::Left)?;
    }
    for (share, tick) in [(0.0, "0"), (0.5, "50"), (1.0, "100")] {
        let x = left + share * FULL;
        canvas.line((x, first - 4.0), (x, last + 4.0), RULE, 1.0)?;
        canvas.text(tick, (x, last + 15.0), 12.0, QUIET, HPos::Center)?;
    }
    for (row, bar) in strip.bars.iter().enumerate() {
        let at = (left, first + (row as f64 + 0.5) * ROW);
        match bar {
            Some(bar) => draw_bar(canvas, *bar, at, color)?,
            None => canvas.text("–", at, 13.0, QUIET, HPos::Left)?,
        }
    }
    Ok(())
}

fn draw_bar<DB: DrawingBackend>(
    canvas: &Canvas<DB>,
    bar: Bar,
    (left, y): At,
    color: RGBColor,
) -> Drawn<DB> {
    let x = |share: f64| left + share.clamp(0.0, 1.0) * FULL;
    let corners = [
        (left, y - 7.0),
        (x(bar.rate), y - 7.0),
        (x(bar.rate), y + 7.0),
        (left, y + 7.0),
    ];
    canvas.polygon(&corners, color, 0.45)?;
    canvas.line((x(bar.low), y), (x(bar.high), y), color, 2.0)?;
    // A rate of 0 has no bar, but it is a result.
    canvas.line((x(bar.rate), y - 7.0), (x(bar.rate), y + 7.0), color, 2.5)?;
    let number = format!("{:.1}", 100.0 * bar.rate);
    canvas.text(&number, (left + FULL + 8.0, y), 13.0, INK, HPos::Left)
}
