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
