//! Draws lines through points, on logarithmic axes where the numbers span decades.

use plotters::prelude::DrawingBackend;
use plotters::style::text_anchor::HPos;

use super::canvas::{Canvas, Drawn};
use super::page::{
    COLUMN, Drawing, INK, LINE, LOOKS, MARGIN, QUIET, RULE, SMALL, TITLE, draw_title, head, power,
    spread_labels,
};
use crate::document::figure::{Lines, Plot};

const HEIGHT: f64 = 270.0;

/// The numbers along one side of a plot.
struct Scale {
    log: bool,
    low: f64,
    high: f64,
}

impl Scale {
    /// Whether these numbers need a logarithmic scale: all are positive or 0, and the positive ones span a decade.
    fn spans_decades(values: impl Iterator<Item = f64>) -> bool {
        let (mut least, mut low, mut most) = (0.0, f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|value| value.is_finite()) {
            least = value.min(least);
            most = value.max(most);
            low = if value > 0.0 { value.min(low) } else { low };
        }
        least >= 0.0 && most >= 10.0 * low
    }

    /// A scale for these numbers, logarithmic from decade to decade if `log` and if a positive one is among them.
    fn of(values: impl Iterator<Item = f64> + Clone, log: bool) -> Self {
        let finite = || values.clone().filter(|value| value.is_finite());
        let least = finite().fold(f64::INFINITY, f64::min);
        let most = finite().fold(f64::NEG_INFINITY, f64::max);
        let positive = finite().filter(|value| *value > 0.0);
        let low = positive.fold(f64::INFINITY, f64::min);
        if log && least >= 0.0 && low <= most {
            return Self {
                log: true,
                low: low.log10().floor(),
                // One decade at least.
                high: most.log10().ceil().max(low.log10().floor() + 1.0),
            };
        }
        // Nothing at all, or one number only.
        let (low, high) = match (least.min(0.0), most.max(0.0)) {
            (low, high) if low < high => (low, high),
            _ => (0.0, 1.0),
        };
        let step = step(high - low);
        Self {
            log: false,
            low: (low / step).floor() * step,
            high: (high / step).ceil() * step,
        }
    }

    /// Where a number stands between the ends, from 0 to 1.
    fn place(&self, value: f64) -> Option<f64> {
        let value = if self.log { value.log10() } else { value };
        value
            .is_finite()
            .then(|| (value - self.low) / (self.high - self.low))
    }

    /// The numbers that are written, and how.
    fn ticks(&self) -> Vec<(f64, String)> {
        if self.log {
            let decades = self.low as i32..=self.high as i32;
            return decades
                .map(|decade| (10_f64.powi(decade), power(decade)))
                .collect();
        }
        let step = step(self.high - self.low);
        let decimals = (-step.log10().floor()).max(0.0) as usize;
        let count = ((self.high - self.low) / step).round() as i32;
        let values = (0..=count).map(|nth| self.low + f64::from(nth) * step);
        values
            .map(|value| (value, format!("{value:.decimals$}")))
            .collect()
    }
}

/// A round step of which four to ten go into `range`.
fn step(range: f64) -> f64 {
    let unit = 10_f64.powf((range / 4.0).log10().floor());
    let factors = [5.0, 2.0, 1.0];
    let fits = factors
        .into_iter()
        .find(|factor| factor * unit * 4.0 <= range);
    fits.unwrap_or(1.0) * unit
}

impl Drawing for Lines {
    fn title(&self) -> &str {
        &self.title
    }

    fn size(&self) -> (f64, f64) {
        let rows = self.plots.len().max(1);
        (COLUMN, head(&self.title) + rows as f64 * HEIGHT)
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Drawn<DB> {
        draw_title(canvas, &self.title)?;
        let mut top = head(&self.title);
        if self.plots.is_empty() {
            let at = (MARGIN, top + 8.0);
            canvas.text(
                "Nothing has been computed yet.",
                at,
                SMALL,
                QUIET,
                HPos::Left,
            )?;
        }
        // All plots have one kind of axis, so that their shapes compare.
        let any = |of: fn(&(f64, f64)) -> f64| {
            let mut plots = self.plots.iter();
            plots.any(|plot| Scale::spans_decades(plot.points().map(of)))
        };
        let logs = (any(|point| point.0), any(|point| point.1));
        for plot in &self.plots {
            plot.draw(canvas, top, logs)?;
            top += HEIGHT;
        }
        Ok(())
    }
}

impl Plot {
    /// The points of all lines.
    fn points(&self) -> impl Iterator<Item = &(f64, f64)> + Clone {
        self.lines.iter().flat_map(|line| &line.points)
    }

    fn draw<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<DB>,
        top: f64,
        logs: (bool, bool),
    ) -> Drawn<DB> {
        let mut room = 40.0_f64;
        for line in &self.lines {
            room = room.max(canvas.width(&line.name, SMALL)?);
        }
        let (begin, end) = (60.0, COLUMN - room - 40.0);
        let (ceiling, floor) = (top + 50.0, top + HEIGHT - 54.0);
        let (across, up) = (
            Scale::of(self.points().map(|(x, _)| *x), logs.0),
            Scale::of(self.points().map(|(_, y)| *y), logs.1),
        );
        let x = |value| Some(begin + across.place(value)? * (end - begin));
        let y = |value| Some(floor + up.place(value)? * (ceiling - floor));

        canvas.text(&self.title, (MARGIN, top + 8.0), TITLE, INK, HPos::Left)?;
        let below = (MARGIN, top + 8.0 + LINE);
        canvas.text(&self.y, below, SMALL, QUIET, HPos::Left)?;
        for (value, text) in up.ticks() {
            let Some(y) = y(value) else { continue };
            canvas.line((begin, y), (end, y), RULE, 1.0)?;
            canvas.text(&text, (begin - 8.0, y), SMALL, QUIET, HPos::Right)?;
        }
        canvas.line((begin, floor), (end, floor), INK, 1.25)?;
        for (value, text) in across.ticks() {
            let Some(x) = x(value) else { continue };
            canvas.line((x, floor), (x, floor + 5.0), INK, 1.25)?;
            canvas.text(&text, (x, floor + 17.0), SMALL, INK, HPos::Center)?;
        }
        let middle = ((begin + end) / 2.0, floor + 35.0);
        canvas.text(&self.x, middle, SMALL, QUIET, HPos::Center)?;

        let mut ends = Vec::new();
        for line in &self.lines {
            let look = &LOOKS[line.look % LOOKS.len()];
            let points = line.points.iter();
            let points: Vec<_> = points
                .filter_map(|(px, py)| Some((x(*px)?, y(*py)?)))
                .collect();
            canvas.path(&points, look.color, 2.25, look.dash)?;
            // Marks only as far as they do not hide the line.
            let every = points.len().div_ceil(12).max(1);
            for at in points.iter().step_by(every) {
                canvas.mark(look.shape, *at, 3.4, look.color, look.color)?;
            }
            ends.extend(points.last().map(|end| (line, look, *end)));
        }
        ends.sort_by(|a, b| a.2.1.total_cmp(&b.2.1));
        let wanted: Vec<f64> = ends.iter().map(|(_, _, (_, y))| *y).collect();
        let heights = spread_labels(&wanted, 18.0, ceiling, floor);
        for ((line, look, (x, y)), height) in ends.into_iter().zip(heights) {
            let label = end + 14.0;
            canvas.line((x + 6.0, y), (label - 2.0, height), look.color, 0.75)?;
            canvas.mark(
                look.shape,
                (label + 5.0, height),
                3.6,
                look.color,
                look.color,
            )?;
            canvas.text(
                &line.name,
                (label + 15.0, height),
                SMALL,
                look.color,
                HPos::Left,
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decades_get_a_logarithmic_scale() {
        let values = [0.003, 0.2, 4.0].into_iter();
        assert!(Scale::spans_decades(values.clone()));
        let scale = Scale::of(values, true);
        assert_eq!((scale.low, scale.high), (-3.0, 1.0));
        assert_eq!(scale.place(0.1), Some(0.5));
        assert_eq!(scale.place(0.0), None, "0 has no place there");
        assert_eq!(scale.ticks().len(), 5);
    }

    /// A plot beside one that needs it gets a logarithmic scale, too.
    #[test]
    fn a_scale_without_decades_may_be_logarithmic() {
        let values = [3.0, 4.5].into_iter();
        assert!(!Scale::spans_decades(values.clone()));
        let scale = Scale::of(values, true);
        assert_eq!((scale.log, scale.low, scale.high), (true, 0.0, 1.0));
    }

    #[test]
    fn others_get_a_linear_one_from_zero() {
        let scale = Scale::of([3.0, 4.5].into_iter(), false);
        assert_eq!((scale.low, scale.high), (0.0, 5.0));
        let ticks: Vec<_> = scale.ticks().into_iter().map(|(_, text)| text).collect();
        assert_eq!(ticks, ["0", "1", "2", "3", "4", "5"]);
        let values = [-0.3, 0.2].into_iter();
        assert!(!Scale::spans_decades(values.clone()));
        let scale = Scale::of(values, true);
        let ticks: Vec<_> = scale.ticks().into_iter().map(|(_, text)| text).collect();
        assert_eq!(ticks, ["-0.3", "-0.2", "-0.1", "0.0", "0.1", "0.2"]);
        let scale = Scale::of(std::iter::empty(), true);
        assert_eq!((scale.low, scale.high), (0.0, 1.0));
    }
}
