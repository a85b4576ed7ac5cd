//! Table II: detection of a backdoor.

use super::columns::Input;
use super::detection;
use super::paper::Paper;
use super::study::Study;
use super::subject::Subject;
use crate::document::Document;

const STUDY: Study = Study {
    name: "Table II",
    after: "after a backdoor was trained in",
    attack: Some("backdoor"),
    variable: None,
    heading: "attack",
    spread: true,
    verdicts: false,
    figure: None,
    paper: Paper::table2,
};

pub const SUBJECT: Subject = STUDY.subject();

pub fn build(input: &Input) -> Document {
    detection::build(&STUDY, input)
}
