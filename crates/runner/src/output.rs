//! The tables and figures of a grid, made only from its records.

mod journal;
pub mod overwrite;
mod summary;

use std::collections::BTreeSet;
use std::path::PathBuf;

use brink_report::html::{self, Page, Section};
use brink_report::{
    Document, Headline, Markup, NotRun, OpenRun, Probe, Records, Report, Subject, Table, is_legend,
};
use brink_store::Store;
use brink_verify::Rate;

use crate::examine;
use crate::plan::{self, TargetStep};
use crate::provenance::Clock;
use crate::say::{self, Loudness, say, warning};
use crate::session::Session;
use crate::terminal;

/// The records of a grid, and the reports made from them.
pub struct Findings<'a> {
    session: &'a Session,
    records: Records,
    not_run: Vec<NotRun>,
    /// One document per report of the grid.
    documents: Vec<(Report, Document)>,
}

impl<'a> Findings<'a> {
    /// Reads the records of the whole plan.
    ///
    /// # Errors
    /// If a record cannot be read.
    pub fn read(session: &'a Session, store: &Store) -> anyhow::Result<Self> {
        let titles = brink_generators::REGISTRY.iter();
        let attacks = brink_attacks::REGISTRY.iter();
        let mut records = Records {
            generators: titles.map(|entry| (entry.name, entry.title)).collect(),
            attacks: attacks.map(|entry| (entry.name, entry.title)).collect(),
            ..Records::default()
        };
        let looked_at = session.grid.reports.contains(&Report::Samples);
        for step in &session.plan.targets {
            records.targets.extend(store.target(&step.id)?);
            let network = step.model.architecture();
            records
                .networks
                .insert(network.name.to_owned(), network.title);
            let classes = step.facts.classes;
            for set in &step.sets {
                records.asked.insert(set.generator.name());
                let Some(record) = store.set(&set.id)? else {
                    continue;
                };
                // The samples are only shown, so they may be missing.
                let samples = store.samples(&set.id);
                if looked_at && samples.exists() {
                    match examine::samples_at(&samples, &record, &session.key, classes) {
                        Ok(images) => drop(records.samples.insert(set.id, images)),
                        Err(error) => {
                            warning!("{}: its samples are not shown: {error}", set.name);
                        }
                    }
                }
                records.sets.push(record);
            }
            let trained = Report::Table1.covers(&records, step.id);
            for attack in &step.attacks {
                for run in &attack.runs {
                    match store.run(&run.id)? {
                        Some(record) => records.runs.push(record),
                        None if trained => records.open.push(OpenRun {
                            target: step.id,
                            attack: attack.attack.name(),
                            spec: plan::fields(&attack.attack)?,
                        }),
                        None => {}
                    }
                }
            }
            let probes_of = step.probes.iter().map(|probe| probe.id);
            for id in probes_of.chain(step.slice.as_ref().map(|slice| slice.id)) {
                records.probes.extend(store.probe(&id)?);
            }
        }
        let mut not_run: Vec<NotRun> = Vec::new();
        let mut documents = Vec::new();
        for &report in &session.grid.reports {
            let steps = session.plan.targets.iter();
            let missing: Vec<NotRun> = steps
                .filter(|step| asks(step, report) && !report.covers(&records, step.id))
                .map(|step| missing(session, &records, step, report))
                .collect();
            documents.push((report, report.build(&records, session.scale, &missing)));
            not_run.extend(missing);
        }
        let mut said = BTreeSet::new();
        not_run.retain(|missing| said.insert(missing.note()));
        Ok(Self {
            session,
            records,
            not_run,
            documents,
        })
    }

    /// Writes the journal, then the tables and figures. So no table exists without the journal. Returns their paths, the
    /// journal last. `clock` runs since the command began.
    ///
    /// # Errors
    /// If they cannot be made or written.
    pub fn write(&self, clock: &Clock) -> anyhow::Result<Vec<PathBuf>> {
        let journal = self.write_journal(clock)?;
        let mut files = Vec::new();
        for (report, document) in &self.documents {
            let name = report.entry().name;
            files.extend(brink_report::write_all(
                &self.session.folder(),
                name,
                document,
            )?);
        }
        let runs = brink_report::runs(&self.records);
        files.push(brink_report::write_runs(&self.session.folder(), &runs)?);
        files.push(journal);
        Ok(files)
    }

    /// Writes `report.html`, one page with everything, into the results folder. Returns its path. `clock` runs since the
    /// command began.
    ///
    /// # Errors
    /// If it cannot be made or written.
    pub fn write_page(&self, clock: &Clock) -> anyhow::Result<PathBuf> {
        let sections = self.documents.iter().map(|(report, document)| Section {
            name: report.entry().name,
            title: report.entry().title,
            document,
        });
        let session = self.session;
        let headline = Headline::of(&self.records);
        let page = html::page(&Page {
            title: &session.grid.title,
            scale: session.scale,
            findings: headline.sentences(),
            about: headline.about(),
            headline: headline.document(session.scale).as_ref(),
            sections: sections.collect(),
            not_run: &self.not_run,
            steps: brink_report::steps(&self.records),
            journal: self.journal(clock),
        })?;
        std::fs::create_dir_all(&session.out)?;
        let path = session.page();
        brink_store::write_atomically(&path, page.as_bytes())?;
        Ok(path)
    }

    /// Prints the main tables, or all with their notes if asked to say more, and then a summary.
    pub fn print(&self, files: usize) {
        match say::loudness() {
            Loudness::Quiet => return,
            Loudness::Usual => self.print_main_tables(),
            Loudness::Verbose => self.print_all_tables(),
        }
        for line in self.summary(files) {
            say!("{}", terminal::wrap(&line));
        }
    }

    /// The first table of each report, with the notes that its cells and rows need.
    fn print_main_tables(&self) {
        let tables = self.documents.iter();
        for table in tables.filter_map(|(_, document)| document.tables.first()) {
            let mut table = table.clone();
            table.notes.retain(|note| is_legend(note));
            print_table(&table);
        }
    }

    fn print_all_tables(&self) {
        let not_run: Vec<String> = self.not_run.iter().map(NotRun::note).collect();
        let documents = self.documents.iter();
        for table in documents.flat_map(|(_, document)| &document.tables) {
            let mut table = table.clone();
            table.notes.retain(|note| !not_run.contains(note));
            print_table(&table);
        }
        for note in not_run {
            say!("{note}");
        }
    }

    fn false_alarms(&self) -> Rate {
        let controls = self.records.sets.iter().flat_map(|set| &set.controls);
        controls.map(|control| control.single).sum()
    }
}

fn print_table(table: &Table) {
    let text = table.render(Markup::Terminal {
        width: terminal::width(),
    });
    let (title, rest) = text.split_once('\n').unwrap_or((&text, ""));
    say!("{}\n{rest}", terminal::heading().apply_to(title));
}

/// Warns of each report of the grid that has no step to show.
pub fn warn_of_empty_reports(session: &Session) {
    for report in &session.grid.reports {
        let mut steps = session.plan.targets.iter();
        if steps.any(|step| asks(step, *report)) {
            continue;
        }
        let cause = match report.entry().subject {
            subject @ Subject::Probe(Probe::Slice) if session.grid.slice.is_some() => {
                format!(
                    "{subject} needs a pair, but no target has a generator of pairs, e.g. `ours`"
                )
            }
            subject => format!("the grid has no {subject}"),
        };
        warning!("{report} stays empty: {cause}; add it, or leave the report out");
    }
}

/// Whether the grid has steps of a target that the report is about.
fn asks(step: &TargetStep, report: Report) -> bool {
    match report.entry().subject {
        Subject::Models => true,
        Subject::Samples => !step.sets.is_empty(),
        subject @ (Subject::Attack { .. } | Subject::Attacks) => {
            let mut attacks = step.attacks.iter();
            attacks.any(|one| subject.takes(one.attack.name()))
        }
        Subject::Probe(Probe::Slice) => step.slice.is_some(),
        Subject::Probe(kind) => {
            let mut probes = step.probes.iter();
            probes.any(|one| one.probe.name() == kind.name())
        }
    }
}

/// Why a report shows nothing of a target.
fn missing(session: &Session, records: &Records, step: &TargetStep, report: Report) -> NotRun {
    let trained = Report::Table1.covers(records, step.id);
    let store = session.records().ok().flatten();
    plan::missing_input(step, &session.paths, store.as_ref()).unwrap_or_else(|| NotRun {
        dataset_title: step.title(),
        reason: match trained {
            true => format!("nothing for {report} has been computed yet"),
            false => "nothing of it has been computed yet".to_owned(),
        },
        command: Some(session.paths.rerun_command.clone()),
    })
}
