//! Reports: the tables and the figure of a grid, out of its records and nothing else.

mod journal;

use std::path::PathBuf;

use report::{Document, Markup, NotRun, Paper, Records, table3};
use store::Store;
use verify::Rate;

use crate::grid::Table;
use crate::plan;
use crate::session::Session;

/// The records of a grid, and the report made of them.
pub struct Findings<'a> {
    session: &'a Session,
    records: Records,
    not_run: Vec<NotRun>,
    /// None if the grid asks for none.
    document: Option<Document>,
}

impl<'a> Findings<'a> {
    /// Reads the records of the whole plan.
    ///
    /// # Errors
    /// If a record cannot be read.
    pub fn read(session: &'a Session, store: &Store) -> anyhow::Result<Self> {
        let mut records = Records::default();
        let mut not_run = Vec::new();
        for step in &session.plan.targets {
            let runs = records.runs.len();
            records.targets.extend(store.target(&step.id)?);
            for set in &step.sets {
                records.sets.extend(store.set(&set.id)?);
            }
            for run in step.attacks.iter().flat_map(|attack| &attack.runs) {
                records.runs.extend(store.run(&run.id)?);
            }
            if records.runs.len() == runs {
                let obstacle = plan::obstacle(step, &session.paths);
                not_run.push(obstacle.unwrap_or_else(|| NotRun {
                    dataset_title: step.target.title(),
                    reason: "nothing of it has been computed yet".to_owned(),
                    command: session.paths.again(),
                }));
            }
        }
        not_run.extend(session.plan.absent.iter().cloned());
        let document = session.grid.table.map(|table| match table {
            Table::Table3 => table3::build(&records, &Paper::table3(), session.scale, &not_run),
        });
        Ok(Self {
            session,
            records,
            not_run,
            document,
        })
    }

    /// Writes tables and figure; returns where they are.
    ///
    /// # Errors
    /// If they cannot be made or written.
    pub fn write(&self) -> anyhow::Result<Vec<PathBuf>> {
        match &self.document {
            Some(document) => Ok(report::write_all(&self.session.folder(), document)?),
            None => Ok(Vec::new()),
        }
    }

    /// Prints the tables, the accuracy of each target and the total of false alarms.
    pub fn print(&self) {
        if let Some(document) = &self.document {
            println!("{}", document.render(Markup::Terminal));
        }
        for step in &self.session.plan.targets {
            let mut records = self.records.targets.iter();
            if let Some(record) = records.find(|record| record.id == step.id) {
                println!("{}: accuracy {}", step.target.title(), record.accuracy);
            }
        }
        let alarms = self.false_alarms();
        println!(
            "false alarms: {} of {} answers of untouched models",
            alarms.hits(),
            alarms.of()
        );
    }

    fn false_alarms(&self) -> Rate {
        let controls = self.records.sets.iter().flat_map(|set| &set.controls);
        controls.map(|control| control.single).sum()
    }
}
