//! Figures as values. How each looks is up to its own file; [`Figure::svg`] and [`Figure::png`] show the same.

mod canvas;
mod lines;
mod page;
mod rates;
mod sheet;
mod slice;

pub use crate::study::Axis;
pub use lines::{Line, Lines, Plot};
pub use rates::{Curve, Dot, Panel, Rates};
pub use sheet::{Sheet, sheet};
pub use slice::{Field, Slice, slice};

use crate::Error;
use page::Drawing;

/// A figure.
#[derive(Clone, Debug, PartialEq)]
pub enum Figure {
    /// Detection rates of one attack.
    Rates(Rates),
    /// Lines through points.
    Lines(Lines),
    /// Pictures of samples.
    Sheet(Sheet),
    /// The boundary around a pair of samples.
    Slice(Slice),
}

/// Does the same with whatever figure it is.
macro_rules! each {
    ($figure:expr, $method:ident) => {
        match $figure {
            Self::Rates(figure) => figure.$method(),
            Self::Lines(figure) => figure.$method(),
            Self::Sheet(figure) => figure.$method(),
            Self::Slice(figure) => figure.$method(),
        }
    };
}

impl Figure {
    /// What it shows, and at which scale.
    pub fn title(&self) -> &str {
        each!(self, title)
    }

    /// The figure as SVG text.
    ///
    /// # Errors
    /// [`Error::Draw`].
    pub fn svg(&self) -> Result<String, Error> {
        each!(self, svg)
    }

    /// The figure as a PNG file.
    ///
    /// # Errors
    /// [`Error::Draw`].
    pub fn png(&self) -> Result<Vec<u8>, Error> {
        each!(self, png)
    }
}
