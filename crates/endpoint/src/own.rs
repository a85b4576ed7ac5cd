//! Weights of Brink's own networks, in this process.

use std::path::{Path, PathBuf};

use brink_generators::BlackBox;
use brink_models::{Model, Network, Normalize, Weights};
use brink_verify::{Images, Oracle};

use crate::{Answer, Deployed, Error};

/// A network in memory.
pub struct Own {
    path: PathBuf,
    network: Network,
}

impl Own {
    /// The network `model` with the weights in `path`, a file of safetensors or of `torch.save`. The weights say how many classes it has.
    ///
    /// # Errors
    /// If the file cannot be read, or the weights do not fit the model.
    pub fn read(path: &Path, model: Model, normalize: Option<Normalize>) -> Result<Self, Error> {
        let fail = |problem: brink_models::Error| Error::File {
            path: path.to_owned(),
            problem: problem.to_string(),
        };
        let weights = Weights::read(path).map_err(|e| match e {
            brink_models::Error::File { path, problem } => Error::File { path, problem },
            other => fail(other),
        })?;
        // The names do not depend on the number of classes.
        let weights = weights.named_for(model, 2).map_err(fail)?;
        let head = model.head(2).map_err(fail)?;
        let rows = weights
            .tensors()
            .get(&head[0])
            .map(|head| head.dims().to_vec());
        let classes = rows.and_then(|shape| shape.first().copied()).unwrap_or(2);
        let network = Network::frozen(model, classes, &weights, normalize).map_err(fail)?;
        Ok(Self {
            path: path.to_owned(),
            network,
        })
    }

    /// The number of classes.
    pub fn classes(&self) -> usize {
        self.network.classes()
    }
}

impl Deployed for Own {
    fn place(&self) -> String {
        format!("{} with {}", self.network.model(), self.path.display())
    }

    fn ask(&self, images: &Images) -> Result<Vec<Answer>, Error> {
        let logits = BlackBox(&self.network).logits(images);
        let logits = logits.map_err(|e| Error::Answer {
            place: self.place(),
            problem: e.to_string(),
        })?;
        let rows = logits.chunks(self.network.classes());
        Ok(rows.map(|row| Answer::Scores(row.to_vec())).collect())
    }
}
