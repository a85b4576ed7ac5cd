//! The runs of a study by kind: runs of one kind differ in the study's variable and their seed alone.

use std::collections::BTreeSet;

use brink_store::Id;
use brink_store::RunRecord;
use serde_json::Value;

use super::study::{Setting, Study};
use crate::label::{Leaves, defaults, differences_from_default, fields, natural, variants};
use crate::records::Records;

/// A run that the grid asks for, done or not.
pub struct Planned<'a> {
    pub target: Id,
    pub setting: Setting,
    pub run: Option<&'a RunRecord>,
}

/// The runs of a study by kind. A kind has the same name on all targets.
pub fn kinds<'a>(study: &Study, records: &'a Records) -> Vec<(String, Vec<Planned<'a>>)> {
    let done = records.runs.iter().map(|run| run.attack.as_str());
    let names = done.chain(records.open.iter().map(|open| open.attack));
    let names: BTreeSet<&str> = names.filter(|name| study.subject().takes(name)).collect();
    let names = names.into_iter();
    let all = names.flat_map(|name| kinds_of(name, study, records));
    if study.attack.is_some() {
        return all.collect();
    }
    // One block. Its rows name their attack, and stand in the order of the numbers in their names.
    let mut planned: Vec<_> = all.flat_map(|(_, planned)| planned).collect();
    let rows = planned.iter().map(|one| natural(one.setting.variant()));
    let rows: BTreeSet<_> = rows.collect();
    let rows: Vec<_> = rows.into_iter().map(|row| row.1.to_owned()).collect();
    for one in &mut planned {
        if let Setting::Attack { value, variant } = &mut one.setting {
            let place = rows.iter().position(|row| row == variant);
            *value = place.map(|place| (place as f64 + 1.0).to_bits());
        }
    }
    let kinds = (!planned.is_empty()).then(|| (String::new(), planned));
    kinds.into_iter().collect()
}

/// Whether a row is named by its value, e.g. `8 bit`, and by what differs from most rows.
fn names_differences(study: &Study) -> bool {
    study.spread && study.variable.is_some()
}

/// The fields that rows of equal value may differ in.
fn other_fields(study: &Study, spec: &Value) -> Leaves {
    let variable = study.variable.map(|variable| variable.field);
    let without: Vec<_> = variable.into_iter().chain(["seed"]).collect();
    fields(spec, &without)
}

/// What the names of rows leave out, e.g. `per tensor, symmetric`; `None` if they leave out nothing.
pub fn unsaid(study: &Study, records: &Records) -> Option<String> {
    let attack = study.attack.filter(|_| names_differences(study))?;
    let unsaid = defaults(&asked(attack, records), |(_, spec, _)| {
        other_fields(study, spec)
    });
    (!unsaid.is_empty()).then_some(unsaid)
}

/// A run that the grid asks for: its target, its attack, and its record if it is done.
type Asked<'a> = (Id, &'a Value, Option<&'a RunRecord>);

/// All runs of one attack.
fn asked<'a>(attack: &str, records: &'a Records) -> Vec<Asked<'a>> {
    let done = records.runs.iter().filter(|run| run.attack == attack);
    let done = done.map(|run| (run.target, &run.spec, Some(run)));
    let open = records.open.iter().filter(|open| open.attack == attack);
    let open = open.map(|open| (open.target, &open.spec, None));
    done.chain(open).collect()
}

/// The runs of one attack.
fn kinds_of<'a>(
    attack: &str,
    study: &Study,
    records: &'a Records,
) -> Vec<(String, Vec<Planned<'a>>)> {
    let all = asked(attack, records);
    let own = |(_, spec, _): &Asked| other_fields(study, spec);
    let kinds = match names_differences(study) {
        true => differences_from_default(all, own),
        false => variants(all, own),
    };
    let mut all: Vec<(String, Vec<Planned>)> = Vec::new();
    for (variant, runs) in kinds {
        let variant = match (study.attack, variant.as_str()) {
            (Some(_), _) => variant,
            (None, "") => attack.to_owned(),
            (None, variant) => format!("{attack}, {variant}"),
        };
        let (kind, row) = match study.spread {
            true => (String::new(), variant),
            false => (variant, String::new()),
        };
        let planned = runs.into_iter().map(|(target, spec, run)| Planned {
            target,
            setting: Setting::Attack {
                value: study.value(spec).map(f64::to_bits),
                variant: row.clone(),
            },
            run,
        });
        match all.last_mut().filter(|(last, _)| *last == kind) {
            Some((_, known)) => known.extend(planned),
            None => all.push((kind, planned.collect())),
        }
    }
    all
}
