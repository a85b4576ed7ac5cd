//! `check`: compares the files of a grid with their checksums, the grid and each other. It writes nothing.

use std::path::Path;

use brink_store::Store;

use crate::cli::Selected;
use crate::examine::{self, examine};
use crate::exit::Refuse;
use crate::plan::{self, Plan};
use crate::say::say;
use crate::session::Session;

/// Prints all problems, and counts the files.
pub fn run(selected: &Selected) -> anyhow::Result<()> {
    let (session, part) = Session::select(selected).or_refuse()?;
    let store = Store::open_read_only(session.store_folder()).or_refuse()?;
    let mut found = examine(&session, &part, &store);
    let files = Files::look(&session, &part, &store);
    found.problems.append(&mut found.orphans);
    found.problems.extend(files.problems);
    for problem in &found.problems {
        say!("{problem}");
    }
    let steps = part.steps().count();
    say!("records: {} checked, of {steps} steps", found.records);
    if found.without_checksum > 0 {
        say!(
            "records without a checksum: {}, made by a version before checksums",
            found.without_checksum
        );
    }
    for (what, [here, elsewhere]) in [("weight files", files.weights), ("sample sets", files.sets)]
    {
        say!("{what}: {here} checked, {elsewhere} not in this folder");
    }
    match found.problems.len() {
        0 => Ok(()),
        1 => anyhow::bail!("1 file is gone or is not what was computed"),
        all => anyhow::bail!("{all} files are gone or are not what was computed"),
    }
}

/// The weight files and sample sets beside the records.
#[derive(Default)]
struct Files {
    problems: Vec<String>,
    /// The number of files that were checked, and of those that are missing.
    weights: [usize; 2],
    sets: [usize; 2],
}

impl Files {
    fn look(session: &Session, part: &Plan, store: &Store) -> Self {
        let mut files = Self::default();
        for step in &part.targets {
            // `examine` reports a record that cannot be read.
            let Ok(Some(target)) = store.target(&step.id) else {
                continue;
            };
            if let Some(sum) = &target.weights_sha256 {
                let path = store.weights(&step.id);
                let here = path.exists();
                files.weights[usize::from(!here)] += 1;
                files.note(&path, here.then(|| examine::checksum(&path, sum)));
            }
            for set in &step.sets {
                let Ok(Some(record)) = store.set(&set.id) else {
                    continue;
                };
                let path = store.samples(&set.id);
                let here = path.exists();
                files.sets[usize::from(!here)] += 1;
                let holds = || examine::samples_at(&path, &record, &session.key, target.classes);
                files.note(&path, here.then(|| holds().map(drop)));
            }
        }
        files
    }

    fn note(&mut self, path: &Path, checked: Option<Result<(), String>>) {
        if let Some(Err(what)) = checked {
            let again = plan::made_again(path);
            self.problems
                .push(format!("{}: {what}; {again}", path.display()));
        }
    }
}
