//! `plan` and `status`: the steps of a grid, and how many of them are done. They write nothing.

mod estimate;

use std::collections::BTreeSet;

use brink_report::NotRun;
use brink_store::Id;
use serde_json::{Value, json};

use super::inputs;
use crate::cli::Selected;
use crate::exit::Refuse;
use crate::output;
use crate::plan::{self, Plan, Step, TargetStep};
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
            say!("{}", terminal::wrap(&format!("not run  {}", input.note())));
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

/// Prints for each target how many steps are done, and which steps have a saved state.
pub fn status(selected: &Selected, as_json: bool) -> anyhow::Result<()> {
    let (session, part) = look(selected)?;
    let counts = part
        .targets
        .iter()
        .map(|target| Count::of(&session, target));
    let counts: Vec<Count> = counts.collect::<anyhow::Result<_>>()?;
    let sum = |count: fn(&Count) -> usize| counts.iter().map(count).sum::<usize>();
    let (done, all) = (sum(|count| count.done), sum(|count| count.all));
    if as_json {
        let targets = counts.iter().map(|count| {
            json!({"target": count.name, "done": count.done, "steps": count.all, "half_way": count.half_way})
        });
        let targets: Vec<Value> = targets.collect();
        say!(
            "{:#}",
            json!({"done": done, "steps": all, "targets": targets})
        );
        return Ok(());
    }
    for count in &counts {
        say!("{:4} of {:4}  {}", count.done, count.all, count.name);
        for step in &count.half_way {
            say!("              half-way: {step}");
        }
    }
    say!("{done:4} of {all:4}  in all");
    Ok(())
}

/// The grid and its selected part, whose files can be used as far as they are there.
fn look(selected: &Selected) -> anyhow::Result<(Session, Plan)> {
    let (session, part) = Session::select(selected).or_refuse()?;
    inputs::check(&session, &part).or_refuse()?;
    output::warn_of_empty_reports(&session);
    Ok((session, part))
}

/// The steps of a target.
struct Count<'a> {
    name: &'a str,
    done: usize,
    all: usize,
    /// The steps with a saved state.
    half_way: Vec<&'a str>,
}

impl<'a> Count<'a> {
    fn of(session: &Session, target: &'a TargetStep) -> anyhow::Result<Self> {
        let store = session.records()?;
        let (mut open, mut all) = (BTreeSet::new(), 0);
        for step in target.steps() {
            all += 1;
            if !step.is_done(store.as_ref())? {
                open.insert(step.id);
            }
        }
        let mut half_way = Vec::new();
        for (id, name) in target.jobs() {
            // A process that was killed after its last record leaves a state of a finished step.
            if is_open(target, &open, id)
                && let Some(store) = &store
                && store.has_state(&id)?
            {
                half_way.push(name);
            }
        }
        Ok(Self {
            name: &target.name,
            done: all - open.len(),
            all,
            half_way,
        })
    }
}

/// Whether a job has steps to do. The steps of an attack are its runs.
fn is_open(target: &TargetStep, open: &BTreeSet<Id>, id: Id) -> bool {
    let attack = target.attacks.iter().find(|attack| attack.id == id);
    let mut runs = attack.iter().flat_map(|attack| &attack.runs);
    open.contains(&id) || runs.any(|run| open.contains(&run.id))
}

fn print_step(state: &str, step: Step) {
    let (kind, id) = (step.kind.name(), step.id);
    let line = format!("{state:7}  {kind:6}  {id}  ");
    let name = match terminal::width() {
        Some(width) => terminal::shorten(step.name, width.saturating_sub(line.len())),
        None => step.name.to_owned(),
    };
    say!("{line}{name}");
}

fn step_as_json(state: &str, step: Step) -> Value {
    json!({"state": state, "kind": step.kind.name(), "id": step.id, "name": step.name})
}

fn not_run_as_json(missing: &NotRun) -> Value {
    json!({"target": missing.dataset_title, "reason": missing.reason, "command": missing.command})
}
