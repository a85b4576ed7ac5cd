//! Every attack in one table, the only one that has one's own attacks.

use super::columns::Input;
use super::detection;
use super::paper::Paper;
use super::study::Study;
use super::subject::Subject;
use crate::document::Document;

const STUDY: Study = Study {
    name: "All attacks",
    after: "after each attack",
    attack: None,
    variable: None,
    heading: "attack",
    spread: true,
    verdicts: false,
    figure: None,
    paper: Paper::default,
};

pub const SUBJECT: Subject = STUDY.subject();

pub fn build(input: &Input) -> Document {
    detection::build(&STUDY, input)
}
