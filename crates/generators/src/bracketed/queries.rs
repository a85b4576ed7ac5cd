//! Asks a black box, and counts the images.

use super::bisect::Bracket;
use brink_models::{Error, Result};
use brink_verify::{Head, Images, LabelSpace, Oracle, decide, margin, outputs};

/// The most values that one query holds: 32 MiB of pixels.
const VALUES: usize = 1 << 23;

/// A black box with the outputs that give labels.
pub(crate) struct Queries<O> {
    oracle: O,
    space: LabelSpace,
    head: Option<Head>,
    shape: [usize; 3],
    /// Images asked so far.
    pub asked: u64,
}

impl<O: Oracle> Queries<O> {
    pub fn new(oracle: O, space: LabelSpace, head: Option<Head>, shape: [usize; 3]) -> Self {
        Self {
            oracle,
            space,
            head,
            shape,
            asked: 0,
        }
    }

    /// The number of pixels of an image.
    pub fn pixels(&self) -> usize {
        self.shape.iter().product()
    }

    /// The outputs for each of the images, which stand one after the other in `pixels`.
    pub fn outputs(&mut self, pixels: &[f32]) -> Result<Vec<Vec<f32>>> {
        let each = self.pixels();
        let batch = (VALUES / each).max(1) * each;
        let mut all = Vec::with_capacity(pixels.len() / each);
        for batch in pixels.chunks(batch) {
            let images =
                Images::new(self.shape, batch).map_err(|e| Error::CannotCreate(e.to_string()))?;
            self.asked += images.len() as u64;
            let outputs = outputs(&self.oracle, &images, self.space, self.head.as_ref());
            all.extend(outputs.map_err(|e| Error::NoAnswer(e.into()))?);
        }
        let values = all.iter().flatten();
        if let Some(&value) = values.clone().find(|value| !value.is_finite()) {
            return Err(Error::NotFinite {
                what: "an output of the target".into(),
                value,
            });
        }
        Ok(all)
    }

    /// The label of each of the images.
    pub fn labels(&mut self, pixels: &[f32]) -> Result<Vec<u32>> {
        let outputs = self.outputs(pixels)?;
        // Finite outputs always have a label.
        let decided = outputs.iter().map(|outputs| decide(outputs));
        Ok(decided.flatten().map(|(label, _)| label).collect())
    }

    /// The margin of each member of some brackets by its own label. `pixels` holds the members, pair by pair. A member with another
    /// label has a margin below 0, also where the outputs are equal.
    pub fn margins(&mut self, pixels: &[f32], brackets: &[Bracket]) -> Result<Vec<[f32; 2]>> {
        let outputs = self.outputs(pixels)?;
        let pairs = outputs.chunks_exact(2).zip(brackets);
        Ok(pairs
            .map(|(outputs, bracket)| {
                [0, 1].map(|side| own_margin(&outputs[side], bracket.labels[side]))
            })
            .collect())
    }
}

/// The margin of `label`. Of equal outputs the first gives the label, so the others have the largest margin below 0.
pub(crate) fn own_margin(outputs: &[f32], label: u32) -> f32 {
    let margin = margin(outputs, label);
    match decide(outputs) {
        Ok((found, _)) if found == label => margin,
        _ => margin.min(-f32::MIN_POSITIVE),
    }
}
