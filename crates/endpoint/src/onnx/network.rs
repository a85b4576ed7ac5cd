//! The network of an ONNX file as a [`Model`]: asked by tract one image at a time, with weights that can be changed.

use std::collections::BTreeMap;
use std::path::Path;

use brink_models::{Answers, Error as ModelError, Foreign, Model};
use candle_core::Tensor;
use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::{Framework, InferenceModel};

use super::initialisers::{self, Initialiser};
use super::{Input, Plan, guarded, ready, scores};
use crate::{Encoding, Error};

/// The network of the file with `bytes`, which lies at `path`, for images of `shape`, `(c, h, w)`, and `classes` classes.
///
/// # Errors
/// If the file cannot be run on such images, does not give one score for each class, or has no weights that can be changed.
pub fn network(
    path: &Path,
    bytes: &[u8],
    shape: [usize; 3],
    classes: usize,
) -> Result<Model, Error> {
    let fail = |problem: String| Error::File {
        path: path.to_owned(),
        problem,
    };
    let unreadable = |problem| fail(format!("it is no ONNX file that can be run: {problem}"));
    let proto =
        guarded(|| tract_onnx::onnx().proto_model_for_read(&mut &bytes[..])).map_err(unreadable)?;
    let graph = proto
        .graph
        .as_ref()
        .ok_or_else(|| fail("it holds no graph; export it again".to_owned()))?;
    let initialisers = initialisers::read(graph).map_err(fail)?;
    let model = parsed(&proto).map_err(unreadable)?;
    let input = Input::of(&model).map_err(fail)?;
    let encoding = input.encoding(shape).map_err(fail)?;
    let weights: Vec<(String, Tensor)> = initialisers
        .iter()
        .map(|own| (own.name.clone(), own.tensor.clone()))
        .collect();
    let images = input.fixed().unwrap_or(1);
    let network = Network {
        proto,
        initialisers,
        weights,
        encoding,
        images,
        shape,
        classes,
    };
    // What cannot be asked is refused before there is any work.
    let answers = network.ready(model).map_err(fail)?;
    let scores = answers
        .ask(&vec![0.5; shape.iter().product()])
        .map_err(fail)?;
    if scores.len() != classes {
        return Err(fail(format!(
            "it gives {} scores for an image, but the data set has {classes} classes",
            scores.len()
        )));
    }
    Ok(Model::foreign("onnx", "ONNX", Box::new(network)))
}

/// What tract makes of a file with its weights. Shapes inside may name a number of images, and are inferred instead.
fn parsed(proto: &ModelProto) -> Result<InferenceModel, String> {
    let engine = tract_onnx::onnx().with_ignore_value_info(true);
    guarded(|| engine.model_for_proto_model(proto))
}

/// The network of a file.
struct Network {
    proto: ModelProto,
    initialisers: Vec<Initialiser>,
    weights: Vec<(String, Tensor)>,
    encoding: Encoding,
    /// The number of images of a run.
    images: usize,
    shape: [usize; 3],
    classes: usize,
}

impl Network {
    /// `model` prepared for one image of the shape, or for as many as the file fixes.
    fn ready(&self, model: InferenceModel) -> Result<Ready, String> {
        Ok(Ready {
            plan: ready(model, self.images.into(), self.encoding, self.shape)?,
            images: self.images,
            encoding: self.encoding,
            shape: self.shape,
        })
    }
}

impl Foreign for Network {
    fn weights(&self) -> &[(String, Tensor)] {
        &self.weights
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn with(&self, weights: &BTreeMap<String, Tensor>) -> Result<Box<dyn Answers>, ModelError> {
        let mut proto = self.proto.clone();
        if let Some(graph) = &mut proto.graph {
            initialisers::write(graph, &self.initialisers, weights)?;
        }
        let ready = parsed(&proto).and_then(|model| self.ready(model));
        Ok(Box::new(ready.map_err(ModelError::CannotCreate)?))
    }
}

/// The network with some weights, prepared.
struct Ready {
    plan: Plan,
    images: usize,
    encoding: Encoding,
    shape: [usize; 3],
}

impl Ready {
    /// The scores of one image.
    fn ask(&self, image: &[f32]) -> Result<Vec<f32>, String> {
        // A file that fixes the number gets the image in every place.
        let pixels = self.encoding.pixels(image, self.shape).repeat(self.images);
        let mut scores = scores(
            &self.plan,
            self.images,
            self.encoding.shape(self.shape),
            &pixels,
        )?;
        scores.truncate(scores.len() / self.images);
        Ok(scores)
    }
}

impl Answers for Ready {
    fn logits(&self, image: &[f32], shape: [usize; 3]) -> Result<Vec<f32>, ModelError> {
        if shape != self.shape {
            let ([c, h, w], [own_c, own_h, own_w]) = (shape, self.shape);
            let problem = format!("it takes images of {own_c}x{own_h}x{own_w}, not of {c}x{h}x{w}");
            return Err(ModelError::CannotCreate(problem));
        }
        self.ask(image).map_err(ModelError::CannotCreate)
    }
}
