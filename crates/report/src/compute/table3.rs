//! Table III: detection of fine-tuning, by learning rate.

use super::columns::Input;
use super::detection;
use super::paper::Paper;
use super::study::{Study, Variable};
use super::subject::Subject;
use crate::document::Document;
use crate::document::figure::Axis;
use crate::document::table::Cell;

pub const STUDY: Study = Study {
    name: "Table III",
    after: "after fine-tuning",
    attack: Some("finetune"),
    variable: Some(Variable {
        field: "lr",
        value: |fields| fields.lr,
        column: "lr",
        unit: "1",
        show: Cell::Scientific,
        control: Some("lr 0: a control, fine-tuning that must not move a weight"),
    }),
    heading: "lr",
    spread: false,
    verdicts: false,
    figure: Some(Axis {
        title: "learning rate",
        percent: false,
        singles: false,
    }),
    paper: Paper::table3,
};

pub const SUBJECT: Subject = STUDY.subject();

pub fn build(input: &Input) -> Document {
    detection::build(&STUDY, input)
}
