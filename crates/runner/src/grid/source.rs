//! Reads a grid from files and the command line. It resolves includes, overlays, overrides and presets, in this order.

use std::path::Path;

use anyhow::bail;
use brink_config::yaml::{Document, Error, Fault, Node, Value};
use brink_config::{Scale, nearest};

use super::fields::{REQUIRED, REQUIRED_OF_TARGETS, SCALE, fields, first_part};
use super::{Grid, Target, key, presets, targets, text};

/// The files and overrides of a grid.
pub struct Source {
    name: String,
    scale: Scale,
    document: Document,
}

impl Source {
    /// The path of the grid file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The scale at which it was read.
    pub fn scale(&self) -> Scale {
        self.scale
    }

    /// An error at the value at `path`, or at the closest value around it.
    pub fn error(&self, path: &str, message: String) -> Error {
        self.document.error(path, message)
    }

    /// The resolved grid as one YAML file.
    pub fn to_yaml(&self, with_origins: bool) -> String {
        let rest = self.document.to_yaml(with_origins);
        format!("{SCALE}: {}\n{rest}", self.scale)
    }
}

impl Grid {
    /// The scales of the file at `path`: the scale that it holds, or else `desk`, `paper` and its own.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn scales(path: &Path) -> anyhow::Result<Vec<Scale>> {
        let mut document = Document::open(path, &text::read, key::veil())?;
        let mut held = None;
        document.change(|root| {
            held = held_scale(root, None)?;
            Ok(())
        })?;
        if let Some(held) = held {
            return Ok(vec![held]);
        }
        let mut scales = vec![Scale::DESK, Scale::PAPER];
        for name in document.at_scale(Scale::PAPER)? {
            scales.push(name.parse()?);
        }
        scales.sort_unstable();
        scales.dedup();
        Ok(scales)
    }

    /// Reads the file at `path` with its includes, at `scale` and under `overrides` (each `path=value`). Without `scale`,
    /// it takes the scale that the grid names, or else the default.
    ///
    /// # Errors
    /// If a file cannot be read, or a file or an override is wrong. The message names the place and the fix.
    pub fn read(path: &Path, scale: Option<Scale>, overrides: &[String]) -> anyhow::Result<Self> {
        let name = path.display().to_string();
        let mut document = Document::open(path, &text::read, key::veil())?;
        document.change(require_known_fields)?;
        let scale = resolve_scale(&mut document, &name, scale)?;
        document.change(targets::name)?;
        document.set(overrides)?;
        document.change(targets::name)?; // a list may have taken their place
        refuse_unused_generators(&mut document, &name, overrides)?;
        let replaced: Vec<String> = document.without_effect().map(str::to_owned).collect();
        document.change(presets::expand)?;
        document.change(require_all_fields)?;
        let mut grid: Self = document.read()?;
        if grid.targets.iter().all(|(_, own)| own.generators.is_some()) {
            // No target takes the list of the grid, so no value in it has an effect.
            grid.generators.clear();
            document.change(|root| {
                root.take("generators");
                Ok(())
            })?;
        }
        refuse_lost(&document, &name, &replaced)?;
        grid.targets = grid.targets.map(Target::resolved);
        grid.source = Some(Source {
            name,
            scale,
            document,
        });
        Ok(grid)
    }
}

/// Merges the overlays of the `chosen` scale, and returns it.
fn resolve_scale(
    document: &mut Document,
    name: &str,
    chosen: Option<Scale>,
) -> anyhow::Result<Scale> {
    let mut held = None;
    document.change(|root| {
        held = held_scale(root, chosen)?;
        Ok(())
    })?;
    let scale = chosen.or(held).unwrap_or_default();
    let mut known = vec![Scale::DESK.name(), Scale::PAPER.name()];
    known.extend(held.map(Scale::name));
    let own = document.at_scale(scale)?;
    known.extend(own.iter().map(String::as_str));
    if !known.contains(&scale.name()) {
        known.sort_unstable();
        known.dedup();
        let hint = nearest::hint(scale.name(), &known);
        bail!("{name}: --scale {scale}: the grid has no such scale; {hint}");
    }
    Ok(scale)
}

/// Refuses an override of the grid's generators if every target has its own list.
fn refuse_unused_generators(
    document: &mut Document,
    name: &str,
    overrides: &[String],
) -> anyhow::Result<()> {
    let mut lists = false;
    document.change(|root| {
        lists = presets::every_target_has_a_list(root);
        Ok(())
    })?;
    let of_generators = |change: &&String| first_part(change) == "generators";
    if let Some(change) = overrides.iter().find(of_generators).filter(|_| lists) {
        let change = key::without_secret(change);
        bail!(
            "{name}: --set {change}: this has no effect, because every target has its own `generators`; change `targets.*.generators`"
        );
    }
    Ok(())
}

/// Refuses an override that has no effect, unless another one `replaced` it.
fn refuse_lost(document: &Document, name: &str, replaced: &[String]) -> anyhow::Result<()> {
    let mut lost = document.without_effect();
    if let Some(change) = lost.find(|change| !replaced.iter().any(|own| own == change)) {
        let change = key::veil().argument(change);
        bail!(
            "{name}: --set {change}: this has no effect: no entry of the grid reads it, or each has a setting of its own there; `runner show` tells"
        );
    }
    Ok(())
}

/// Refuses unknown fields at the top.
fn require_known_fields(root: &mut Node) -> Result<(), Fault> {
    let Value::Map(entries) = &root.value else {
        return Ok(());
    };
    let known = fields();
    let mut names = entries.iter().map(|(name, _)| name);
    match names.find(|name| !known.contains(&name.text.as_str())) {
        Some(name) => Err(name
            .fault(format!("unknown field `{}`", name.text))
            .hint(nearest::hint(&name.text, &known))),
        None => Ok(()),
    }
}

/// Refuses a grid without all that it needs, and names everything that is missing at once.
fn require_all_fields(root: &mut Node) -> Result<(), Fault> {
    let mut missing: Vec<String> = REQUIRED
        .iter()
        .filter(|(name, _)| root.entry(name).is_none())
        .map(|(name, _)| (*name).to_owned())
        .collect();
    let targets = root.entry("targets").map(|targets| &targets.value);
    if let Some(Value::Map(targets)) = targets {
        for (name, target) in targets {
            let lacks = REQUIRED_OF_TARGETS.iter().filter(|field| {
                matches!(target.value, Value::Map(_)) && target.entry(field).is_none()
            });
            missing.extend(lacks.map(|field| format!("targets.{}.{field}", name.text)));
        }
    }
    let [rest @ .., last] = &missing[..] else {
        return Ok(());
    };
    let problem = match rest {
        [] => format!("the field `{last}` is missing"),
        rest => format!(
            "the fields `{}` and `{last}` are missing",
            rest.join("`, `")
        ),
    };
    let examples = REQUIRED
        .iter()
        .filter(|(name, _)| missing.iter().any(|own| own == name));
    let examples = examples.map(|(name, example)| format!("{name}: {example}"));
    let examples: Vec<String> = examples.collect();
    let hint = match examples.is_empty() {
        true => "`runner list` describes every field".to_owned(),
        false => format!("add, for example:\n      {}", examples.join("\n      ")),
    };
    Err(root.fault(problem).hint(hint))
}

/// Takes the name of its scale out of a resolved grid. It must be the `chosen` scale, if one is chosen.
fn held_scale(root: &mut Node, chosen: Option<Scale>) -> Result<Option<Scale>, Fault> {
    let Some(node) = root.take(SCALE) else {
        return Ok(None);
    };
    let held = match &node.value {
        Value::Text(name) => name.parse::<Scale>(),
        other => return Err(node.fault(format!("{other} is not the name of a scale"))),
    };
    let held = held.map_err(|error| node.fault(error.to_string()))?;
    match chosen {
        Some(chosen) if chosen != held => Err(node
            .fault(format!(
                "this grid holds the settings of the scale `{held}`, not of `{chosen}`"
            ))
            .hint("leave --scale out, or choose the grid that this one was made from")),
        _ => Ok(Some(held)),
    }
}
