//! Lines through points: any quantity against another.

/// Plots side by side.
#[derive(Clone, Debug, PartialEq)]
pub struct Lines {
    /// What it shows, and at which scale.
    pub title: String,
    /// Two a row.
    pub plots: Vec<Plot>,
}

/// One pair of axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Plot {
    /// What it is about.
    pub title: String,
    /// What the horizontal axis says.
    pub x: String,
    /// What the vertical axis says.
    pub y: String,
    /// The lines.
    pub lines: Vec<Line>,
}

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// What it is about.
    pub name: String,
    /// Which look it has.
    pub look: usize,
    /// Its points, from left to right; those that have no place on a logarithmic axis are left out.
    pub points: Vec<(f64, f64)>,
}
