//! Whether weights fit a network and, if they do not, the likely cause and the network that they are nearest to.

use crate::error::Result;
use crate::names::{FAMILIES, HEADS};
use crate::registry::Model;
use crate::slot::Slot;
use candle_core::Tensor;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

pub(crate) type Tensors = BTreeMap<String, Tensor>;

/// The names of a network's tensors.
fn names(slots: &[Slot]) -> BTreeSet<&str> {
    slots.iter().map(|slot| slot.name.as_str()).collect()
}

/// How the names in a file become those of a network.
#[derive(Clone, Debug, Default)]
pub(crate) struct Naming {
    /// A prefix that all names have; empty if there is none.
    pub prefix: String,
    /// The family of the file's names, if they are not torchvision's.
    pub family: Option<&'static str>,
    /// The old and the new name of the classifier, if they differ.
    pub head: Option<(String, String)>,
}

/// The tensors under the network's names, and what was renamed. If no table makes all names the network's, only a prefix is left out.
pub(crate) fn named(tensors: &Tensors, slots: &[Slot]) -> (Tensors, Naming) {
    let fitting = namings(tensors, slots).find(|(tensors, _)| has_all_layers(tensors, slots));
    fitting.unwrap_or_else(|| {
        let (bare, prefix) = without_prefix(tensors, slots);
        let naming = Naming {
            prefix,
            ..Naming::default()
        };
        (bare, naming)
    })
}

/// The tensors under every family's names, torchvision's first: the rules of another family could also fit them.
fn namings(tensors: &Tensors, slots: &[Slot]) -> impl Iterator<Item = (Tensors, Naming)> {
    let (bare, prefix) = without_prefix(tensors, slots);
    let own = Naming {
        prefix,
        ..Naming::default()
    };
    let families = FAMILIES.iter().filter_map(|family| {
        // The rules know the names with their prefix.
        let renamed = tensors
            .iter()
            .map(|(name, tensor)| (family.renamed(name), tensor.clone()));
        let renamed: Tensors = renamed.collect();
        let naming = Naming {
            family: Some(family.name),
            ..Naming::default()
        };
        (renamed.len() == tensors.len()).then_some((renamed, naming))
    });
    let all = std::iter::once((bare, own)).chain(families);
    all.map(|(mut tensors, naming)| {
        let head = other_head(&tensors, slots);
        if let Some((theirs, ours)) = &head {
            rename_head(&mut tensors, theirs, ours);
        }
        (as_linear(tensors, slots), Naming { head, ..naming })
    })
}

/// Removes a prefix that all names have and the network's names do not. Also returns the prefix, empty if there is none.
fn without_prefix(tensors: &Tensors, slots: &[Slot]) -> (Tensors, String) {
    let first = tensors.keys().next().cloned().unwrap_or_default();
    let mut prefix = String::new();
    for part in first
        .split_inclusive('.')
        .filter(|part| part.ends_with('.'))
    {
        let longer = format!("{prefix}{part}");
        if slots.iter().any(|slot| slot.name.starts_with(part))
            || !tensors.keys().all(|name| name.starts_with(&longer))
        {
            break;
        }
        prefix = longer;
    }
    let bare =
        |(name, tensor): (&String, &Tensor)| (name[prefix.len()..].to_owned(), tensor.clone());
    (tensors.iter().map(bare).collect(), prefix)
}

/// The name of the layer that gives a network's logits.
fn head(slots: &[Slot]) -> Option<&str> {
    Some(slots.last()?.name.rsplit_once('.')?.0)
}

/// The names of the classifier in the file and in the network, if they differ and the file does not use the network's name.
fn other_head(tensors: &Tensors, slots: &[Slot]) -> Option<(String, String)> {
    let ours = head(slots)?;
    let has = |layer: &str| {
        let mut parts = ["weight", "bias"].iter();
        parts.all(|part| tensors.contains_key(&format!("{layer}.{part}")))
    };
    let known = names(slots);
    let mut theirs = HEADS
        .iter()
        .filter(|&&layer| has(layer) && !known.contains(format!("{layer}.weight").as_str()));
    match (theirs.next(), theirs.next()) {
        (Some(&only), None) if !has(ours) => Some((only.to_owned(), ours.to_owned())),
        _ => None,
    }
}

fn rename_head(tensors: &mut Tensors, theirs: &str, ours: &str) {
    for part in ["weight", "bias"] {
        if let Some(tensor) = tensors.remove(&format!("{theirs}.{part}")) {
            tensors.insert(format!("{ours}.{part}"), tensor);
        }
    }
}

/// Whether the names are the network's. The classifier may be missing, because a new one may replace it.
fn has_all_layers(tensors: &Tensors, slots: &[Slot]) -> bool {
    let head: Vec<&str> = slots[slots.len() - 2..]
        .iter()
        .map(|slot| slot.name.as_str())
        .collect();
    let body = |name: &&str| !head.contains(name);
    tensors
        .keys()
        .map(String::as_str)
        .filter(body)
        .eq(names(slots).into_iter().filter(body))
}

/// A convolution over a whole map is a linear layer; timm writes the former.
fn as_linear(mut tensors: Tensors, slots: &[Slot]) -> Tensors {
    for slot in slots {
        if let [o, i] = slot.shape[..]
            && let Some(tensor) = tensors.get_mut(&slot.name)
            && tensor.rank() == 4
            && tensor.dims()[0] == o
            && let Ok(matrix) = tensor.reshape((o, i))
        {
            *tensor = matrix;
        }
    }
    tensors
}

/// How some weights differ from a network.
pub(crate) struct Comparison {
    pub model: Model,
    /// The number of classes of the weights.
    pub classes: usize,
    /// Whose names the file has, if they are not torchvision's.
    family: Option<&'static str>,
    /// The number of tensors that the network has, too, in the same shape.
    alike: usize,
    /// A phrase for each tensor of the network that is missing or has another shape, in the order of the forward pass.
    wrong: Vec<String>,
    /// The tensors that the network does not have.
    extra: Vec<String>,
}

impl Comparison {
    /// Of tensors that have the network's names as far as they can.
    fn new(tensors: &Tensors, model: Model, classes: usize, slots: &[Slot]) -> Self {
        let of_slot = |slot: &Slot| match tensors.get(&slot.name) {
            None => Some(format!("`{}` is missing", slot.name)),
            Some(tensor) if tensor.dims() != slot.shape => Some(format!(
                "`{}` has shape {:?}, expected {:?}",
                slot.name,
                tensor.dims(),
                slot.shape
            )),
            Some(_) => None,
        };
        let known = names(slots);
        let wrong: Vec<String> = slots.iter().filter_map(of_slot).collect();
        let extra = tensors.keys().filter(|name| !known.contains(name.as_str()));
        Self {
            model,
            classes,
            family: None,
            alike: slots.len() - wrong.len(),
            wrong,
            extra: extra.map(|name| format!("`{name}`")).collect(),
        }
    }

    /// Whether nothing differs.
    pub fn fits(&self) -> bool {
        self.wrong.is_empty() && self.extra.is_empty()
    }

    /// The first names that differ.
    fn differences(&self) -> String {
        let extra = match self.extra.is_empty() {
            true => None,
            false => Some(format!("the network does not have {}", list(&self.extra))),
        };
        let wrong = Some(list(&self.wrong)).filter(|_| !self.wrong.is_empty());
        let parts: Vec<String> = wrong.into_iter().chain(extra).collect();
        parts.join("; ")
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { model, classes, .. } = self;
        if !self.fits() {
            let differences = self.differences();
            return match self.alike {
                0 => write!(f, "fits no network"),
                _ => write!(f, "fits no network; nearest is {model}, but {differences}"),
            };
        }
        write!(f, "fits {model} with {classes} classes")?;
        match self.family {
            Some(family) => write!(f, ", under the names of {family}"),
            None => Ok(()),
        }
    }
}

/// Compares the weights with `models`, the nearest first.
///
/// # Errors
/// If a network cannot have the number of classes.
pub(crate) fn compared(
    tensors: &Tensors,
    models: impl Iterator<Item = Model>,
) -> Result<Vec<Comparison>> {
    let compare = |model: Model| -> Result<Comparison> {
        // The number of classes does not change the names.
        let slots = model.slots(2)?;
        let known: BTreeSet<&str> = names(&slots);
        let known = |(tensors, _): &(Tensors, Naming)| {
            let names = tensors.keys();
            Reverse(names.filter(|name| known.contains(name.as_str())).count())
        };
        // The first of the best: torchvision's own names if they are as good.
        let best = namings(tensors, &slots).min_by_key(known);
        let (named, naming) = best.unwrap_or_default();
        let rows = named.get(&slots[slots.len() - 2].name);
        let classes = rows.and_then(|rows| rows.dims().first().copied());
        let classes = classes.filter(|&classes| classes > 0).unwrap_or(2);
        let slots = model.slots(classes)?;
        Ok(Comparison {
            family: naming.family,
            ..Comparison::new(&named, model, classes, &slots)
        })
    };
    let mut all = models.map(compare).collect::<Result<Vec<_>>>()?;
    all.sort_by_key(|of| (Reverse(of.alike), of.wrong.len() + of.extra.len()));
    Ok(all)
}

/// Why the weights do not fit `model`, and the nearest network; `None` if they fit.
///
/// # Errors
/// If a network cannot have the number of classes.
pub(crate) fn problem(tensors: &Tensors, model: Model, classes: usize) -> Result<Option<String>> {
    let slots = model.slots(classes)?;
    let own = Comparison::new(tensors, model, classes, &slots);
    if own.fits() {
        return Ok(None);
    }
    if let Some(theirs) = other_classes(tensors, &slots, &own) {
        return Ok(Some(format!(
            "{}; the weights are for {theirs} classes; `head: new` beside `weights` gives them a new classifier",
            own.wrong[0]
        )));
    }
    let cause = prefixed(tensors, &slots).unwrap_or_else(|| own.differences());
    let others = Model::all().map(|other| other.as_wide_as(model));
    let others = compared(tensors, others.filter(|other| *other != model))?;
    let nearest = others.first().filter(|other| other.alike > own.alike);
    let nearest = nearest.map_or(String::new(), |other| match other.fits() {
        true => format!("; they fit {} with {} classes", other.model, other.classes),
        false => format!(
            "; the nearest network is {}, but {}",
            other.model,
            other.differences()
        ),
    });
    Ok(Some(format!("{cause}{nearest}")))
}

/// The number of classes of the weights, if only that differs.
fn other_classes(tensors: &Tensors, slots: &[Slot], own: &Comparison) -> Option<usize> {
    let [.., weight, bias] = slots else {
        return None;
    };
    let (rows, outputs) = (tensors.get(&weight.name)?, tensors.get(&bias.name)?);
    let theirs = *rows.dims().first()?;
    let alone = own.wrong.len() == 2 && own.extra.is_empty() && theirs != weight.shape[0];
    let alike = rows.dims()[1..] == weight.shape[1..] && outputs.dims() == [theirs];
    (alone && alike).then_some(theirs)
}

/// The cause if some names have one prefix too many.
fn prefixed(tensors: &Tensors, slots: &[Slot]) -> Option<String> {
    let missing = slots.iter().find(|slot| !tensors.contains_key(&slot.name));
    let name = &missing?.name;
    let is_own = |prefix: &str| slots.iter().any(|slot| slot.name.starts_with(prefix));
    let stranger = tensors.keys().find(|stranger| {
        let prefix = stranger.strip_suffix(name.as_str());
        prefix.is_some_and(|prefix| prefix.ends_with('.') && !is_own(prefix))
    })?;
    let prefix = &stranger[..stranger.len() - name.len()];
    let many = tensors.keys().filter(|name| name.starts_with(prefix));
    Some(format!(
        "`{name}` is missing, but there is `{stranger}`: remove the prefix `{prefix}` from the {} of {} names that have it",
        many.count(),
        tensors.len()
    ))
}

/// The first few, and the number of the others.
fn list(items: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown = items[..items.len().min(SHOWN)].join(", ");
    match items.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
