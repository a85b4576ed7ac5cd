//! `plan` and `status`: the steps of a grid, and how many of them are done. They write nothing.

use std::collections::BTreeSet;

use brink_report::NotRun;

use super::inputs;
use crate::cli::Selected;
use crate::exit::Refuse;
use crate::output;
use crate::plan;
use crate::say::say;
use crate::session::Session;

/// Lists every step with its state and its id.
pub fn plan(selected: &Selected) -> anyhow::Result<()> {
    let (session, part) = Session::select(selected).or_refuse()?;
    inputs::check(&session, &part).or_refuse()?;
    output::warn_of_empty_reports(&session);
    let store = session.records()?;
    for target in &part.targets {
        let missing_input = plan::missing_input(target, &session.paths, store.as_ref());
        for step in target.steps() {
            let state = match (step.is_done(store.as_ref())?, &missing_input) {
                (true, _) => "done",
                (false, None) => "to do",
                (false, Some(_)) => "not run",
            };
            let (kind, id, name) = (step.kind.name(), step.id, step.name);
            say!("{state:7}  {kind:6}  {id}  {name}");
        }
        missing_input.iter().for_each(explain);
    }
    Ok(())
}

/// Prints for each target how many steps are done, and which steps have a saved state.
pub fn status(selected: &Selected) -> anyhow::Result<()> {
    let (session, part) = Session::select(selected).or_refuse()?;
    inputs::check(&session, &part).or_refuse()?;
    output::warn_of_empty_reports(&session);
    let store = session.records()?;
    let (mut done_in_all, mut in_all) = (0, 0);
    for target in &part.targets {
        let (mut open, mut all) = (BTreeSet::new(), 0);
        for step in target.steps() {
            all += 1;
            if !step.is_done(store.as_ref())? {
                open.insert(step.id);
            }
        }
        let done = all - open.len();
        say!("{done:4} of {all:4}  {}", target.name);
        for (id, name) in target.jobs() {
            // The steps of an attack are its runs.
            let attack = target.attacks.iter().find(|attack| attack.id == id);
            let mut runs = attack.iter().flat_map(|attack| &attack.runs);
            // A process that was killed after its last record leaves a state of a finished step.
            if (open.contains(&id) || runs.any(|run| open.contains(&run.id)))
                && let Some(store) = &store
                && store.has_state(&id)?
            {
                say!("              half-way: {name}");
            }
        }
        done_in_all += done;
        in_all += all;
    }
    say!("{done_in_all:4} of {in_all:4}  in all");
    Ok(())
}

fn explain(missing: &NotRun) {
    let NotRun {
        dataset_title,
        reason,
        command,
    } = missing;
    say!("not run  {dataset_title}: {reason}. To get it: `{command}`");
}
