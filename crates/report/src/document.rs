//! Documents: tables and figures as values, the same for every format.

pub mod figure;
pub mod table;

use figure::Figure;
use table::Table;

/// What a report says: tables for people, one for data files, and figures.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// The tables for people, the most important first.
    pub tables: Vec<Table>,
    /// Everything in long form, for data files.
    pub data: Table,
    /// The figures, each with the end of its files' names: empty if it is the only one.
    pub figures: Vec<(String, Figure)>,
}
