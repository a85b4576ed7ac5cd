//! "Did you mean": the known name that a mistyped one most likely stands for.

/// The candidate nearest to `name`, or none that is near enough to be meant.
///
/// Near enough is at most one slip (a letter missing, added, wrong or swapped with its neighbour) per three letters of
/// the longer name. Case does not count, nor does `_` against `-`. Among equals the first one wins.
///
/// ```
/// assert_eq!(spec::nearest("iteratons", ["lr", "iterations"]), Some("iterations"));
/// assert_eq!(spec::nearest("colour", ["lr", "iterations"]), None);
/// ```
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let fold = |text: &str| text.to_lowercase().replace('_', "-");
    let name = fold(name);
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let folded = fold(candidate);
            let slips = strsim::osa_distance(&name, &folded);
            let letters = name.chars().count().max(folded.chars().count());
            (slips <= letters / 3).then_some((slips, candidate))
        })
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, candidate)| candidate)
}

/// What to tell whoever wrote an unknown `name`: the nearest known one, or all of them.
///
/// ```
/// assert_eq!(spec::nearest::hint("resnet8", &["resnet18", "vgg16"]), "did you mean `resnet18`?");
/// assert_eq!(spec::nearest::hint("alexnet", &["resnet18", "vgg16"]), "known: resnet18, vgg16");
/// ```
pub fn hint(name: &str, candidates: &[&str]) -> String {
    match nearest(name, candidates.iter().copied()) {
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None if candidates.is_empty() => "none is known here".to_owned(),
        None => format!("known: {}", candidates.join(", ")),
    }
}
