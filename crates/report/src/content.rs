//! Which images stand behind a report without having been shown to be the official ones.

use std::collections::BTreeSet;

use store::{Content, TargetRecord};

/// A note for each data set of `targets` whose content was not verified. Records of before that was written down have none.
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

/// What is odd about images that nobody vouches for.
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
