//! What generators and networks are called in tables and in the names of files.

use serde_json::Value;
use store::TargetRecord;

use crate::Measure;

/// The paper's generators in the order of its columns, with their titles; others follow by name.
pub const GENERATORS: [(&str, &str); 4] = [
    ("validset", "Validset"),
    ("dbi", "DBI"),
    ("aid", "AID"),
    ("ours", "Ours"),
];

/// Where a generator stands among the columns.
pub fn rank(generator: &str) -> usize {
    let known = GENERATORS.iter().position(|(name, _)| *name == generator);
    known.unwrap_or(GENERATORS.len())
}

/// Which rates of a generator the paper's layout shows, the more telling last: of plain images it has the single rate only.
pub fn measures(generator: &str) -> &'static [Measure] {
    match generator {
        "validset" => &[Measure::Single],
        _ => &[Measure::Single, Measure::Pair],
    }
}

/// The rate that stands for a generator where there is room for one.
pub fn main_measure(generator: &str) -> Measure {
    match measures(generator) {
        [.., last] => *last,
        [] => Measure::Single,
    }
}

/// The title of a generator, or of one of its variants.
pub fn title(generator: &str, variant: &str) -> String {
    let known = GENERATORS.iter().find(|(name, _)| *name == generator);
    let (base, suffix) = generator.split_once('-').unwrap_or((generator, ""));
    let base = GENERATORS.iter().find(|(name, _)| *name == base);
    let title = match (known, base) {
        (Some((_, title)), _) => (*title).to_owned(),
        (None, Some((_, title))) => format!("{title} {suffix}"),
        (None, None) => generator.to_owned(),
    };
    if variant.is_empty() {
        title
    } else {
        format!("{title} ({variant})")
    }
}

/// A network's name as papers write it, and its width if that is not theirs: `resnet18` is `ResNet18`.
pub fn network(target: &TargetRecord) -> String {
    let families = [("resnet", "ResNet"), ("vgg", "VGG")];
    let title = families.into_iter().find_map(|(name, title)| {
        let rest = target.model.strip_prefix(name)?;
        Some(format!("{title}{rest}"))
    });
    let title = title.unwrap_or_else(|| target.model.clone());
    match &target.spec["width"] {
        Value::Null => title,
        width => format!("{title} (width {width})"),
    }
}

/// What the names of files about a target begin with: its data set and network, and its width if that is not the paper's.
pub fn stem(target: &TargetRecord) -> String {
    let stem = format!("{}-{}", target.dataset, target.model);
    match &target.spec["width"] {
        Value::Null => stem,
        width => format!("{stem}-width{width}"),
    }
}
