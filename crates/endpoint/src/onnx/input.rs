//! The input of an ONNX model: which images it takes.

use tract_onnx::prelude::*;
use tract_onnx::tract_hir::infer::Factoid;
use tract_onnx::tract_hir::internal::DimLike;

use crate::Encoding;

/// The only input of a model.
pub struct Input {
    /// The number of images of a run as the file has it: a number, a name, or nothing.
    pub images: Option<TDim>,
    /// The sides of an image, where the file fixes them.
    sides: [Option<usize>; 3],
}

impl Input {
    /// The input of `model`.
    ///
    /// # Errors
    /// If there is not one input of float32.
    pub fn of(model: &InferenceModel) -> Result<Self, String> {
        let inputs = model.input_outlets().map_or(0, <[_]>::len);
        if inputs != 1 {
            return Err(format!(
                "the model has {inputs} inputs, not one; export it with the images as its only input"
            ));
        }
        let input = model.input_fact(0).map_err(|e| e.to_string())?;
        let dtype = input.datum_type.concretize();
        if dtype.is_some_and(|dtype| dtype != DatumType::F32) {
            let found = format!("{:?}", input.datum_type);
            return Err(format!(
                "its input is {found}; export it with an input of float32"
            ));
        }
        let dim = |at| input.shape.dim(at).and_then(|dim| dim.concretize());
        let side = |at| dim(at)?.to_usize().ok();
        Ok(Self {
            images: dim(0),
            sides: [side(1), side(2), side(3)],
        })
    }

    /// The images of a run, if the file fixes their number.
    pub fn fixed(&self) -> Option<usize> {
        let fixed = self.images.as_ref()?.to_usize().ok();
        fixed.filter(|&images| images > 0)
    }

    /// The order of the numbers of an image of `shape`, `(c, h, w)`: channels last if only that fits the file.
    ///
    /// # Errors
    /// If the file fixes other sides.
    pub fn encoding(&self, shape: [usize; 3]) -> Result<Encoding, String> {
        let fits = |encoding: &Encoding| {
            let sides = encoding.shape(shape).into_iter().zip(self.sides);
            let mut fixed = sides.filter_map(|(own, fixed)| Some((own, fixed?)));
            fixed.all(|(own, fixed)| own == fixed)
        };
        let all = [Encoding::ChannelsFirst, Encoding::ChannelsLast];
        all.into_iter().find(fits).ok_or_else(|| {
            let own = self.sides.map(|side| side.map_or("any".to_owned(), |side| side.to_string()));
            let [c, h, w] = shape;
            format!("its input is {}, which does not take images of {c}x{h}x{w}; export it for them, or write `size` in `dataset`", own.join("x"))
        })
    }
}
