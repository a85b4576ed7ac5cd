//! Fine-tuning the other way round: a row for each kind of samples, a column for each setting of the attack. A grid that makes
//! many kinds of samples fits a page like this.

use super::aggregate::Block;
use super::columns::{Column, Input, number};
use super::detection::{self, Answers, COUNTED, Findings, Kind, seeds, sets};
use super::paper::Paper;
use super::study::{Setting, Study};
use super::subject::Subject;
use super::table3;
use crate::document::Document;
use crate::document::table::{Cell, Table};

/// What the paper leaves open about samples, judged by fine-tuning as in Table III.
const STUDY: Study = Study {
    name: "Samples made otherwise",
    figure: None,
    paper: Paper::default,
    ..table3::STUDY
};

pub const SUBJECT: Subject = STUDY.subject();

/// Rates after fine-tuning by kind of samples, their counts, and what is known of the samples.
pub fn build(input: &Input) -> Document {
    let findings = Findings::of(&STUDY, input);
    let what = format!(": detection rate of pairs in % {}", STUDY.after);
    let mut rates = by_samples(&findings, &what, |answers| findings.rate_cell(answers));
    rates.notes = notes(&findings, &rates);
    let what = ", counts and 95 % intervals in %";
    let mut counts = by_samples(&findings, what, |answers| {
        detection::counted(answers.rate())
    });
    counts.notes = vec![format!("{COUNTED}.")];
    Document {
        tables: vec![rates, counts, findings.of_samples()],
        data: findings.data(),
        figures: Vec::new(),
    }
}

/// A row for each kind of samples, a column for each setting and one for the untouched model.
fn by_samples<'a>(
    findings: &'a Findings<'a>,
    what: &str,
    cell: impl Fn(&Answers<'a>) -> Cell + Copy + 'a,
) -> Table {
    let mut settings: Vec<&Setting> = findings.blocks.iter().flat_map(Block::settings).collect();
    settings.sort();
    settings.dedup();
    let mut columns: Vec<Column<Kind>> = vec![
        seeds().of(|kind: &Kind<'a>| Some(kind.series.attacked())),
        sets().of(|kind: &Kind<'a>| Some(kind.series.attacked())),
    ];
    columns.extend(
        [None]
            .into_iter()
            .chain(settings.into_iter().map(Some))
            .map(|setting| {
                let (group, name) = match setting {
                    None => ("", "untouched".to_owned()),
                    Some(setting) if !setting.is_attack() => ("", STUDY.label(setting).plain()),
                    Some(setting) => (STUDY.heading, STUDY.label(setting).plain()),
                };
                number(group, name, cell).of(move |kind: &Kind<'a>| kind.answers(setting))
            }),
    );
    findings.by_kind(what, &columns, Vec::new())
}

fn notes(findings: &Findings, rates: &Table) -> Vec<String> {
    let nothing = rates.rows.is_empty();
    let mut notes = findings.input.notes(
        nothing,
        "Pairs of which at least one member's label changed; of the Validset, single images. In brackets: what is set \
         otherwise than for most kinds of samples of the generator or, of equally many, for the first. untouched: false alarms of the same samples on the unmodified \
         model.",
    );
    if !nothing {
        notes.extend(findings.gaps());
        notes.extend(detection::marked(&rates.rows));
    }
    notes
}
