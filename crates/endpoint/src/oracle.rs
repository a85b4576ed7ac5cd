//! Any deployed model as an oracle: its answers become scores of a fixed number of classes.

use std::cell::{Cell, RefCell};

use brink_verify::{Images, Oracle, OracleError};

use crate::{Answer, Deployed, Error, Kind};

/// What is known of a model's answers before it is asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expected {
    /// What its answers are.
    pub kind: Option<Kind>,
    /// Its number of classes, at least 2.
    pub classes: Option<usize>,
    /// The names of classes, in the order of their labels. Names that appear later follow them.
    pub names: Vec<String>,
}

/// A deployed model that gives scores: logits, logarithms of probabilities, or 1 for the label and 0 for all other classes.
pub struct Endpoint {
    deployed: Box<dyn Deployed>,
    kind: Kind,
    classes: usize,
    names: RefCell<Vec<String>>,
    /// The most images of a question.
    batch: usize,
    asked: Cell<u64>,
}

impl Endpoint {
    /// Asks `deployed` about `images` to find what is not `expected`. A question holds up to `batch` images.
    ///
    /// # Errors
    /// If the model does not answer, or answers with another number of classes. If it gives labels only and nobody says how many classes
    /// there are.
    ///
    /// # Panics
    /// If `batch` is 0.
    pub fn open(
        deployed: Box<dyn Deployed>,
        expected: Expected,
        images: &Images,
        batch: usize,
    ) -> Result<Self, Error> {
        assert!(batch > 0, "a question holds images");
        let answers = match (expected.kind, expected.classes) {
            (Some(_), Some(_)) => Vec::new(),
            _ => deployed.ask(images)?,
        };
        let problem = |problem: String| Error::Answer {
            place: deployed.place(),
            problem,
        };
        let kind = expected.kind.or_else(|| Kind::of(&answers));
        let kind = kind.ok_or_else(|| problem("it gives no answer at all".into()))?;
        let found = answers.iter().find_map(|answer| match answer {
            Answer::Scores(scores) => Some(scores.len()),
            Answer::Label(_) | Answer::Name(_) => None,
        });
        let classes = expected.classes.or(found).ok_or(Error::Setting {
            field: "--classes",
            problem: "the model answers with labels only; say how many classes it has".to_owned(),
        })?;
        if classes < 2 {
            return Err(problem(format!(
                "it gives {classes} score for an image, and a label needs two"
            )));
        }
        Ok(Self {
            deployed,
            kind,
            classes,
            names: RefCell::new(expected.names),
            batch,
            asked: Cell::new(answers.len() as u64),
        })
    }

    /// What its answers are.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The names of classes so far, in the order of their labels; empty if the model uses numbers.
    pub fn names(&self) -> Vec<String> {
        self.names.borrow().clone()
    }

    /// Where the model is.
    pub fn place(&self) -> String {
        self.deployed.place()
    }

    /// Images asked so far.
    pub fn asked(&self) -> u64 {
        self.asked.get()
    }

    fn question(&self, images: &Images) -> Result<Vec<f32>, Error> {
        let answers = self.deployed.ask(images)?;
        self.asked.set(self.asked.get() + images.len() as u64);
        let problem = |problem: String| Error::Answer {
            place: self.deployed.place(),
            problem,
        };
        if answers.len() != images.len() {
            let (got, sent) = (answers.len(), images.len());
            return Err(problem(format!("{got} answers for {sent} images")));
        }
        let mut scores = Vec::with_capacity(answers.len() * self.classes);
        for answer in answers {
            scores.extend(self.scores(answer).map_err(problem)?);
        }
        Ok(scores)
    }

    fn scores(&self, answer: Answer) -> Result<Vec<f32>, String> {
        let classes = self.classes;
        if let Answer::Scores(scores) = &answer {
            if scores.len() != classes {
                let found = scores.len();
                return Err(format!("{found} scores for an image of {classes} classes"));
            }
            if let Some(score) = scores.iter().find(|score| !score.is_finite()) {
                return Err(format!("a score is {score}"));
            }
        }
        match (self.kind, answer) {
            (Kind::Logits, Answer::Scores(scores)) => Ok(scores),
            (Kind::Probabilities, answer @ Answer::Scores(_)) if !answer.is_distribution() => {
                Err("scores that are no probabilities: they do not sum to 1".to_owned())
            }
            // Differences of logarithms are differences of logits.
            (Kind::Probabilities, Answer::Scores(shares)) => {
                let logits = shares.iter().map(|share| share.max(f32::MIN_POSITIVE).ln());
                Ok(logits.collect())
            }
            (Kind::Labels, Answer::Scores(scores)) => {
                let top = brink_verify::decide(&scores).map_err(|at| format!("score {at} is NaN"));
                self.one_hot(top?.0 as usize)
            }
            (Kind::Labels, Answer::Label(label)) => self.one_hot(label as usize),
            (Kind::Labels, Answer::Name(name)) => self.one_hot(self.label(name)),
            (kind, _) => Err(format!("a label instead of {kind}")),
        }
    }

    fn one_hot(&self, label: usize) -> Result<Vec<f32>, String> {
        let classes = self.classes;
        if label >= classes {
            return Err(format!(
                "label {label}, but labels of {classes} classes go from 0 to {}",
                classes - 1
            ));
        }
        let mut scores = vec![0.0; classes];
        scores[label] = 1.0;
        Ok(scores)
    }

    /// The label of a class with a name: names are numbered as they appear.
    fn label(&self, name: String) -> usize {
        let mut names = self.names.borrow_mut();
        let known = names.iter().position(|known| *known == name);
        known.unwrap_or_else(|| {
            names.push(name);
            names.len() - 1
        })
    }
}

impl Oracle for Endpoint {
    fn classes(&self) -> usize {
        self.classes
    }

    fn logits(&self, images: &Images) -> Result<Vec<f32>, OracleError> {
        let all: Vec<usize> = (0..images.len()).collect();
        let mut scores = Vec::with_capacity(all.len() * self.classes);
        for batch in all.chunks(self.batch) {
            scores.extend(self.question(&images.select(batch))?);
        }
        Ok(scores)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers for every image with the same answers, in turn.
    struct Fixed(Vec<Answer>);

    impl Deployed for Fixed {
        fn place(&self) -> String {
            "a fixed model".to_owned()
        }

        fn ask(&self, images: &Images) -> Result<Vec<Answer>, Error> {
            Ok(self.0.iter().cycle().take(images.len()).cloned().collect())
        }
    }

    fn two_images() -> Images {
        Images::new([1, 1, 1], vec![0.0, 1.0]).unwrap()
    }

    fn open(answers: &[Answer], expected: Expected) -> Result<Endpoint, Error> {
        Endpoint::open(
            Box::new(Fixed(answers.to_vec())),
            expected,
            &two_images(),
            8,
        )
    }

    fn scores(answers: &[Answer], expected: Expected) -> Result<Vec<f32>, String> {
        let endpoint = open(answers, expected).map_err(|e| e.to_string())?;
        endpoint.logits(&two_images()).map_err(|e| e.to_string())
    }

    fn classes(classes: usize) -> Expected {
        Expected {
            classes: Some(classes),
            ..Expected::default()
        }
    }

    #[test]
    fn labels_and_names_become_one_hot_scores() {
        let labels = [Answer::Label(2), Answer::Label(0)];
        assert_eq!(
            scores(&labels, classes(3)),
            Ok(vec![0., 0., 1., 1., 0., 0.])
        );
        let names = ["cat", "dog"].map(|name| Answer::Name(name.to_owned()));
        assert_eq!(scores(&names, classes(2)), Ok(vec![1., 0., 0., 1.]));
        // Another deployment of the same model must use the same numbers.
        let known = Expected {
            names: vec!["dog".to_owned(), "cat".to_owned()],
            ..classes(2)
        };
        assert_eq!(scores(&names, known), Ok(vec![0., 1., 1., 0.]));
        let error = scores(&labels, classes(2)).unwrap_err();
        assert!(
            error.contains("label 2, but labels of 2 classes go from 0 to 1"),
            "{error}"
        );
        let error = open(&labels, Expected::default()).err().unwrap();
        assert!(
            error.is_input() && error.to_string().starts_with("--classes"),
            "{error}"
        );
    }

    #[test]
    fn margins_of_probabilities_are_those_of_their_logits() {
        let shares = [Answer::Scores(vec![0.25, 0.75])];
        let endpoint = open(&shares, Expected::default()).unwrap();
        assert_eq!(
            (endpoint.kind(), endpoint.classes()),
            (Kind::Probabilities, 2)
        );
        let scores = endpoint.logits(&two_images()).unwrap();
        assert!((scores[1] - scores[0] - 3f32.ln()).abs() < 1e-6);
        // A label that has no share at all.
        let sure = [Answer::Scores(vec![0.0, 1.0])];
        let endpoint = open(&sure, Expected::default()).unwrap();
        assert!(
            endpoint
                .logits(&two_images())
                .unwrap()
                .iter()
                .all(|x| x.is_finite())
        );
    }

    #[test]
    fn answers_of_another_kind_or_size_are_errors() {
        let logits = Expected {
            kind: Some(Kind::Logits),
            ..classes(2)
        };
        let error = scores(&[Answer::Label(1)], logits.clone()).unwrap_err();
        assert!(error.contains("a label instead of logits"), "{error}");
        let error = scores(&[Answer::Scores(vec![1.0, 2.0, 3.0])], logits.clone()).unwrap_err();
        assert!(
            error.contains("3 scores for an image of 2 classes"),
            "{error}"
        );
        let error = scores(&[Answer::Scores(vec![1.0, f32::NAN])], logits).unwrap_err();
        assert!(error.contains("a score is NaN"), "{error}");
        let shares = Expected {
            kind: Some(Kind::Probabilities),
            ..classes(2)
        };
        let error = scores(&[Answer::Scores(vec![0.5, 0.9])], shares).unwrap_err();
        assert!(error.contains("no probabilities"), "{error}");
        let error = open(&[Answer::Scores(vec![0.5])], Expected::default())
            .err()
            .unwrap();
        assert!(
            error.to_string().contains("1 score for an image"),
            "{error}"
        );
    }
}
