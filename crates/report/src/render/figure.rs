//! Draws figures. [`Figure::svg`] and [`Figure::png`] show the same.

mod bars;
mod canvas;
mod compact;
mod lines;
mod page;
mod rates;
mod sheet;
mod slice;

use crate::document::figure::Figure;
use crate::error::Error;
use page::Drawing;

/// Does the same with whatever figure it is.
macro_rules! each {
    ($figure:expr, $method:ident) => {
        match $figure {
            Self::Rates(figure) => figure.$method(),
            Self::Bars(figure) => figure.$method(),
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
