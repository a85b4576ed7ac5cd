//! What was found, in a sentence for each target.

use brink_config::Scale;

use super::{Headline, asked_again, detection, families, mean};
use crate::compute::aggregate::Block;

impl Headline<'_> {
    /// A sentence for each target: which samples detect most on average, at how many false alarms, and what the others reach.
    pub fn sentences(&self) -> Vec<String> {
        let input = self.input(Scale::PAPER);
        let findings = self.ranked(&input);
        let families = families(&findings.blocks);
        let sentence = |block: &Block| {
            let (best, others) = block.series.split_first()?;
            let found = families.iter().filter_map(|family| {
                let rate = 100.0 * detection(best, family)?.rate;
                Some(format!(
                    "{} {rate:.1} %",
                    self.family(family).to_lowercase()
                ))
            });
            let found = found.collect::<Vec<_>>().join(", ");
            let others = others.iter().filter_map(|series| {
                Some(format!(
                    "{} {:.1} %",
                    series.title,
                    100.0 * mean(series, &families)?
                ))
            });
            let others = others.collect::<Vec<_>>().join(", ");
            let (on_average, means) = match families.len() {
                1 => ("", "others"),
                _ => (" on average", "averages of the others"),
            };
            let rest = match others.is_empty() {
                true => String::new(),
                false => format!("; {means}: {others}"),
            };
            let average = 100.0 * mean(best, &families)?;
            let alarms = asked_again(best);
            Some(format!(
                "{}: {} detects most{on_average}, {average:.1} % ({found}), at {}/{} false alarms{rest}",
                block.title(),
                best.title,
                alarms.hits(),
                alarms.of()
            ))
        };
        findings.blocks.iter().filter_map(sentence).collect()
    }
}
