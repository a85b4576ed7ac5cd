//! "Did you mean": finds the known name closest to a mistyped one.

/// The candidate nearest to `name`, or `None` if none is near enough.
///
/// A candidate is near enough with at most one typo per three letters of the longer name. A typo is a letter that is
/// missing, added, wrong or swapped with its neighbour. Case does not count, and `_` equals `-`. The first one wins a tie.
///
/// ```
/// assert_eq!(brink_config::nearest("iteratons", ["lr", "iterations"]), Some("iterations"));
/// assert_eq!(brink_config::nearest("colour", ["lr", "iterations"]), None);
/// ```
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let fold = |text: &str| text.to_lowercase().replace('_', "-");
    let name = fold(name);
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let folded = fold(candidate);
            let [a, b] = [&name, &folded].map(|text| text.chars().count());
            let most = a.max(b) / 3;
            // Each letter that one has more is a typo, so most candidates need no comparison.
            if a.abs_diff(b) > most {
                return None;
            }
            let slips = strsim::osa_distance(&name, &folded);
            (slips <= most).then_some((slips, candidate))
        })
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, candidate)| candidate)
}

/// The hint for an unknown `name`: the nearest known name, or all known names.
///
/// ```
/// assert_eq!(brink_config::nearest::hint("resnet8", &["resnet18", "vgg16"]), "did you mean `resnet18`?");
/// assert_eq!(brink_config::nearest::hint("alexnet", &["resnet18", "vgg16"]), "known: resnet18, vgg16");
/// ```
pub fn hint(name: &str, candidates: &[&str]) -> String {
    match nearest(name, candidates.iter().copied()) {
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None if candidates.is_empty() => "no names are known here".to_owned(),
        None => format!("known: {}", candidates.join(", ")),
    }
}
