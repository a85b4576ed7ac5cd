//! Asks a model pair by pair, until the risks of a [`Sequential`] test allow a finding.

use crate::error::Error;
use crate::head::Head;
use crate::images::Images;
use crate::oracle::{LabelSpace, Oracle, labels};
use crate::profile::Profile;
use crate::sequential::{Decision, Risks, Sequential};
use crate::set::{Layout, SensitiveSet};
use crate::verdict::{Doubt, Finding};

/// How often the pairs are asked again before a model counts as changed.
const REPEATS: usize = 2;

/// What is known of the untouched model.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// Pairs of images beside its boundary, with their labels.
    pub set: &'a SensitiveSet,
    /// The head that gives the labels; `None` for the model's own classes.
    pub head: Option<&'a Head>,
    /// Images far from the boundary, of different labels.
    pub anchors: &'a Images,
    /// How it answers when something other than its weights differs.
    pub profiles: &'a [Profile],
}

/// What a model answered, pair by pair.
#[derive(Clone, Debug, PartialEq)]
pub struct Interview {
    /// The conclusion.
    pub finding: Finding,
    /// The name of the profile that a changed model's answers follow.
    pub like: Option<String>,
    /// The pairs asked, as positions in the set, in the order of the questions.
    pub asked: Vec<usize>,
    /// Those of them that flipped: a member has another label.
    pub flipped: Vec<usize>,
    /// Images asked, repeated ones included.
    pub images: u64,
    /// The p-value of "untouched", see [`Sequential::p_value`].
    pub p_value: f64,
}

/// Asks about the pairs `order`, one after the other, until `risks` allow a finding.
///
/// Only a model whose answers repeat can be changed: before that finding, all pairs are asked again, and those with other answers do not
/// count. If all answers are the same, the anchors are asked, too: the untouched model gives them different labels, and so does any model
/// that looks at its images.
///
/// The answers of a changed model are then compared with each profile, by the same test with the labels of the profile in place of the
/// set's. A change of the weights that keeps the labels of fewer than 1 − `change` of the profile's pairs passes for that profile with a
/// probability of at most `miss`.
///
/// # Errors
/// If the set contradicts itself, has no pairs or needs another head. If `order` or a profile names a pair that the set does not have. If
/// the oracle has another number of classes, or if [`labels`] fails.
pub fn interview(
    oracle: &(impl Oracle + ?Sized),
    known: Known<'_>,
    order: &[usize],
    risks: Risks,
) -> Result<Interview, Error> {
    known.set.check()?;
    check(oracle, known, order)?;
    let mut questions = Questions {
        oracle,
        known,
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
        Some(Decision::Intact) => {
            Doubt::about(known.set).map_or(Finding::Intact, Finding::CannotTell)
        }
        Some(Decision::Changed) => questions.changed(&asked, &answers, risks)?,
    };
    let like = match finding {
        Finding::Changed => questions.like(order, &mut asked, &mut answers, risks)?,
        _ => None,
    };
    let flips = asked.iter().zip(&answers);
    let flipped = flips.filter(|&(&pair, &answer)| questions.flipped(pair, answer));
    Ok(Interview {
        finding,
        like,
        flipped: flipped.map(|(&pair, _)| pair).collect(),
        asked,
        images: questions.images,
        p_value: test.p_value(),
    })
}

fn check(
    oracle: &(impl Oracle + ?Sized),
    Known {
        set,
        head,
        profiles,
        ..
    }: Known<'_>,
    order: &[usize],
) -> Result<(), Error> {
    if set.layout != Layout::Pairs {
        return Err(Error::NoPairs);
    }
    if set.label_space == LabelSpace::Head && head.is_none() {
        return Err(Error::NoHead);
    }
    if oracle.classes() != set.classes {
        return Err(Error::OtherClasses {
            set: set.classes,
            oracle: oracle.classes(),
        });
    }
    let samples = set.images.len();
    let last = profiles.iter().filter_map(|it| it.pairs().checked_sub(1));
    let beyond = |pair: &usize| *pair >= set.samples();
    match order.iter().copied().chain(last).find(beyond) {
        Some(pair) => Err(Error::Pair {
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
    known: Known<'a>,
    images: u64,
}

impl<O: Oracle + ?Sized> Questions<'_, O> {
    fn ask(&mut self, pairs: &[usize]) -> Result<Vec<Answer>, Error> {
        let members: Vec<usize> = pairs.iter().flat_map(|&i| [2 * i, 2 * i + 1]).collect();
        let labels = self.labels(&self.known.set.images.select(&members))?;
        Ok(labels.as_chunks::<2>().0.to_vec())
    }

    fn labels(&mut self, images: &Images) -> Result<Vec<u32>, Error> {
        self.images += images.len() as u64;
        let Known { set, head, .. } = self.known;
        labels(self.oracle, images, set.label_space, head)
    }

    fn flipped(&self, pair: usize, answer: Answer) -> bool {
        self.known.set.labels[2 * pair..][..2] != answer
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
                .labels(self.known.anchors)?
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

    /// The first profile whose labels the model gives. Its pairs are asked in `order`, and added to those `asked` with their answers.
    fn like(
        &mut self,
        order: &[usize],
        asked: &mut Vec<usize>,
        answers: &mut Vec<Answer>,
        risks: Risks,
    ) -> Result<Option<String>, Error> {
        for profile in self.known.profiles {
            let mut test = Sequential::new(risks);
            let mut decision = None;
            for &pair in order.iter().filter(|pair| **pair < profile.pairs()) {
                let answer = match asked.iter().position(|known| *known == pair) {
                    Some(at) => answers[at],
                    None => {
                        let answer = self.ask(&[pair])?[0];
                        asked.push(pair);
                        answers.push(answer);
                        answer
                    }
                };
                decision = test.record(profile.answer(pair) != answer);
                if decision.is_some() {
                    break;
                }
            }
            if decision == Some(Decision::Intact) {
                return Ok(Some(profile.name.clone()));
            }
        }
        Ok(None)
    }
}
