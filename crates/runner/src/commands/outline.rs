//! `plan`: the steps of a grid. It writes nothing.

mod estimate;

use brink_report::NotRun;
use serde_json::{Value, json};

use super::inputs;
use crate::cli::Selected;
use crate::exit::Refuse;
use crate::output;
use crate::plan::{self, Plan, Step};
use crate::say::say;
use crate::session::Session;
use crate::terminal;
use estimate::Estimate;

/// Lists every step with its state and its id, and estimates what is to do.
pub fn plan(selected: &Selected, as_json: bool) -> anyhow::Result<()> {
    let (session, part) = look(selected)?;
    let store = session.records()?;
    let mut steps = Vec::new();
    let mut missing = Vec::new();
    for target in &part.targets {
        let missing_input = plan::missing_input(target, &session.paths, store.as_ref());
        for step in target.steps() {
            let state = match (step.is_done(store.as_ref())?, &missing_input) {
                (true, _) => "done",
                (false, None) => "to do",
                (false, Some(_)) => "not run",
            };
            match as_json {
                true => steps.push(step_as_json(state, step)),
                false => print_step(state, step),
            }
        }
        if let Some(input) = &missing_input
            && !as_json
        {
            let note = input.note().replacen(": not run, ", ": ", 1);
            say!("{}", terminal::wrap(&format!("not run  {note}")));
        }
        missing.extend(missing_input);
    }
    let estimate = Estimate::of(&session, &part, store.as_ref())?;
    match as_json {
        true => say!(
            "{:#}",
            json!({
                "grid": session.paths.config,
                "scale": session.scale,
                "steps": steps,
                "not_run": missing.iter().map(not_run_as_json).collect::<Vec<_>>(),
                "estimate": estimate.json(),
            })
        ),
        false => say!("{}", terminal::wrap(&estimate.to_string())),
    }
    Ok(())
}

/// The grid and its selected part, whose files can be used as far as they are there.
pub(super) fn look(selected: &Selected) -> anyhow::Result<(Session, Plan)> {
    let (session, part) = Session::select(selected).or_refuse()?;
    inputs::check(&session, &part).or_refuse()?;
    output::warn_of_empty_reports(&session);
    Ok((session, part))
}

/// Below so many columns, names stand alone.
const NARROW: usize = 60;

fn print_step(state: &str, step: Step) {
    let (kind, id) = (step.kind.name(), step.id);
    let Some(width) = terminal::width() else {
        return say!("{state:7}  {kind:6}  {id}  {}", step.name);
    };
    // A narrow terminal has no room for ids, which `--json` has.
    let line = match width < NARROW {
        true => format!("{state:7}  "),
        false => format!("{state:7}  {kind:6}  {id}  "),
    };
    let name = terminal::shorten_step(step.name, width.saturating_sub(line.len()));
    say!("{line}{name}");
}

fn step_as_json(state: &str, step: Step) -> Value {
    json!({"state": state, "kind": step.kind.name(), "id": step.id, "name": step.name})
}

fn not_run_as_json(missing: &NotRun) -> Value {
    json!({"target": missing.dataset_title, "reason": missing.reason, "command": missing.command})
}
