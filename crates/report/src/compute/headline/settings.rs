//! The same ranking for each setting of each attack, such as one learning rate, with the paper's number beside it.

use super::printed::{Papers, difference};
use super::{asked_again, is_change};
use crate::compute::aggregate::{Block, Point, Series};
use crate::compute::detection::{Answers, Findings};
use crate::compute::names::main_measure;
use crate::compute::study::Setting;
use crate::document::table::{Cell, Heading, Row, Table};

/// A row for each setting and each kind of samples. Of a setting, samples that detect more come first.
pub fn table(findings: &Findings, papers: &Papers) -> Table {
    let rows = findings.blocks.iter().flat_map(|block| {
        let name = block.title();
        let settings = block.settings().into_iter();
        let lines = settings.flat_map(|setting| of_setting(findings, papers, block, setting));
        lines
            .enumerate()
            .map(move |(nth, cells)| {
                let first = if nth == 0 { name.as_str() } else { "" };
                Row {
                    begins: nth == 0,
                    cells: [Cell::text(first)].into_iter().chain(cells).collect(),
                }
            })
            .collect::<Vec<_>>()
    });
    let columns = vec![
        Heading::left("data set"),
        Heading::left("attack"),
        Heading::left("samples"),
        Heading::right("", "detection"),
        Heading::right("", "false alarms"),
        Heading::paper(""),
        Heading::right("", "difference"),
    ];
    let notes = vec![
        "detection: pairs that change, in %, of samples without pairs single images. false alarms: samples of the untouched model that change \
         when it is asked again. difference: detection minus the paper's number, in percentage points."
            .to_owned(),
    ];
    Table {
        title: findings
            .input
            .title("Detection by setting, best first".to_owned()),
        columns,
        heads: 3,
        stacked: true,
        rows: rows.collect(),
        notes,
    }
}

/// The rows of a setting, if its attack changed a weight.
fn of_setting<'b>(
    findings: &'b Findings<'b>,
    papers: &'b Papers,
    block: &'b Block<'b>,
    setting: &'b Setting,
) -> Vec<Vec<Cell>> {
    let points = block.series.iter().filter_map(|series| {
        let point = series.point(setting)?;
        is_change(point).then_some((series, point))
    });
    let mut points: Vec<(&Series, &Point)> = points.collect();
    let rate =
        |(series, point): &(&Series, &Point)| point.rate(main_measure(series.generator)).value();
    points.sort_by(|a, b| rate(b).total_cmp(&rate(a)));
    let cells = points.into_iter().map(|(series, point)| {
        let measure = main_measure(series.generator);
        let answers = Answers {
            block,
            series,
            point: Some(point),
            measure,
        };
        let alarms = asked_again(series);
        vec![
            Cell::text(findings.study.label(setting).plain()),
            Cell::text(&series.title),
            findings.rate_cell(&answers),
            Cell::text(format!("{}/{}", alarms.hits(), alarms.of())),
            Cell::maybe(papers.rate(block, series, point), Cell::text),
            difference(papers.difference(block, series, point)),
        ]
    });
    cells.collect()
}
