//! Figures as values: what is drawn, not how it looks.

mod bars;
mod lines;
mod rates;
mod sheet;
mod slice;

pub use bars::{Bar, Bars, BarsPanel, Strip};
pub use lines::{Line, Lines, Plot};
pub use rates::{Axis, Curve, Dot, Panel, Rates};
pub use sheet::Sheet;
pub use slice::{Field, Slice};

/// A figure.
#[derive(Clone, Debug, PartialEq)]
pub enum Figure {
    /// Detection rates of one attack.
    Rates(Rates),
    /// Rates side by side.
    Bars(Bars),
    /// Lines through points.
    Lines(Lines),
    /// Pictures of samples.
    Sheet(Sheet),
    /// The boundary around a pair of samples.
    Slice(Slice),
}

impl Figure {
    /// The figure for the page: of a sheet of samples only the first.
    pub(crate) fn excerpt(&self) -> Self {
        match self {
            Self::Sheet(sheet) => Self::Sheet(sheet.excerpt()),
            other => other.clone(),
        }
    }

    /// The figure with one panel each, or the plots of one title, for screens wider than a column of print, and what each part shows.
    pub(crate) fn parts(&self) -> Vec<(Self, String)> {
        let of = |panel: &str, title: &str| match panel.is_empty() {
            true => title.to_owned(),
            false => format!("{panel}: {title}"),
        };
        match self {
            Self::Rates(rates) if rates.panels.len() > 1 => {
                let parts = rates.panels.iter().map(|panel| {
                    let part = Rates {
                        panels: vec![panel.clone()],
                        ..rates.clone()
                    };
                    (Self::Rates(part), of(&panel.title, &rates.title))
                });
                parts.collect()
            }
            Self::Bars(bars) if bars.panels.len() > 1 => {
                let parts = bars.panels.iter().map(|panel| {
                    let part = Bars {
                        panels: vec![panel.clone()],
                        ..bars.clone()
                    };
                    (Self::Bars(part), of(&panel.title, &bars.title))
                });
                parts.collect()
            }
            Self::Lines(lines) if !lines.plots.is_empty() => {
                let same = lines.plots.chunk_by(|a, b| a.title == b.title);
                let parts = same.map(|plots| {
                    let part = Lines {
                        plots: plots.to_vec(),
                        ..lines.clone()
                    };
                    (Self::Lines(part), of(&plots[0].title, &lines.title))
                });
                parts.collect()
            }
            whole => {
                let title = whole.title().to_owned();
                vec![(whole.clone(), title)]
            }
        }
    }
}
