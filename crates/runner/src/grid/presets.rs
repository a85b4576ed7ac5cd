//! Presets: default settings for all entries of a name.
//!
//! A preset applies to the target of its name, or to all entries of its name in `generators`, `attacks` or `probes`. The
//! settings of the entry are merged over the preset.
//!
//! A target may have its own `generators`. A list replaces the grid's list. A mapping from names to settings keeps the
//! grid's list: its settings are merged over the presets, and the entries of the grid over both.

use brink_config::nearest;
use brink_config::registry::Entry;
use brink_config::yaml::{Fault, Name, Node, Value, merge};

/// The fields that have presets, and the valid names in each. A target may have any name.
const FIELDS: [(&str, Option<&[Entry]>); 4] = [
    ("targets", None),
    ("generators", Some(brink_generators::REGISTRY)),
    ("attacks", Some(brink_attacks::REGISTRY)),
    ("probes", Some(brink_generators::probe::REGISTRY)),
];

/// Merges the entries of the grid over the presets of their names. Takes the presets out of the grid.
///
/// # Errors
/// If a preset is for an unknown field or entry, or a target has neither a data set nor a preset.
pub fn expand(root: &mut Node) -> Result<(), Fault> {
    let presets = root.take("presets");
    let presets = presets.as_ref();
    if let Some(presets) = presets {
        check(presets)?;
    }
    let of = |field: &str| presets.and_then(|presets| presets.entry(field));
    let grids = root.entry("generators").cloned();
    if let Some(targets) = root.entry_mut("targets") {
        begin_targets(targets, of("targets"))?;
        let each = entries_mut(targets).iter_mut();
        for (_, target) in each {
            begin_generators(target, grids.as_ref(), of("generators"))?;
        }
    }
    for (field, _) in &FIELDS[1..] {
        if let Some(list) = root.entry_mut(field) {
            begin_all(list, &[of(field)]);
        }
    }
    if let Some(attack) = root
        .entry_mut("slice")
        .and_then(|slice| slice.entry_mut("attack"))
    {
        *attack = begin(attack, &[of("attacks")]);
    }
    Ok(())
}

/// Whether every target has its own list of generators, so that no target uses the list of the grid.
pub fn every_target_has_a_list(root: &mut Node) -> bool {
    let has_list = |target: &Node| {
        let own = target.entry("generators");
        own.is_some_and(|own| matches!(own.value, Value::List(_)))
    };
    let targets = root.entry_mut("targets").map(entries_mut);
    let targets = targets.unwrap_or_default();
    !targets.is_empty() && targets.iter().all(|(_, target)| has_list(target))
}

/// Refuses presets for unknown fields or entries, because they would have no effect.
fn check(presets: &Node) -> Result<(), Fault> {
    let fields = FIELDS.map(|(field, _)| field);
    for (field, entries) in mapping(
        presets,
        "a mapping from `targets`, `generators`, `attacks` or `probes`",
    )? {
        let Some((_, known)) = FIELDS.iter().find(|(own, _)| *own == field.text) else {
            let problem = format!("there are no presets of `{}`", field.text);
            return Err(field
                .fault(problem)
                .hint(nearest::hint(&field.text, &fields)));
        };
        let entries = mapping(entries, "a mapping from names to settings")?;
        if let Some(known) = known {
            check_names(entries, known)?;
        }
    }
    Ok(())
}

fn check_names(entries: &[(Name, Node)], known: &[Entry]) -> Result<(), Fault> {
    let names: Vec<&str> = known.iter().map(|entry| entry.name).collect();
    match entries
        .iter()
        .find(|(name, _)| !names.contains(&name.text.as_str()))
    {
        Some((name, _)) => Err(name
            .fault(format!("unknown name `{}`", name.text))
            .hint(nearest::hint(&name.text, &names))),
        None => Ok(()),
    }
}

/// The entries of a mapping. An empty value has none.
fn mapping<'a>(node: &'a Node, expected: &str) -> Result<&'a [(Name, Node)], Fault> {
    match &node.value {
        Value::Map(entries) => Ok(entries),
        Value::Null => Ok(&[]),
        other => Err(node.fault(format!("{other} is not {expected}"))),
    }
}

fn entries_mut(node: &mut Node) -> &mut [(Name, Node)] {
    match &mut node.value {
        Value::Map(entries) => entries,
        _ => &mut [],
    }
}

/// Merges each target over the preset of its name.
fn begin_targets(targets: &mut Node, presets: Option<&Node>) -> Result<(), Fault> {
    let presets = presets.map_or(Ok(&[][..]), |presets| mapping(presets, "a mapping"))?;
    let all = entries_mut(targets).iter();
    let all: Vec<String> = all.map(|(name, _)| name.text.clone()).collect();
    let mut known: Vec<String> = presets.iter().map(|(name, _)| name.text.clone()).collect();
    for (name, target) in entries_mut(targets) {
        match presets.iter().find(|(own, _)| own.text == name.text) {
            Some((_, preset)) => *target = over(preset, target),
            None if is_empty(target) => {
                let problem = format!(
                    "the target `{}` has no `dataset`, and there is no preset of its name",
                    name.text
                );
                let meant = nearest(&name.text, known.iter().map(String::as_str));
                // A change may count the targets of a list, but all of them have names.
                let counted = name.text.parse().ok().and_then(|at: usize| all.get(at));
                let counted = counted.filter(|counted| **counted != name.text);
                return Err(name.fault(problem).hint(match (counted, meant) {
                    (Some(name), _) => {
                        format!("targets are changed by their names: write `{name}`")
                    }
                    (None, Some(name)) => format!("did you mean `{name}`?"),
                    (None, None) => "write its `dataset` and `model`".to_owned(),
                }));
            }
            None => known.push(name.text.clone()),
        }
    }
    Ok(())
}

/// Whether a target has no data set.
fn is_empty(target: &Node) -> bool {
    match target.value {
        Value::Null => true,
        Value::Map(_) => target.entry("dataset").is_none(),
        _ => false,
    }
}

/// Resolves the own `generators` of a target to one list of complete entries.
fn begin_generators(
    target: &mut Node,
    grids: Option<&Node>,
    presets: Option<&Node>,
) -> Result<(), Fault> {
    let Some(own) = target.entry_mut("generators") else {
        return Ok(());
    };
    match &own.value {
        Value::Map(settings) => {
            check_names(settings, brink_generators::REGISTRY)?;
            let mut list = match grids {
                Some(grids) => grids.clone(),
                None => own.with(Value::List(Vec::new())),
            };
            begin_all(&mut list, &[presets, Some(&*own)]);
            *own = list;
        }
        _ => begin_all(own, &[presets]),
    }
    Ok(())
}

/// Merges the entries of a list over `bases`.
fn begin_all(list: &mut Node, bases: &[Option<&Node>]) {
    if let Value::List(items) = &mut list.value {
        for item in items {
            *item = begin(item, bases);
        }
    }
}

/// The entry `name` or `name: settings`, with its settings merged over the settings of that name in `bases`.
fn begin(entry: &Node, bases: &[Option<&Node>]) -> Node {
    let (name, settings) = match &entry.value {
        Value::Text(name) => (entry.name(name.as_str()), entry.with(Value::Null)),
        Value::Map(entries) => match &entries[..] {
            [(name, settings)] => (name.clone(), settings.clone()),
            _ => return entry.clone(),
        },
        _ => return entry.clone(),
    };
    let bases = bases
        .iter()
        .filter_map(|base| base.as_ref()?.entry(&name.text));
    let begun = bases.cloned().reduce(|below, above| over(&below, &above));
    match begun {
        None => entry.clone(),
        Some(begun) => entry.with(Value::Map(vec![(name, over(&begun, &settings))])),
    }
}

/// `above` merged over `below`. An empty value has no settings.
fn over(below: &Node, above: &Node) -> Node {
    let mut merged = below.clone();
    if !matches!(above.value, Value::Null) {
        merge(&mut merged, above.clone());
    }
    merged
}
