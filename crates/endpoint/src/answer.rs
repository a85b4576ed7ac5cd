//! What a deployed model answers for one image.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The answer for one image, as it was sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// A finite number for each class.
    Scores(Vec<f32>),
    /// The position of the most likely class, from 0.
    Label(u32),
    /// The name of the most likely class.
    Name(String),
}

/// What the answers of a model are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A score for each class, of any size.
    Logits,
    /// A share for each class; they sum to 1.
    Probabilities,
    /// The most likely class only.
    Labels,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Logits => "logits",
            Self::Probabilities => "probabilities",
            Self::Labels => "labels",
        })
    }
}

/// The largest distance of a sum of probabilities from 1. Servers that print six digits of each of 1,000 classes stay below it.
const ROUNDING: f32 = 1e-2;

impl Kind {
    /// What these answers are; `None` without any.
    pub fn of(answers: &[Answer]) -> Option<Self> {
        match answers.first()? {
            Answer::Label(_) | Answer::Name(_) => Some(Self::Labels),
            Answer::Scores(_) if answers.iter().all(Answer::is_distribution) => {
                Some(Self::Probabilities)
            }
            Answer::Scores(_) => Some(Self::Logits),
        }
    }
}

impl Answer {
    /// Whether it is a distribution over classes.
    pub fn is_distribution(&self) -> bool {
        let Self::Scores(scores) = self else {
            return false;
        };
        let sum: f32 = scores.iter().sum();
        scores.iter().all(|score| (0.0..=1.0).contains(score)) && (sum - 1.0).abs() <= ROUNDING
    }

    /// Reads an answer in JSON: an array of scores, a label, a name, an object from names to scores, `{"label", "score"}`, or a list of
    /// such objects.
    ///
    /// # Errors
    /// What was found instead.
    pub fn from_json(json: &Value) -> Result<Self, String> {
        match json {
            Value::String(name) => Ok(Self::Name(name.clone())),
            Value::Number(number) => {
                let label = number.as_u64().or_else(|| {
                    let whole = number.as_f64().filter(|it| *it >= 0.0 && it.fract() == 0.0);
                    whole.map(|it| it as u64)
                });
                let label = label.and_then(|label| u32::try_from(label).ok());
                let label = label.ok_or_else(|| format!("{number} is not a label from 0 on"))?;
                Ok(Self::Label(label))
            }
            Value::Array(entries) if entries.iter().any(Value::is_object) => {
                best(entries.iter().map(named))
            }
            Value::Array(entries) => entries
                .iter()
                .map(score)
                .collect::<Result<_, _>>()
                .map(Self::Scores),
            Value::Object(entries) if entries.contains_key("label") => {
                named(json).map(|(name, _)| Self::Name(name))
            }
            Value::Object(entries) => best(
                entries
                    .iter()
                    .map(|(name, value)| Ok((name.clone(), score(value)?))),
            ),
            other => Err(format!("`{other}` is not an answer about an image")),
        }
    }
}

/// The name and the score of `{"label", "score"}`. A lone label needs no score.
fn named(json: &Value) -> Result<(String, f32), String> {
    let name = json.get("label").and_then(Value::as_str);
    let name = name.ok_or("an entry has no text `label`")?;
    let score = json.get("score").map_or(Ok(1.0), score)?;
    Ok((name.to_owned(), score))
}

/// The name with the largest score, the first of equal ones.
fn best(entries: impl Iterator<Item = Result<(String, f32), String>>) -> Result<Answer, String> {
    let mut best: Option<(String, f32)> = None;
    for entry in entries {
        let entry = entry?;
        if best.as_ref().is_none_or(|(_, score)| entry.1 > *score) {
            best = Some(entry);
        }
    }
    let (name, _) = best.ok_or("the answer names no class")?;
    Ok(Answer::Name(name))
}

fn score(json: &Value) -> Result<f32, String> {
    let number = json.as_f64().map(|number| number as f32);
    match number.filter(|number| number.is_finite()) {
        Some(number) => Ok(number),
        None => Err(format!("`{json}` is not a finite score")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(json: Value) -> Result<Answer, String> {
        Answer::from_json(&json)
    }

    #[test]
    fn every_form_of_an_answer_is_read() {
        let name = |name: &str| Ok(Answer::Name(name.to_owned()));
        assert_eq!(read(json!([0.5, -1])), Ok(Answer::Scores(vec![0.5, -1.0])));
        assert_eq!(read(json!(3)), Ok(Answer::Label(3)));
        assert_eq!(read(json!(3.0)), Ok(Answer::Label(3)));
        assert_eq!(read(json!("cat")), name("cat"));
        assert_eq!(read(json!({"cat": 0.2, "dog": 0.7})), name("dog"));
        let listed = json!([{"label": "cat", "score": 0.6}, {"label": "dog", "score": 0.4}]);
        assert_eq!(read(listed), name("cat"));
    }

    #[test]
    fn what_says_nothing_about_an_image_is_refused() {
        for json in [
            json!(null),
            json!(true),
            json!(-1),
            json!(0.5),
            json!([0.5, null]),
            json!([0.5, "NaN"]),
            json!([1e39]),
            json!({}),
            json!([{"score": 1}]),
            json!({"cat": "dog"}),
        ] {
            assert!(read(json.clone()).is_err(), "{json}");
        }
    }

    #[test]
    fn kinds_are_recognised() {
        let scores = |scores: &[f32]| Answer::Scores(scores.to_vec());
        assert_eq!(Kind::of(&[]), None);
        assert_eq!(Kind::of(&[Answer::Label(1)]), Some(Kind::Labels));
        let shares = [scores(&[0.2, 0.8]), scores(&[0.5, 0.5])];
        assert_eq!(Kind::of(&shares), Some(Kind::Probabilities));
        let one_is_not = [scores(&[0.2, 0.8]), scores(&[0.5, 0.9])];
        assert_eq!(Kind::of(&one_is_not), Some(Kind::Logits));
    }
}
