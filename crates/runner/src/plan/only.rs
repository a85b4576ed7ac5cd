//! `--only`: the steps that patterns select, and the steps that they need.

use std::collections::HashSet;

use anyhow::bail;
use brink_config::nearest;
use brink_store::Id;
use glob::Pattern;

use super::Plan;

impl Plan {
    /// The steps whose names match one of `patterns`, and the steps that they need. In a pattern, `*` also matches `/`. The
    /// name of a target selects all its steps, and the name of an attack selects all its runs.
    ///
    /// # Errors
    /// If a pattern matches no step.
    pub fn only(&self, patterns: &[Pattern]) -> anyhow::Result<Self> {
        if let Some(lost) = patterns.iter().find(|pattern| !self.has(pattern)) {
            let text = lost.as_str();
            bail!("--only {text}: no step matches; {}", self.hint(text));
        }
        let mut part = self.clone();
        let whole = |name: &str| patterns.iter().any(|pattern| pattern.matches(name));
        for target in part
            .targets
            .iter_mut()
            .filter(|target| !whole(&target.name))
        {
            for attack in &mut target.attacks {
                let all = whole(&attack.name);
                attack.runs.retain(|run| all || whole(&run.name));
            }
            target.attacks.retain(|attack| !attack.runs.is_empty());
            let runs = target.attacks.iter().flat_map(|attack| &attack.runs);
            let needed: HashSet<Id> = runs.map(|run| run.set).collect();
            target.probes.retain(|probe| whole(&probe.name));
            target.slice = target.slice.take().filter(|slice| whole(&slice.name));
            let cut = target.slice.as_ref().map(|slice| slice.set);
            target
                .sets
                .retain(|set| needed.contains(&set.id) || cut == Some(set.id) || whole(&set.name));
        }
        part.targets.retain(|target| {
            !target.attacks.is_empty()
                || !target.sets.is_empty()
                || !target.probes.is_empty()
                || whole(&target.name)
        });
        Ok(part)
    }

    /// Whether a step or an attack matches.
    fn has(&self, pattern: &Pattern) -> bool {
        let attacks = self.targets.iter().flat_map(|target| &target.attacks);
        let attacks = attacks.map(|attack| attack.name.as_str());
        let mut names = self.steps().map(|step| step.name).chain(attacks);
        names.any(|name| pattern.matches(name))
    }

    /// What to write instead of a pattern that matches no step.
    fn hint(&self, pattern: &str) -> String {
        let names: Vec<&str> = self.steps().map(|step| step.name).collect();
        let inside = |name: &&str| name.starts_with(&format!("{pattern}/"));
        if names.iter().any(inside) {
            return format!("write `{pattern}/*` for the steps inside");
        }
        match (nearest(pattern, names.iter().copied()), names.last()) {
            (Some(name), _) => format!("did you mean `{name}`?"),
            (None, Some(last)) => format!(
                "`runner plan` lists all {}, the last is {last}",
                names.len()
            ),
            (None, None) => "the grid has no steps".to_owned(),
        }
    }
}
