//! Names of steps for people and for `--only`: as short as they can be while every step has its own.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;
use spec::checked::Repeats;
use spec::leaves;

use crate::grid::{Init, Target};

/// `dataset/model`, and what else tells targets of the same two apart.
pub fn targets(targets: &[Target]) -> Vec<String> {
    labels(targets.iter().map(|target| {
        // The checksum of a file says no more than its path, at length.
        let init = target.init.clone();
        let own = Target {
            generators: None,
            init: init.map(|init| Init {
                sha256: None,
                ..init
            }),
            ..target.clone()
        };
        let fields = serde_json::to_value(own).unwrap_or_default();
        (format!("{}/{}", target.dataset, target.model), fields)
    }))
}

/// The generator, and what tells generators of the same name apart.
pub fn generators(generators: &[generators::Spec]) -> Vec<String> {
    labels(
        generators
            .iter()
            .map(|spec| (spec.name().to_owned(), value(spec))),
    )
}

/// The attack, and what tells attacks of the same name apart.
pub fn attacks(attacks: &[attacks::Spec]) -> Vec<String> {
    labels(
        attacks
            .iter()
            .map(|spec| (spec.name().to_owned(), value(spec))),
    )
}

/// The probe, and what tells probes of the same name apart.
pub fn probes(probes: &[generators::probe::Spec]) -> Vec<String> {
    labels(
        probes
            .iter()
            .map(|spec| (spec.name().to_owned(), value(spec))),
    )
}

/// `label` for each of `count` seeds; a lone one needs no number.
pub fn seeded(label: &str, what: &str, count: Repeats) -> Vec<(u64, String)> {
    let count = count.get() as u64;
    let name = |seed| {
        if count == 1 {
            label.to_owned()
        } else {
            format!("{label}/{what}{seed}")
        }
    };
    (0..count).map(|seed| (seed, name(seed))).collect()
}

fn value(spec: &impl Serialize) -> Value {
    super::fields(spec).unwrap_or_default()
}

/// A specification by the dotted paths of its leaves.
type Leaves = BTreeMap<String, String>;

/// Each name, followed by what tells its bearers apart: one field if one is enough, else those of the fields in which they differ
/// that are not as most of them have it. A field that one of them lacks is said only where two would share a name otherwise.
fn labels(items: impl Iterator<Item = (String, Value)>) -> Vec<String> {
    let items: Vec<(String, Leaves)> = items
        .map(|(name, fields)| (name, leaves(&fields)))
        .collect();
    let label = |(name, fields): &(String, Leaves), absent: Option<&str>| {
        let peers = items.iter().filter(|(other, _)| other == name);
        let peers: Vec<_> = peers.map(|(_, peer)| peer).collect();
        let paths = telling(&peers);
        let said = paths
            .iter()
            .filter(|path| paths.len() == 1 || !usual(path, fields.get(**path), &peers));
        let parts = said.filter_map(|path| {
            let value = fields.get(*path).map(String::as_str).or(absent)?;
            Some(format!("{path}={value}"))
        });
        let parts: Vec<String> = parts.collect();
        if parts.is_empty() {
            name.clone()
        } else {
            format!("{name}/{}", parts.join(","))
        }
    };
    let short: Vec<String> = items.iter().map(|item| label(item, None)).collect();
    let unique = |(item, own): (&(String, Leaves), &String)| {
        let mut others = items.iter().zip(&short);
        if others.any(|(other, said)| said == own && other != item) {
            label(item, Some("unset"))
        } else {
            own.clone()
        }
    };
    items.iter().zip(&short).map(unique).collect()
}

/// The paths that tell `peers` apart.
fn telling<'a>(peers: &[&'a Leaves]) -> Vec<&'a String> {
    let paths: BTreeSet<&String> = peers.iter().flat_map(|peer| peer.keys()).collect();
    let values = |path: &String| -> BTreeSet<Option<&String>> {
        peers.iter().map(|peer| peer.get(path)).collect()
    };
    let enough = paths
        .iter()
        .copied()
        .find(|path| peers.len() > 1 && values(path).len() == peers.len());
    match enough {
        Some(path) => vec![path],
        None => paths
            .into_iter()
            .filter(|path| values(path).len() > 1)
            .collect(),
    }
}

/// Whether more of `peers` have `value` at `path` than any other.
fn usual(path: &String, value: Option<&String>, peers: &[&Leaves]) -> bool {
    let count = |of| peers.iter().filter(|peer| peer.get(path) == of).count();
    let own = count(value);
    let mut others = peers.iter().map(|peer| peer.get(path));
    others.all(|other| other == value || count(other) < own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn one_field_is_said_where_it_is_enough() {
        let items = [
            ("finetune".to_owned(), json!({"lr": 1e-10, "steps": 3})),
            ("finetune".to_owned(), json!({"lr": 0.0, "steps": 3})),
            ("prune".to_owned(), json!({"ratio": 0.5})),
        ];
        assert_eq!(
            labels(items.into_iter()),
            ["finetune/lr=1e-10", "finetune/lr=0", "prune"]
        );
    }

    #[test]
    fn all_that_differs_is_said_where_one_field_is_not_enough() {
        let item = |lr, steps| ("finetune".to_owned(), json!({"lr": lr, "steps": steps}));
        let items = [item(0.1, 1), item(0.1, 2), item(0.2, 1), item(0.2, 2)];
        let expected = [
            "finetune/lr=0.1,steps=1",
            "finetune/lr=0.1,steps=2",
            "finetune/lr=0.2,steps=1",
            "finetune/lr=0.2,steps=2",
        ];
        assert_eq!(labels(items.into_iter()), expected);
    }

    #[test]
    fn what_most_have_goes_without_saying() {
        let item = |start, alpha| ("ours".to_owned(), json!({"start": start, "alpha": alpha}));
        let items = [
            item("normal", 1e-6),
            item("uniform", 1e-6),
            item("normal", 1e-4),
            item("natural", 1e-4),
            item("normal", 1e-6),
        ];
        let expected = [
            "ours",
            "ours/start=uniform",
            "ours/alpha=1e-4",
            "ours/alpha=1e-4,start=natural",
            "ours",
        ];
        assert_eq!(labels(items.into_iter()), expected);
    }

    #[test]
    fn what_only_one_has_tells_two_apart() {
        let items = [
            ("resnet20".to_owned(), json!({"train": {"epochs": 1}})),
            ("resnet20".to_owned(), json!({"init": {"weights": "net"}})),
        ];
        let expected = ["resnet20", "resnet20/init.weights=net"];
        assert_eq!(labels(items.into_iter()), expected);
    }

    #[test]
    fn what_one_lacks_is_said_where_it_alone_tells_two_apart() {
        let items = [
            ("finetune".to_owned(), json!({"lr": 1e-5, "steps": 3})),
            ("finetune".to_owned(), json!({"lr": 1e-6, "steps": 3})),
            ("finetune".to_owned(), json!({"lr": 1e-5})),
        ];
        let expected = ["finetune", "finetune/lr=1e-6", "finetune/steps=unset"];
        assert_eq!(labels(items.into_iter()), expected);
    }

    #[test]
    fn a_lone_seed_has_no_number() {
        assert_eq!(
            seeded("ours", "set", Repeats::literal(1)),
            [(0, "ours".to_owned())]
        );
        assert_eq!(
            seeded("ours", "set", Repeats::literal(2))[1],
            (1, "ours/set1".to_owned())
        );
    }
}
