//! Figure 3: detection of pruning, by the share of weights pruned. The paper prints no numbers.

use super::columns::Input;
use super::detection;
use super::paper::Paper;
use super::study::{Study, Variable};
use super::subject::Subject;
use crate::document::Document;
use crate::document::figure::Axis;
use crate::document::table::Cell;

const STUDY: Study = Study {
    name: "Figure 3",
    after: "after pruning",
    attack: Some("prune"),
    variable: Some(Variable {
        field: "rate",
        value: |fields| fields.rate,
        // `rate` is the detection rate there.
        column: "pruned",
        unit: "share",
        show: |share| Cell::text(format!("{} %", significant(100.0 * share))),
        control: None,
    }),
    heading: "pruned",
    spread: false,
    verdicts: false,
    figure: Some(Axis {
        title: "share of weights pruned",
        percent: true,
        singles: true,
    }),
    paper: Paper::default,
};

pub const SUBJECT: Subject = STUDY.subject();

pub fn build(input: &Input) -> Document {
    detection::build(&STUDY, input)
}

/// A number without the digits that a factor of 100 adds: 0.1 rather than 0.10000000000000002.
fn significant(value: f64) -> f64 {
    format!("{value:.6e}").parse().unwrap_or(value)
}
