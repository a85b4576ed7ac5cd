//! The paper's figure 1 of real numbers: the keyed margin on a plane through a pair, before and after the model changed.

/// Margins on a grid of points of a plane.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Columns and rows.
    pub size: (usize, usize),
    /// The margin at each point, row by row, from the bottom.
    pub margins: Vec<f32>,
    /// The first and the last column's place along the horizontal axis.
    pub x: (f64, f64),
    /// The first and the last row's place along the vertical axis.
    pub y: (f64, f64),
}

/// The boundary around a pair of samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Slice {
    pub(crate) title: String,
    /// What each panel shows, and its margins.
    pub(crate) panels: [(String, Field); 2],
    pub(crate) pair: [(f64, f64); 2],
}

impl Slice {
    /// Two panels of the same plane, the first of the model as delivered; `pair` is where the members are. The axes are
    /// L2 distances in pixel space. Both panels share one colour scale.
    ///
    /// # Panics
    /// If a field's margins are not one a point, or it has fewer than two columns or rows.
    pub fn new(title: &str, panels: [(String, Field); 2], pair: [(f64, f64); 2]) -> Self {
        for (_, Field { size, margins, .. }) in &panels {
            assert_eq!(size.0 * size.1, margins.len(), "a margin for each point");
            assert!(size.0 > 1 && size.1 > 1, "a plane needs two points a side");
        }
        Self {
            title: title.to_owned(),
            panels,
            pair,
        }
    }
}
