//! Checks that a network gives what generators, attacks and probes need of it.

use brink_data::Facts;
use brink_models::{Access, Model, Need};

use crate::grid::{Grid, Target};

/// Checks that the network of the target `name` of `grid`, which is `model`, gives what is needed of it.
///
/// # Errors
/// The first entry that needs more. The error shows its line.
pub fn check(
    name: &str,
    target: &Target,
    model: Model,
    facts: &Facts,
    grid: &Grid,
) -> anyhow::Result<()> {
    let access = model.access(facts.classes)?;
    if access == Access::Layers {
        return Ok(());
    }
    for (path, entry, need) in all(name, target, grid) {
        if need.access <= access {
            continue;
        }
        let title = model.architecture().title;
        let has = match access {
            Access::Answers => format!("the {title} file of `{name}` only answers"),
            Access::Gradients | Access::Layers => {
                format!("the network of `{name}`, {title}, is a module of candle, which hides them")
            }
        };
        let problem = format!("`{entry}` needs {}, but {has}; {}", need.what, need.fix);
        let field = need
            .field
            .map_or_else(String::new, |field| format!(".{field}"));
        return Err(grid.error(&format!("{path}.{entry}{field}"), problem));
    }
    Ok(())
}

/// The path, the name and the need of all entries that work on the target.
fn all(name: &str, target: &Target, grid: &Grid) -> Vec<(String, &'static str, Need)> {
    let (list, generators) = match &target.generators {
        Some(own) => (format!("targets.{name}.generators"), own),
        None => ("generators".to_owned(), &grid.generators),
    };
    let generators = generators.iter().enumerate().map(|(nth, spec)| {
        (
            format!("{list}.{nth}"),
            spec.name(),
            spec.generator().needs(),
        )
    });
    let attacks = grid.attacks.iter().enumerate().flat_map(|(nth, sweep)| {
        let each = sweep.each().iter();
        each.map(move |spec| (format!("attacks.{nth}"), spec.name(), spec.attack().needs()))
    });
    let probes = grid.probes.iter().enumerate().flat_map(|(nth, sweep)| {
        let each = sweep.each().iter();
        each.map(move |spec| (format!("probes.{nth}"), spec.name(), spec.probe().needs()))
    });
    let slice = grid.slice.iter().map(|slice| {
        let attack = &slice.attack;
        (
            "slice.attack".to_owned(),
            attack.name(),
            attack.attack().needs(),
        )
    });
    generators
        .chain(attacks)
        .chain(probes)
        .chain(slice)
        .collect()
}
