//! Draws bars side by side: false alarms first, in a colour of their own, then detection.

use plotters::prelude::DrawingBackend;
use plotters::style::RGBColor;
use plotters::style::text_anchor::HPos;

use super::canvas::{At, Canvas, Drawn};
use super::page::{
    COLUMN, Drawing, INK, LINE, LOOKS, MARGIN, QUIET, RULE, SHADE, SMALL, TITLE, draw_title, head,
    wrap,
};
use crate::document::figure::{Bar, Bars, BarsPanel, Strip};

/// Above the rows of a line of strips: three lines over each strip.
const HEADINGS: f64 = 62.0;
/// Below the rows: the numbers of the axis.
const AXIS: f64 = 28.0;
/// The title of a panel.
const ABOVE: f64 = 22.0;
/// Below all panels: what the bars are.
const FOOT: f64 = 44.0;
/// The width of the names, and of a strip with the gap after it.
const NAMES: f64 = 160.0;
const STRIP: f64 = 98.0;
/// The most strips side by side. More continue below.
const ABREAST: usize = 3;
/// From 0 to 100 %.
const FULL: f64 = 52.0;

/// What stands below all panels.
const WORDS: &str = "Pairs that change in %, with 95 % intervals. Good samples raise few false alarms and detect much.";

/// The colours of false alarms and of detection, which also differ in grey.
const ALARM: RGBColor = LOOKS[1].color;
const DETECTION: RGBColor = LOOKS[3].color;

impl BarsPanel {
    /// The lines of each name.
    fn names(&self) -> Vec<Vec<String>> {
        let names = self.names.iter();
        names.map(|name| wrap(name, NAMES - 14.0, SMALL)).collect()
    }

    /// The heights of the rows: those of their names.
    fn rows(&self) -> Vec<f64> {
        let names = self.names().into_iter();
        names
            .map(|name| LINE * name.len().max(1) as f64 + 4.0)
            .collect()
    }

    fn line_height(&self) -> f64 {
        HEADINGS + self.rows().iter().sum::<f64>() + AXIS
    }

    fn height(&self) -> f64 {
        ABOVE + self.line_height() * self.strips.len().div_ceil(ABREAST) as f64
    }
}

impl Drawing for Bars {
    fn title(&self) -> &str {
        &self.title
    }

    fn size(&self) -> (f64, f64) {
        let height: f64 = self.panels.iter().map(BarsPanel::height).sum();
        (COLUMN, head(&self.title) + height + FOOT)
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Drawn<DB> {
        draw_title(canvas, &self.title)?;
        let mut top = head(&self.title);
        for panel in &self.panels {
            let title = (MARGIN, top + 8.0);
            canvas.text(&panel.title, title, TITLE, INK, HPos::Left)?;
            top += ABOVE;
            for strips in panel.strips.chunks(ABREAST) {
                draw_line(canvas, panel, strips, top)?;
                top += panel.line_height();
            }
        }
        let words = match self.panels.is_empty() {
            true => "Nothing has been computed yet.",
            false => WORDS,
        };
        for (nth, line) in wrap(words, COLUMN - 2.0 * MARGIN, SMALL).iter().enumerate() {
            let at = (MARGIN, top + 8.0 + LINE * nth as f64);
            canvas.text(line, at, SMALL, QUIET, HPos::Left)?;
        }
        Ok(())
    }
}

/// Some strips of a panel, side by side.
fn draw_line<DB: DrawingBackend>(
    canvas: &Canvas<DB>,
    panel: &BarsPanel,
    strips: &[Strip],
    top: f64,
) -> Drawn<DB> {
    let left = MARGIN + NAMES;
    let right = left + strips.len() as f64 * STRIP;
    let first = top + HEADINGS;
    let mut below = first;
    let mut middles = Vec::new();
    for (row, (name, height)) in panel.names().iter().zip(panel.rows()).enumerate() {
        let above = below;
        below += height;
        middles.push(above + height / 2.0);
        if row % 2 == 0 {
            let band = [
                (MARGIN, above),
                (right, above),
                (right, below),
                (MARGIN, below),
            ];
            canvas.polygon(&band, SHADE, 1.0)?;
        }
        let middle = (name.len() as f64 - 1.0) / 2.0;
        for (nth, line) in name.iter().enumerate() {
            let y = middles[row] + LINE * (nth as f64 - middle);
            canvas.text(line, (left - 10.0, y), SMALL, INK, HPos::Right)?;
        }
    }
    for (nth, strip) in strips.iter().enumerate() {
        let left = left + nth as f64 * STRIP;
        draw_strip(canvas, strip, left, (first, below), &middles)?;
    }
    Ok(())
}

fn draw_strip<DB: DrawingBackend>(
    canvas: &Canvas<DB>,
    strip: &Strip,
    left: f64,
    (first, last): (f64, f64),
    middles: &[f64],
) -> Drawn<DB> {
    let color = if strip.alarm { ALARM } else { DETECTION };
    canvas.text(&strip.title, (left, first - 50.0), SMALL, color, HPos::Left)?;
    for (line, words) in strip.below.iter().enumerate() {
        let at = (left, first - 32.0 + LINE * line as f64);
        canvas.text(words, at, SMALL, QUIET, HPos::Left)?;
    }
    for (share, tick) in [(0.0, "0"), (0.5, ""), (1.0, "100")] {
        let x = left + share * FULL;
        canvas.line((x, first - 4.0), (x, last + 4.0), RULE, 1.0)?;
        canvas.text(tick, (x, last + 14.0), SMALL, QUIET, HPos::Center)?;
    }
    for (bar, middle) in strip.bars.iter().zip(middles) {
        let at = (left, *middle);
        match bar {
            Some(bar) => draw_bar(canvas, *bar, at, color)?,
            None => canvas.text("–", at, SMALL, QUIET, HPos::Left)?,
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
    canvas.text(&number, (left + FULL + 6.0, y), SMALL, INK, HPos::Left)
}
