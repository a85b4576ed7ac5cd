//! Records in, tables and figures out.
//!
//! Data flows one way. [`Report::build`] computes a [`Document`] from [`Records`]: tables and figures as values. The rest of
//! the crate renders documents: as text, as data files, as figures and as one [`html`] page. So all formats show the same.
//!
//! The numbers that the [`paper`] prints stand beside ours where they can be compared. The crate opens no model and no
//! sample: all that it needs is in the records.

pub mod label;

mod compute;
mod document;
mod error;
mod records;
mod render;

pub use compute::detection::is_legend;
pub use compute::headline::Headline;
pub use compute::paper::{self, Comparability, Measure, Paper};
pub use compute::runs::runs;
pub use compute::steps::steps;
pub use compute::subject::{Probe, Subject};
pub use compute::{Entry, REPORTS, Report};
pub use document::Document;
pub use document::figure::{self, Figure};
pub use document::table::{Align, Cell, Heading, Row, Source, Table};
pub use error::Error;
pub use records::{NotRun, OpenRun, Records};
pub use render::html;
pub use render::markup::Markup;
pub use render::{write_all, write_runs};
