//! The work of a plan, cut into tasks. A task is what one worker computes at a time: a target, a set, an attack with its runs, a
//! probe or a slice.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use brink_store::{Id, ProbeRecord, RunRecord, SetRecord, Store, TargetRecord};

use crate::forecast::Forecast;
use crate::plan::{AttackStep, Kind, Plan, ProbeStep, SetStep, SliceStep, TargetStep};

/// A task of a plan.
pub struct Task<'p> {
    /// The step of the claim and of the saved state.
    pub id: Id,
    /// Its name in the plan.
    pub name: &'p str,
    target: &'p TargetStep,
    work: Work<'p>,
    /// The seconds from its beginning to the end of all that waits for it, as far as they are known.
    path: f64,
}

#[derive(Clone, Copy)]
enum Work<'p> {
    Target,
    Set(&'p SetStep),
    Attack(&'p AttackStep),
    Probe(&'p ProbeStep),
    Slice(&'p SliceStep),
}

/// How a task stands.
pub enum Standing {
    /// It has its records.
    Done,
    /// It has failed, or something that it needs has.
    Failed,
    /// It waits for something that is not there yet.
    Waits,
    /// It can be computed: this part of its target.
    Ready(Box<TargetStep>),
}

/// What is known about the records of a store. A record that was seen once is not looked for again.
pub struct Facts<'s> {
    store: &'s Store,
    done: RefCell<HashSet<Id>>,
}

/// The tasks of `part`, those on the longest path first. `forecast` tells the times; without them, the order is the plan's.
pub fn tasks<'p>(part: &'p Plan, forecast: &Forecast) -> Vec<Task<'p>> {
    let times = forecast.times();
    let targets = part.targets.iter();
    let mut all: Vec<Task> = targets.flat_map(|target| of(target, &times)).collect();
    all.sort_by(|a, b| b.path.total_cmp(&a.path));
    all
}

/// The tasks of a target in the order of the plan.
fn of<'p>(target: &'p TargetStep, times: &HashMap<&str, f64>) -> Vec<Task<'p>> {
    let time = |name: &str| times.get(name).copied().unwrap_or(0.0);
    let longest = |paths: &[f64]| paths.iter().copied().fold(0.0, f64::max);
    let task = |id, name, work, path| Task {
        id,
        name,
        target,
        work,
        path,
    };
    let mut all = Vec::new();
    for set in &target.sets {
        let users = target.attacks.iter();
        let users = users.filter(|attack| attack.runs.iter().any(|run| run.set == set.id));
        let mut after: Vec<f64> = users.map(|attack| time(&attack.name)).collect();
        let slice = target.slice.iter().filter(|slice| slice.set == set.id);
        after.extend(slice.map(|slice| time(&slice.name)));
        let path = time(&set.name) + longest(&after);
        all.push(task(set.id, set.name.as_str(), Work::Set(set), path));
    }
    for attack in &target.attacks {
        let path = time(&attack.name);
        all.push(task(attack.id, &attack.name, Work::Attack(attack), path));
    }
    for probe in &target.probes {
        let path = time(&probe.name);
        all.push(task(probe.id, &probe.name, Work::Probe(probe), path));
    }
    if let Some(slice) = &target.slice {
        let path = time(&slice.name);
        all.push(task(slice.id, &slice.name, Work::Slice(slice), path));
    }
    let rest: Vec<f64> = all.iter().map(|task| task.path).collect();
    let path = time(&target.name) + longest(&rest);
    all.insert(0, task(target.id, &target.name, Work::Target, path));
    all
}

impl Task<'_> {
    /// How it stands.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn standing(&self, facts: &Facts) -> anyhow::Result<Standing> {
        let target = self.target;
        if facts.store.has_failed(&self.id)? {
            return Ok(Standing::Failed);
        }
        let mut part = TargetStep {
            id: target.id,
            name: target.name.clone(),
            target: target.target.clone(),
            model: target.model,
            facts: target.facts.clone(),
            own: target.own.clone(),
            weights: target.weights.clone(),
            sets: Vec::new(),
            attacks: Vec::new(),
            probes: Vec::new(),
            slice: None,
        };
        let done = |kind| facts.has(kind, &self.id);
        match self.work {
            Work::Target if done(Kind::Target) => return Ok(Standing::Done),
            Work::Set(_) if done(Kind::Set) => return Ok(Standing::Done),
            Work::Probe(_) | Work::Slice(_) if done(Kind::Probe) => return Ok(Standing::Done),
            Work::Target => return Ok(Standing::Ready(Box::new(part))),
            _ => {}
        }
        if !facts.has(Kind::Target, &target.id) {
            return Ok(match facts.store.has_failed(&target.id)? {
                true => Standing::Failed,
                false => Standing::Waits,
            });
        }
        let mut attack = None;
        let needed: Vec<Id> = match self.work {
            Work::Attack(whole) => {
                let open = whole.runs.iter();
                let open = open.filter(|run| !facts.has(Kind::Run, &run.id));
                let open: Vec<_> = open.cloned().collect();
                if open.is_empty() {
                    return Ok(Standing::Done);
                }
                let sets = open.iter().map(|run| run.set).collect();
                attack = Some(AttackStep {
                    runs: open,
                    ..whole.clone()
                });
                sets
            }
            Work::Slice(slice) => vec![slice.set],
            Work::Target | Work::Set(_) | Work::Probe(_) => Vec::new(),
        };
        // An attack tests its model with the sets that could be made, so it waits for all of them.
        for set in target.sets.iter().filter(|set| needed.contains(&set.id)) {
            match facts.has(Kind::Set, &set.id) {
                true => part.sets.push(set.clone()),
                false if facts.store.has_failed(&set.id)? => {}
                false => return Ok(Standing::Waits),
            }
        }
        if !needed.is_empty() && part.sets.is_empty() {
            return Ok(Standing::Failed);
        }
        match self.work {
            Work::Set(set) => part.sets.push(set.clone()),
            Work::Probe(probe) => part.probes.push(probe.clone()),
            Work::Slice(slice) => part.slice = Some(slice.clone()),
            Work::Attack(_) => part.attacks.extend(attack),
            Work::Target => {}
        }
        Ok(Standing::Ready(Box::new(part)))
    }
}

impl<'s> Facts<'s> {
    /// What is known about `store`: nothing yet.
    pub fn new(store: &'s Store) -> Self {
        Self {
            store,
            done: RefCell::default(),
        }
    }

    /// Whether a step has its record. The record is not read.
    pub fn has(&self, kind: Kind, id: &Id) -> bool {
        if self.done.borrow().contains(id) {
            return true;
        }
        let path = match kind {
            Kind::Target => self.store.record_path::<TargetRecord>(id),
            Kind::Set => self.store.record_path::<SetRecord>(id),
            Kind::Run => self.store.record_path::<RunRecord>(id),
            Kind::Probe => self.store.record_path::<ProbeRecord>(id),
        };
        let found = path.exists();
        if found {
            self.done.borrow_mut().insert(*id);
        }
        found
    }
}
