//! Names of steps for people and for `--only`: as short as they can be while every step has its own.

use std::collections::{BTreeMap, BTreeSet};

use brink_config::checked::Repeats;
use brink_config::leaves;
use brink_report::label::{self, Leaves, PATTERN, modes};
use serde::Serialize;
use serde_json::Value;

/// Each entry's name, and what tells entries of the same name apart.
pub fn entries<S: Serialize>(specs: &[S], name: impl Fn(&S) -> &'static str) -> Vec<String> {
    let fields = |spec: &S| super::fields(spec).unwrap_or_default();
    labels(
        specs
            .iter()
            .map(|spec| (name(spec).to_owned(), fields(spec))),
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

/// Each name, followed by what distinguishes it from others of that name: one field if one is enough, else the fields that differ
/// from their most frequent value. A field that is not set is named only where two would share a label otherwise.
fn labels(items: impl Iterator<Item = (String, Value)>) -> Vec<String> {
    let items: Vec<_> = items
        .map(|(name, fields)| (name, leaves(&fields)))
        .collect();
    let mut bearers: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (nth, (name, _)) in items.iter().enumerate() {
        bearers.entry(name).or_default().push(nth);
    }
    let mut labels = vec![String::new(); items.len()];
    for (name, places) in bearers {
        let mut peers: Vec<Leaves> = places.iter().map(|nth| items[*nth].1.clone()).collect();
        let parts = match sole(&peers) {
            Some(path) => {
                peers
                    .iter_mut()
                    .for_each(|peer| peer.retain(|own, _| *own == path));
                label::labels(&peers, PATTERN, label::differs)
            }
            None => label::labels(&peers, PATTERN, |own, values| modes(values) != [own]),
        };
        for (nth, parts) in places.into_iter().zip(parts) {
            let slash = if parts.is_empty() { "" } else { "/" };
            labels[nth] = format!("{name}{slash}{parts}");
        }
    }
    labels
}

/// The path that alone tells `peers` apart: one at which all differ, or the only one at which any do.
fn sole(peers: &[Leaves]) -> Option<String> {
    let paths: BTreeSet<&String> = peers.iter().flat_map(BTreeMap::keys).collect();
    let counts = paths.into_iter().map(|path| {
        let values: BTreeSet<_> = peers.iter().map(|peer| peer.get(path)).collect();
        (path, values.len())
    });
    let differing: Vec<_> = counts.filter(|(_, values)| *values > 1).collect();
    let enough = differing.iter().find(|(_, values)| *values == peers.len());
    let only = (differing.len() == 1).then(|| &differing[0]);
    enough.or(only).map(|(path, _)| (*path).clone())
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
