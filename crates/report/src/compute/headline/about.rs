//! What is counted and on which images, in sentences.

use std::collections::BTreeSet;

use brink_config::Scale;
use brink_verify::LabelSpace;

use super::Headline;
use crate::compute::aggregate::Block;
use crate::compute::paper::Comparability;

impl Headline<'_> {
    /// What a detection is, and what each target has to do with the paper's.
    pub fn about(&self) -> Vec<String> {
        let input = self.input(Scale::PAPER);
        let findings = self.ranked(&input);
        if findings.blocks.is_empty() {
            return Vec::new();
        }
        let counted = counted(&findings.blocks);
        let targets = findings.blocks.iter().map(|block| {
            let target = block.target.record;
            let tested = target.accuracy.of();
            format!(
                "{}: top-1 {:.1} % of {tested} test images; {}",
                block.title(),
                100.0 * target.accuracy.value(),
                origin(block)
            )
        });
        std::iter::once(counted).chain(targets).collect()
    }
}

/// What changes when a change is counted.
fn counted(blocks: &[Block]) -> String {
    let series = blocks.iter().flat_map(|block| &block.series);
    let named = |space: LabelSpace| -> String {
        let sets = series
            .clone()
            .filter(|series| series.sets.iter().any(|set| set.label_space == space));
        let names: BTreeSet<&str> = sets.map(|series| series.title.as_str()).collect();
        names.into_iter().collect::<Vec<_>>().join(", ")
    };
    let (classes, head) = (named(LabelSpace::Classes), named(LabelSpace::Head));
    let top1 = "the network's top-1 class";
    let keyed = "the larger of the keyed head's two outputs";
    let label = match (classes.is_empty(), head.is_empty()) {
        (_, true) => top1.to_owned(),
        (true, false) => keyed.to_owned(),
        (false, false) => format!("{top1} ({classes}) or {keyed} ({head})"),
    };
    format!(
        "Counted are changed labels: of an image, or of at least one image of a pair. The label is {label}"
    )
}

/// What the images and the network have to do with the paper's.
fn origin(block: &Block) -> String {
    match block.comparability() {
        Comparability::Same(_) => "the paper's data set and network".to_owned(),
        Comparability::Related(printed) => {
            let target = block.target.record;
            let data = match target.dataset == printed.dataset {
                true => "the paper's data set",
                false => "not the paper's data, but another form of its data set",
            };
            let network = match printed.has_the_network_of(target) {
                true => "its network",
                false => "another network",
            };
            format!("{data} ({}), and {network}", printed.title)
        }
        Comparability::Unrelated(_) => "not the paper's data".to_owned(),
    }
}
