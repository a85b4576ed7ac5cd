//! Asks a model pair by pair, until the risks of a [`Sequential`] test allow a finding.

use crate::error::Error;
use crate::images::Images;
use crate::oracle::{LabelSpace, Oracle, labels};
use crate::sequential::{Decision, Risks, Sequential};
use crate::set::{Layout, SensitiveSet};
use crate::verdict::{Doubt, Finding};

/// How often the pairs are asked again before a model counts as changed.
const REPEATS: usize = 2;

/// What a model answered, pair by pair.
#[derive(Clone, Debug, PartialEq)]
pub struct Interview {
    /// The conclusion.
    pub finding: Finding,
    /// The pairs asked, as positions in the set, in the order of the questions.
    pub asked: Vec<usize>,
    /// Those of them that flipped: a member has another label.
    pub flipped: Vec<usize>,
    /// Images asked, repeated ones included.
    pub images: u64,
    /// The p-value of "untouched", see [`Sequential::p_value`].
    pub p_value: f64,
}

/// Asks about the pairs `order` of `set`, one after the other, until `risks` allow a finding.
///
/// Only a model whose answers repeat can be changed: before that finding, all pairs are asked again, and those with other answers do not
/// count. If all answers are the same, `anchors` are asked, too: images far from the boundary, to which the untouched model gives different
/// labels. A model that looks at its images answers differently there. The set must be one of the model's own classes.
///
/// # Errors
/// If the set contradicts itself, has no pairs or needs a key. If `order` names a pair that the set does not have. If the oracle has
/// another number of classes, or if [`labels`] fails.
pub fn interview(
    oracle: &(impl Oracle + ?Sized),
    set: &SensitiveSet,
    anchors: &Images,
    order: &[usize],
    risks: Risks,
) -> Result<Interview, Error> {
    set.check()?;
    check(oracle, set, order)?;
    let mut questions = Questions {
        oracle,
        set,
        anchors,
        images: 0,
    };
    let mut test = Sequential::new(risks);
    let (mut asked, mut answers) = (Vec::new(), Vec::new());
    let mut decision = None;
    for &pair in order {
        let answer = questions.ask(&[pair])?[0];
        decision = test.record(questions.flipped(pair, answer));
        asked.push(pair);
        answers.push(answer);
        if decision.is_some() {
            break;
        }
    }
    let finding = match decision {
        None => Finding::CannotTell(Doubt::RanOut {
            pairs: asked.len(),
            flipped: test.flips() as usize,
        }),
        Some(Decision::Intact) => Doubt::about(set).map_or(Finding::Intact, Finding::CannotTell),
        Some(Decision::Changed) => questions.changed(&asked, &answers, risks)?,
    };
    let flips = asked.iter().zip(&answers);
    let flipped = flips.filter(|&(&pair, &answer)| questions.flipped(pair, answer));
    Ok(Interview {
        finding,
        flipped: flipped.map(|(&pair, _)| pair).collect(),
        asked,
        images: questions.images,
        p_value: test.p_value(),
    })
}

fn check(
    oracle: &(impl Oracle + ?Sized),
    set: &SensitiveSet,
    order: &[usize],
) -> Result<(), Error> {
    if set.layout != Layout::Pairs {
        return Err(Error::NoPairs);
    }
    if set.label_space != LabelSpace::Classes {
        return Err(Error::NoHead);
    }
    if oracle.classes() != set.classes {
        return Err(Error::OtherClasses {
            set: set.classes,
            oracle: oracle.classes(),
        });
    }
    let samples = set.images.len();
    match order.iter().find(|pair| **pair >= set.samples()) {
        Some(&pair) => Err(Error::Pair {
            pair: [2 * pair, 2 * pair + 1],
            samples,
        }),
        None => Ok(()),
    }
}

/// The labels of both members of a pair.
type Answer = [u32; 2];

struct Questions<'a, O: ?Sized> {
    oracle: &'a O,
    set: &'a SensitiveSet,
    anchors: &'a Images,
    images: u64,
}

impl<O: Oracle + ?Sized> Questions<'_, O> {
    fn ask(&mut self, pairs: &[usize]) -> Result<Vec<Answer>, Error> {
        let members: Vec<usize> = pairs.iter().flat_map(|&i| [2 * i, 2 * i + 1]).collect();
        let labels = self.labels(&self.set.images.select(&members))?;
        Ok(labels.as_chunks::<2>().0.to_vec())
    }

    fn labels(&mut self, images: &Images) -> Result<Vec<u32>, Error> {
        self.images += images.len() as u64;
        labels(self.oracle, images, LabelSpace::Classes, None)
    }

    fn flipped(&self, pair: usize, answer: Answer) -> bool {
        self.set.labels[2 * pair..][..2] != answer
    }

    /// The finding about a model of which too many pairs flipped.
    fn changed(
        &mut self,
        asked: &[usize],
        answers: &[Answer],
        risks: Risks,
    ) -> Result<Finding, Error> {
        let first = answers[0][0];
        if answers.iter().flatten().all(|label| *label == first)
            && self
                .labels(self.anchors)?
                .iter()
                .all(|label| *label == first)
        {
            return Ok(Finding::CannotTell(Doubt::OneAnswer { label: first }));
        }
        let mut stable = vec![true; asked.len()];
        for _ in 0..REPEATS {
            let again = self.ask(asked)?;
            for (stable, (now, before)) in stable.iter_mut().zip(again.iter().zip(answers)) {
                *stable &= now == before;
            }
        }
        let mut test = Sequential::new(risks);
        let flips = asked.iter().zip(answers).zip(&stable);
        let decided = flips
            .map(|((&pair, &answer), &stable)| test.record(stable && self.flipped(pair, answer)))
            .last();
        if decided.flatten() == Some(Decision::Changed) {
            return Ok(Finding::Changed);
        }
        Ok(Finding::CannotTell(Doubt::Unstable {
            pairs: asked.len(),
            differ: stable.iter().filter(|stable| !**stable).count(),
        }))
    }
}
