//! Notes about data sets whose images were not verified.

use std::collections::BTreeSet;

use brink_store::{Content, TargetRecord};

/// A note for each data set of `targets` whose images were not verified. Older records do not say, and have no note.
pub fn notes<'a>(targets: impl Iterator<Item = &'a TargetRecord>) -> Vec<String> {
    let note = |target: &TargetRecord| {
        let content = target
            .content
            .as_ref()
            .filter(|content| !content.verified)?;
        Some(format!(
            "{}: its images were not verified to be the official ones (sha256 of their pixels and labels {}){}.",
            target.dataset_title,
            content.sha256,
            degenerate(content)
        ))
    };
    let notes: BTreeSet<String> = targets.filter_map(note).collect();
    notes.into_iter().collect()
}

/// The images that are blank or repeated.
fn degenerate(content: &Content) -> String {
    let Content {
        images,
        blank,
        repeated,
        ..
    } = content;
    let odd = [
        (*blank, "of a single colour"),
        (*repeated, "equal to an earlier one"),
    ];
    let odd = odd.into_iter().filter(|(count, _)| *count > 0);
    let odd: Vec<String> = odd.map(|(count, what)| format!("{count} {what}")).collect();
    match odd.as_slice() {
        [] => String::new(),
        odd => format!("; among {images} images {}", odd.join(" and ")),
    }
}
