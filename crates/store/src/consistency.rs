//! Checks that the numbers of a record do not contradict each other, or those of related records.

use brink_config::Change;
use brink_verify::{LabelSpace, Layout, Measured, Rate};

use crate::record::{Answers, ProbeRecord, Provenance, RunRecord, SetRecord, TargetRecord};

/// The result of a check. The error names the first contradiction, with its values.
type Consistent = Result<(), String>;

/// Returns an error with this message unless the condition holds.
macro_rules! ensure {
    ($holds:expr, $($words:tt)*) => {
        let holds: bool = $holds;
        if !holds {
            return Err(format!($($words)*));
        }
    };
}

impl TargetRecord {
    /// Whether its numbers can all be true at once.
    pub(crate) fn consistent(&self) -> Consistent {
        ensure!(self.classes >= 2, "{} classes", self.classes);
        ensure!(
            self.input.iter().all(|side| *side > 0),
            "an input of shape {:?}",
            self.input
        );
        ensure!(self.parameters > 0, "no parameters");
        asked("accuracy", self.accuracy)?;
        self.validation
            .map_or(Ok(()), |rate| asked("validation", rate))?;
        at_least_0("epochs", self.epochs)?;
        sum("weights_sha256", self.weights_sha256.as_deref())?;
        self.provenance.consistent()
    }
}

impl SetRecord {
    /// The number of images: a pair has two.
    pub fn images(&self) -> u64 {
        match self.layout {
            Layout::Singles => self.made,
            Layout::Pairs => self.made.saturating_mul(2),
        }
    }

    /// Whether its numbers can all be true at once.
    pub(crate) fn consistent(&self) -> Consistent {
        let (images, made, asked) = (self.images(), self.made, self.asked);
        ensure!(made > 0, "no samples");
        ensure!(
            made.saturating_add(self.uncrossed) <= asked,
            "{made} samples made and {} never crossed, of {asked}",
            self.uncrossed
        );
        ensure!(
            self.iterations_used <= self.iterations_cap,
            "{} iterations of at most {}",
            self.iterations_used,
            self.iterations_cap
        );
        let margins = self.margins.len() as u64;
        ensure!(
            margins == 0 || margins == asked,
            "{margins} margins of {asked} samples"
        );
        for margin in &self.margins {
            at_least_0("a margin", f64::from(*margin))?;
        }
        let balance = self.label_balance.iter();
        let labelled = balance.fold(0u64, |all, of_label| all.saturating_add(*of_label));
        ensure!(
            labelled == images,
            "label_balance counts {labelled} images, there are {images}"
        );
        ensure!(
            self.label_space == LabelSpace::Classes || self.label_balance.len() == 2,
            "label_balance has {} labels of the keyed head's two",
            self.label_balance.len()
        );
        if let Some(share) = self.head_balance {
            ensure!(
                (0.0..=0.5).contains(&share),
                "head_balance {share} is not a share of the rarer label"
            );
        }
        for control in &self.controls {
            let name = &control.name;
            for (what, rate, of, which) in [
                ("single", control.single, images, &control.flipped),
                ("pair", control.pair, made, &control.flipped_pairs),
            ] {
                ensure!(
                    rate.of() == of,
                    "control `{name}`: {what} is out of {}, but there are {of}",
                    rate.of()
                );
                // Older records have no such lists.
                ensure!(
                    which.is_empty() || which.len() as u64 == rate.hits(),
                    "control `{name}`: {what} has {} hits, and {} are named",
                    rate.hits(),
                    which.len()
                );
                ensure!(
                    which.iter().all(|at| u64::from(*at) < of),
                    "control `{name}`: {what} names one that does not exist"
                );
            }
        }
        if let Some(pixels) = &self.pixels {
            at_least_0("pixels.mean", pixels.mean)?;
            at_least_0("pixels.deviation", pixels.deviation)?;
            ensure!(
                pixels.pairs.is_some() == (self.layout == Layout::Pairs),
                "pixels.pairs does not fit the layout"
            );
        }
        sum("samples_sha256", self.samples_sha256.as_deref())?;
        self.provenance.consistent()
    }

    /// Checks that the record can describe a set for `target`.
    ///
    /// # Errors
    /// The first contradiction, with its values.
    pub fn fits(&self, target: &TargetRecord) -> Consistent {
        ensure!(
            self.target == target.id,
            "it is about target {}",
            self.target
        );
        rests_on(self.format, self.target_sha256.as_ref(), target)?;
        let labels = self.label_space.labels(target.classes);
        ensure!(
            self.label_balance.len() == labels,
            "label_balance has {} labels, there are {labels}",
            self.label_balance.len()
        );
        Ok(())
    }
}

impl RunRecord {
    /// Whether the run is a control: neither a weight nor the execution changed.
    pub fn is_control(&self) -> bool {
        self.change.changed == 0 && self.noise.is_none()
    }

    fn answers(&self) -> Answers {
        Answers {
            single: self.single,
            pair: self.pair,
            both: self.both,
            same_label: self.same_label,
        }
    }

    /// Whether its numbers can all be true at once.
    pub(crate) fn consistent(&self) -> Consistent {
        self.answers().consistent()?;
        if let Some(classes) = &self.classes {
            let within = classes.consistent();
            within.map_err(|problem| format!("classes: {problem}"))?;
            ensure!(
                (classes.single.of(), classes.pair.of()) == (self.single.of(), self.pair.of()),
                "classes counts other images or pairs"
            );
        }
        let leaked = self.leaked.unwrap_or_default();
        if self.leaked.is_some() {
            let within = leaked.consistent();
            within.map_err(|problem| format!("leaked: {problem}"))?;
            ensure!(
                self.single.of() > self.pair.of() && leaked.single.of() > leaked.pair.of(),
                "single samples leaked, but only whole pairs do"
            );
        }
        change(&self.change)?;
        let flipped = self.single.hits() + leaked.single.hits();
        ensure!(
            !self.is_control() || flipped == 0,
            "no weight changed and {flipped} labels did"
        );
        if let Some(share) = self.all_pairs {
            ensure!((0.0..=1.0).contains(&share), "all_pairs is {share}");
        }
        ensure!(
            self.moves.is_empty() || self.moves.len() as u64 == self.single.of(),
            "moves are of {} images, there are {}",
            self.moves.len(),
            self.single.of()
        );
        if let Some(noise) = &self.noise {
            let changed = self.change.changed;
            ensure!(changed == 0, "another execution changed {changed} weights");
            ensure!(
                noise.images == self.single.of(),
                "noise is of {} images, there are {}",
                noise.images,
                self.single.of()
            );
            let ordered = 0.0 <= noise.median && noise.median <= noise.largest;
            ensure!(
                // Of equal changes, rounding may bring the root mean square above the largest.
                ordered && (0.0..=noise.largest * (1.0 + 1e-9)).contains(&noise.rms),
                "noise: {noise:?} contradicts itself"
            );
        }
        asked("accuracy_before", self.accuracy_before)?;
        same_of(
            "accuracy",
            Some(self.accuracy_before),
            Some(self.accuracy_after),
        )?;
        same_of("success", self.success_before, self.success_after)?;
        self.provenance.consistent()
    }

    /// Checks that the record can describe queries of a changed `target` with `set`.
    ///
    /// # Errors
    /// The first contradiction, with its values.
    pub fn fits(&self, set: &SetRecord, target: &TargetRecord) -> Consistent {
        ensure!(self.set == set.id, "it is about set {}", self.set);
        ensure!(
            (self.target, set.target) == (target.id, target.id),
            "it is about target {}, its set about {}",
            self.target,
            set.target
        );
        ensure!(
            self.generator == set.generator,
            "its samples are from `{}`, those of its set from `{}`",
            self.generator,
            set.generator
        );
        rests_on(self.format, self.target_sha256.as_ref(), target)?;
        ensure!(
            self.format >= set.format,
            "it has no checksum, and the record of its set has one"
        );
        ensure!(
            self.format == 1 || self.samples_sha256 == set.samples_sha256,
            "it used other samples than its set has now"
        );
        let (images, made) = (set.images(), set.made);
        let leaked = self.leaked.unwrap_or_default();
        let [single, pair] =
            [[self.single, leaked.single], [self.pair, leaked.pair]].map(|parts| {
                parts
                    .into_iter()
                    .map(Rate::of)
                    .fold(0u64, u64::saturating_add)
            });
        ensure!(
            (single, pair) == (images, made),
            "it counts {single} images and {pair} pairs, the set has {images} and {made}"
        );
        ensure!(
            self.accuracy_before == target.accuracy,
            "accuracy_before is {}, the target's is {}",
            self.accuracy_before,
            target.accuracy
        );
        ensure!(
            self.classes.is_none() || set.label_space == LabelSpace::Head,
            "it counts classes beside the labels of a set whose labels are classes"
        );
        let others = |label: &u64| images - label;
        // How many of each label leaked is not recorded.
        ensure!(
            !self.same_label
                || self.leaked.is_some()
                || set
                    .label_balance
                    .iter()
                    .map(others)
                    .any(|n| n == self.single.hits()),
            "all labels are the same now, and no label of the set has all but {} images",
            self.single.hits()
        );
        Ok(())
    }
}

impl Answers {
    fn consistent(&self) -> Consistent {
        let Self {
            single, pair, both, ..
        } = *self;
        asked("single", single)?;
        asked("pair", pair)?;
        ensure!(
            both <= pair.hits(),
            "both members flipped in {both} pairs, but at least one only in {}",
            pair.hits()
        );
        if single.of() == pair.of() {
            // The pairs are drawn from single samples: a flipped pair has a flipped member.
            ensure!(
                single.hits() > 0 || pair.hits() == 0,
                "{} pairs flipped and no sample",
                pair.hits()
            );
            ensure!(
                single.hits() < single.of() || both == pair.of(),
                "all samples flipped, but both members only in {both} of {} pairs",
                pair.of()
            );
        } else {
            ensure!(
                Some(single.of()) == pair.of().checked_mul(2),
                "{} images and {} pairs",
                single.of(),
                pair.of()
            );
            ensure!(
                Some(single.hits()) == pair.hits().checked_add(both),
                "{} images flipped, but {} pairs have a flipped member and {both} have two",
                single.hits(),
                pair.hits()
            );
        }
        Ok(())
    }
}

fn change(change: &Change) -> Consistent {
    let Change {
        weights,
        changed,
        max_abs,
        mean_abs,
    } = *change;
    ensure!(weights > 0, "no weights");
    ensure!(changed <= weights, "{changed} weights of {weights} changed");
    at_least_0("change.max_abs", max_abs)?;
    at_least_0("change.mean_abs", mean_abs)?;
    // The mean may be rounded up.
    ensure!(
        mean_abs <= max_abs * (1.0 + 1e-6),
        "the mean change {mean_abs} is above the largest, {max_abs}"
    );
    ensure!(
        changed > 0 || max_abs == 0.0,
        "no weight changed, but the largest change is {max_abs}"
    );
    Ok(())
}

impl ProbeRecord {
    /// Whether its numbers can all be true at once.
    pub(crate) fn consistent(&self) -> Consistent {
        let kind = match &self.result {
            Measured::Timing(_) => "timing",
            Measured::Dispersion(_) => "dispersion",
            Measured::Convergence(_) => "convergence",
            Measured::Slice(_) => "slice",
        };
        ensure!(
            self.probe == kind,
            "the probe is `{}` and its result a {kind}",
            self.probe
        );
        measured(&self.result)?;
        self.provenance.consistent()
    }
}

impl ProbeRecord {
    /// Checks that the record can describe `target`.
    ///
    /// # Errors
    /// The first contradiction, with its values.
    pub fn fits(&self, target: &TargetRecord) -> Consistent {
        rests_on(self.format, self.target_sha256.as_ref(), target)
    }
}

fn measured(result: &Measured) -> Consistent {
    match result {
        Measured::Timing(all) => all.iter().try_for_each(|one| {
            ensure!(one.samples > 0, "{}: no samples", one.generator);
            ensure!(!one.seconds.is_empty(), "{}: no times", one.generator);
            let mut seconds = one.seconds.iter();
            seconds.try_for_each(|each| at_least_0("seconds", *each))
        }),
        Measured::Dispersion(all) => all.iter().try_for_each(|one| {
            let (means, deviations) = (one.means.len(), one.deviations.len());
            ensure!(means > 0, "no outputs");
            ensure!(
                means == deviations,
                "{means} means and {deviations} deviations"
            );
            let mut deviations = one.deviations.iter();
            deviations.try_for_each(|each| at_least_0("a deviation", *each))
        }),
        Measured::Convergence(all) => all.iter().try_for_each(|one| {
            at_least_0("a margin", one.margin)?;
            at_least_0("outputs", one.outputs)
        }),
        Measured::Slice(slice) => {
            let points = slice.side.checked_mul(slice.side);
            let (before, after) = (slice.before.len(), slice.after.len());
            ensure!(
                points == Some(before as u64) && before == after,
                "{before} and {after} margins of {} points a side",
                slice.side
            );
            at_least_0("reach", slice.reach)?;
            at_least_0("gap", slice.gap)
        }
    }
}

impl Provenance {
    fn consistent(&self) -> Consistent {
        at_least_0("provenance.seconds", self.seconds)
    }
}

/// Checks that a record depends on the current `target`. `format` is the record's format, `sum` the target's checksum in it.
fn rests_on(format: u32, sum: Option<&String>, target: &TargetRecord) -> Consistent {
    ensure!(
        format >= target.format,
        "it has no checksum, and the record of its target has one"
    );
    // A target of format 1 has no checksum.
    ensure!(
        target.format == 1 || sum == target.sum().as_ref(),
        "it rests on other weights or images than its target has now"
    );
    Ok(())
}

fn asked(what: &str, rate: Rate) -> Consistent {
    ensure!(rate.of() > 0, "{what} is out of 0");
    Ok(())
}

/// Checks that two rates cover the same number of images, or are both absent.
fn same_of(what: &str, before: Option<Rate>, after: Option<Rate>) -> Consistent {
    let of = |rate: Option<Rate>| rate.map(Rate::of);
    ensure!(
        of(before) == of(after),
        "{what} before and after cover different images"
    );
    Ok(())
}

fn at_least_0(what: &str, value: f64) -> Consistent {
    ensure!(value.is_finite() && value >= 0.0, "{what} is {value}");
    Ok(())
}

fn sum(what: &str, digits: Option<&str>) -> Consistent {
    let Some(digits) = digits else {
        return Ok(());
    };
    let hexadecimal = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    ensure!(
        digits.len() == 64 && digits.bytes().all(hexadecimal),
        "{what} is not a SHA-256"
    );
    Ok(())
}
