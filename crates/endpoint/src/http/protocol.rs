//! The kinds of servers, with the settings that each needs.

use serde::{Deserialize, Serialize};

use super::api::Api;
use super::{custom, huggingface, kserve, mlflow, tensorflow, torchserve};
use crate::Error;

/// What requests and answers of a server look like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Protocol {
    /// KServe's second protocol, as Triton and MLServer speak it, too.
    KServe {
        /// The name of the model's input.
        input: String,
    },
    /// TensorFlow Serving.
    TensorFlow,
    /// TorchServe with an image handler. It takes PNG only.
    TorchServe,
    /// MLflow's scoring server.
    MlFlow,
    /// Hugging Face's task `image-classification`. It takes PNG only.
    HuggingFace,
    /// A server of one's own.
    Custom {
        /// The request as JSON, with the text `$images` or `$image` where the images stand.
        template: String,
        /// A JSON pointer to the answers.
        answer: String,
    },
}

impl Protocol {
    pub(super) fn api(&self) -> Result<Box<dyn Api>, Error> {
        Ok(match self {
            Self::KServe { input } => Box::new(kserve::KServe {
                input: input.clone(),
            }),
            Self::TensorFlow => Box::new(tensorflow::TensorFlow),
            Self::TorchServe => Box::new(torchserve::TorchServe),
            Self::MlFlow => Box::new(mlflow::MlFlow),
            Self::HuggingFace => Box::new(huggingface::HuggingFace),
            Self::Custom { template, answer } => Box::new(custom::Custom::new(template, answer)?),
        })
    }

    /// Whether its servers take PNG images only.
    pub fn is_png_only(&self) -> bool {
        matches!(self, Self::TorchServe | Self::HuggingFace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Answer;
    use serde_json::{Value, json};

    /// Each protocol with an answer about two images, or one where a request holds one.
    fn answers() -> Vec<(Protocol, Value)> {
        let input = "input".to_owned();
        let scores = json!({"name": "s", "datatype": "FP32", "shape": [2, 3], "data": [1.5, 2, -1e-3, 0, 7, 1e9]});
        let named = json!([{"label": "cat", "score": 0.75}, {"label": "dog", "score": 0.25}]);
        let custom = Protocol::Custom {
            template: r#"["$images"]"#.to_owned(),
            answer: "/a/b".to_owned(),
        };
        vec![
            (Protocol::KServe { input }, json!({"outputs": [scores]})),
            (
                Protocol::TensorFlow,
                json!({"predictions": [[0.5, 0.5], [1, 0]]}),
            ),
            (Protocol::MlFlow, json!({"predictions": [3, 4]})),
            (Protocol::TorchServe, json!({"cat": 0.75, "dog": 0.25})),
            (Protocol::HuggingFace, named),
            (custom, json!({"a": {"b": [[1, 2], [3, 4]]}})),
        ]
    }

    #[test]
    fn fuzz() {
        let wholes = answers();
        for mut dice in fuzz::rounds(20_000) {
            let (protocol, whole) = &wholes[dice.below(wholes.len())];
            let damaged = fuzz::damaged(whole.to_string().as_bytes(), &mut dice);
            let Ok(json) = serde_json::from_slice::<Value>(&damaged) else {
                continue;
            };
            for answer in protocol.api().unwrap().answers(&json).into_iter().flatten() {
                if let Answer::Scores(scores) = answer {
                    assert!(scores.iter().all(|score| score.is_finite()), "{json}");
                }
            }
        }
    }
}
