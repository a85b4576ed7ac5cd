//! The last lines of a run: what was found, where it is, and what to do next. Ten lines at most.

use brink_report::Headline;

use super::Findings;

/// The most targets that have a line of their own.
const TARGETS: usize = 4;

impl Findings<'_> {
    /// The lines. They do not depend on the time, so that a second run prints the same.
    pub(super) fn summary(&self, files: usize) -> Vec<String> {
        let mut found = Headline::of(&self.records).sentences();
        if found.is_empty() {
            found = self.accuracies();
        }
        let more = found.len().saturating_sub(TARGETS);
        found.truncate(TARGETS);
        if more > 0 {
            found.push(format!("{more} more in the files"));
        }
        let alarms = self.false_alarms();
        found.push(format!(
            "false alarms: {} of {} answers of untouched models",
            alarms.hits(),
            alarms.of()
        ));
        found.extend(self.left_out());
        let folder = self.session.folder();
        if files > 0 {
            found.push(format!("{files} files are in {}", folder.display()));
        }
        found.push(format!("next: {}", self.next()));
        found
    }

    /// The accuracy of each target, where no samples were asked.
    fn accuracies(&self) -> Vec<String> {
        let steps = self.session.plan.targets.iter();
        let accuracy = steps.filter_map(|step| {
            let mut records = self.records.targets.iter();
            let record = records.find(|record| record.id == step.id)?;
            Some(format!("{}: accuracy {}", step.title(), record.accuracy))
        });
        accuracy.collect()
    }

    /// The targets that were not run.
    fn left_out(&self) -> Option<String> {
        let mut titles: Vec<&str> = Vec::new();
        for missing in &self.not_run {
            if !titles.contains(&missing.dataset_title.as_str()) {
                titles.push(&missing.dataset_title);
            }
        }
        match titles.len() {
            0 => None,
            1 => Some(format!("not run: {}", titles[0])),
            all => Some(format!("not run: {} and {} more", titles[0], all - 1)),
        }
    }

    /// The command to try next.
    fn next(&self) -> String {
        let rerun = &self.session.paths.rerun_command;
        let report = rerun.replacen("runner", "runner report", 1);
        // Nothing was given, so nothing stands there.
        let report = report.replace(" --data DIR", "");
        format!("`{report}` puts all tables and figures on one page")
    }
}
