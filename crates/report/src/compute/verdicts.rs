//! The verdict of a whole set after every attack of a grid: a set detects if one of its pairs does.

use super::columns::Input;
use super::detection::Findings;
use super::paper::Paper;
use super::study::Study;
use super::subject::Subject;
use crate::document::Document;

pub const STUDY: Study = Study {
    name: "Verdicts of sets",
    after: "after each attack",
    attack: None,
    variable: None,
    heading: "attack",
    spread: true,
    verdicts: true,
    figure: None,
    paper: Paper::default,
};

pub const SUBJECT: Subject = STUDY.subject();

pub fn build(input: &Input) -> Document {
    let findings = Findings::of(&STUDY, input);
    let notes = vec![
        "pairs: in %. sets: runs in which at least one pair of the set changed, of all runs; a run is one attack seed asked with one \
         set."
            .to_owned(),
        "needed: pairs drawn at random from a set until one of them detects with 99.9 % probability, averaged over runs; – if even the \
         whole set does not. A pair is two queries."
            .to_owned(),
        "untouched: false alarms.".to_owned(),
    ];
    Document {
        tables: vec![
            findings.verdicts(
                ": pairs that change in %, and sets that detect, after each attack",
                notes,
            ),
            findings.of_samples(),
        ],
        data: findings.data(),
        figures: Vec::new(),
    }
}
