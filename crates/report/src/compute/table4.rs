//! Table IV: detection of quantisation.

use super::columns::Input;
use super::detection;
use super::paper::Paper;
use super::study::{Study, Variable};
use super::subject::Subject;
use crate::document::Document;
use crate::document::table::Cell;

const STUDY: Study = Study {
    name: "Table IV",
    after: "after quantisation",
    attack: Some("quantize"),
    variable: Some(Variable {
        field: "bits",
        value: |fields| fields.bits,
        column: "bits",
        unit: "bit",
        show: |bits| Cell::text(format!("{bits} bit")),
        control: None,
    }),
    heading: "quantised to",
    spread: true,
    verdicts: false,
    figure: None,
    paper: Paper::table4,
};

pub const SUBJECT: Subject = STUDY.subject();

pub fn build(input: &Input) -> Document {
    detection::build(&STUDY, input)
}
