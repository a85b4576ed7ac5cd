//! False alarms: the untouched model in another arithmetic, transport or engine.

use super::columns::Input;
use super::detection::Findings;
use super::paper::Paper;
use super::study::Study;
use super::subject::{EXECUTION, Subject};
use crate::document::Document;

const STUDY: Study = Study {
    name: "False alarms",
    after: "in another execution of the same weights",
    attack: Some(EXECUTION),
    variable: None,
    heading: "execution",
    spread: true,
    verdicts: true,
    figure: None,
    paper: Paper::default,
};

pub const SUBJECT: Subject = STUDY.subject();

pub fn build(input: &Input) -> Document {
    let findings = Findings::of(&STUDY, input);
    let notes = vec![
        "pairs: in %. sets: sets of which at least one pair changed, of all sets asked: each is a false alarm; intervals are in the data files.".to_owned(),
        "untouched: this engine, asked again in other batch sizes, orders and numbers of threads.".to_owned(),
    ];
    let what = ": pairs that change in %, and sets that raise an alarm, in another execution of the same weights";
    Document {
        tables: vec![
            findings.alarms(what, notes),
            findings.noise(),
            findings.of_samples(),
        ],
        data: findings.data(),
        figures: Vec::new(),
    }
}
