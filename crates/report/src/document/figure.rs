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
}
