//! An ONNX file, run by tract in this process.

mod initialisers;
mod input;
mod network;

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use brink_models::Normalize;
use brink_verify::Images;
use tract_onnx::prelude::*;

use crate::{Answer, Deployed, Encoding, Error};

use input::Input;
pub use network::network as onnx_network;

/// A model that tract has prepared for images of one size.
type Plan = Arc<TypedRunnableModel>;

/// A model in an ONNX file, with one input of f32 images and the scores as its first output.
pub struct Onnx {
    path: PathBuf,
    model: InferenceModel,
    encoding: Encoding,
    normalize: Option<Normalize>,
    input: Input,
    /// The model prepared for images of the shape.
    prepared: RefCell<Option<Prepared>>,
}

struct Prepared {
    shape: [usize; 3],
    plan: Plan,
}

impl Onnx {
    /// Reads the file. Images reach the model as numbers in the order of `encoding`, after the constants of `normalize`.
    ///
    /// # Errors
    /// If the file cannot be read, or the model has not one input of f32 in four dimensions. If `encoding` is PNG.
    pub fn read(
        path: &Path,
        encoding: Encoding,
        normalize: Option<Normalize>,
    ) -> Result<Self, Error> {
        let fail = |problem: String| Error::File {
            path: path.to_owned(),
            problem,
        };
        if encoding == Encoding::Png {
            return Err(Error::Setting {
                field: "--pixels",
                problem: "an ONNX file takes numbers; use channels-first or channels-last"
                    .to_owned(),
            });
        }
        std::fs::metadata(path).map_err(|e| fail(e.to_string()))?;
        let model = guarded(|| onnx().model_for_path(path))
            .map_err(|problem| fail(format!("it is no ONNX file that can be run: {problem}")))?;
        let input = Input::of(&model).map_err(fail)?;
        Ok(Self {
            path: path.to_owned(),
            input,
            model,
            encoding,
            normalize,
            prepared: RefCell::default(),
        })
    }

    /// The model prepared for images of `shape`.
    fn plan(&self, shape: [usize; 3]) -> Result<Plan, Error> {
        let mut prepared = self.prepared.borrow_mut();
        if let Some(ready) = prepared.as_ref().filter(|ready| ready.shape == shape) {
            return Ok(ready.plan.clone());
        }
        let model = self.model.clone();
        // Nodes inside may refer to the file's own name for the number.
        let images = self.input.images.clone();
        let images = images.unwrap_or_else(|| model.symbols.sym("images").to_dim());
        let plan = ready(model, images, self.encoding, shape).map_err(|e| self.fails(e))?;
        *prepared = Some(Prepared {
            shape,
            plan: plan.clone(),
        });
        Ok(plan)
    }

    fn fails(&self, problem: String) -> Error {
        Error::File {
            path: self.path.clone(),
            problem,
        }
    }

    /// The pixels of an image as the model reads them.
    fn pixels(&self, image: &[f32], shape: [usize; 3]) -> Vec<f32> {
        let [channels, h, w] = shape;
        let mut image = image.to_vec();
        // Grey images have no constants of their own.
        if let Some(Normalize { mean, std }) = self.normalize
            && channels == mean.len()
        {
            for (channel, plane) in image.chunks_mut(h * w).enumerate() {
                for pixel in plane {
                    *pixel = ((f64::from(*pixel) - mean[channel]) / std[channel]) as f32;
                }
            }
        }
        self.encoding.pixels(&image, shape)
    }

    /// The answers for up to as many images as a run takes.
    fn run(&self, plan: &Plan, images: &Images) -> Result<Vec<Answer>, Error> {
        let shape = images.shape();
        let count = images.len();
        let size = self.input.fixed().unwrap_or(count);
        // A file that fixes the number gets the last image again in the places that are left.
        let each = (0..size).map(|i| images.image(i.min(count - 1)));
        let pixels: Vec<f32> = each.flat_map(|image| self.pixels(image, shape)).collect();
        let scores = scores(plan, size, self.encoding.shape(shape), &pixels);
        let scores = scores.map_err(|problem| self.fails(problem))?;
        let each = scores.chunks(scores.len() / size).take(count);
        Ok(each.map(|scores| Answer::Scores(scores.to_vec())).collect())
    }
}

impl Deployed for Onnx {
    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn ask(&self, images: &Images) -> Result<Vec<Answer>, Error> {
        let plan = self.plan(images.shape())?;
        let all: Vec<usize> = (0..images.len()).collect();
        let mut answers = Vec::with_capacity(all.len());
        for run in all.chunks(self.input.fixed().unwrap_or(all.len()).max(1)) {
            answers.extend(self.run(&plan, &images.select(run))?);
        }
        Ok(answers)
    }
}

/// `model` prepared for `images` of `shape`, `(c, h, w)`.
fn ready(
    mut model: InferenceModel,
    images: TDim,
    encoding: Encoding,
    shape: [usize; 3],
) -> Result<Plan, String> {
    let [a, b, c] = encoding.shape(shape).map(|length| length.to_dim());
    let input = f32::fact([images, a, b, c]);
    let plan = guarded(|| {
        model.set_input_fact(0, input.into())?;
        model.into_optimized()?.into_runnable()
    });
    let [c, h, w] = shape;
    plan.map_err(|problem| format!("it does not take images of {c}x{h}x{w}: {problem}"))
}

/// The scores of `size` images with these pixels, one row after the other. `dims` are the sides of an image.
fn scores(plan: &Plan, size: usize, dims: [usize; 3], pixels: &[f32]) -> Result<Vec<f32>, String> {
    let [a, b, c] = dims;
    let outputs = guarded(|| {
        let input = Tensor::from_shape(&[size, a, b, c], pixels)?;
        let outputs = plan.run(tvec!(input.into()))?;
        let scores = outputs[0].cast_to::<f32>()?;
        let scores = scores.to_plain_array_view::<f32>()?;
        Ok((scores.shape().to_vec(), scores.iter().copied().collect()))
    });
    let (shape, scores): (Vec<usize>, Vec<f32>) =
        outputs.map_err(|problem| format!("it cannot be run: {problem}"))?;
    match shape[..] {
        [images, classes] if images == size && classes > 0 => Ok(scores),
        _ => Err(format!(
            "its first output has the shape {shape:?} for {size} images; export the model with the scores (images, classes) as its first output"
        )),
    }
}

/// The result of `work`, with what is wrong in one line. The file is untrusted, and tract may panic on what it does not expect.
fn guarded<T>(work: impl FnOnce() -> TractResult<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(format!("{error:#}").replace('\n', " ")),
        Err(_) => Err("tract cannot read it".to_owned()),
    }
}
