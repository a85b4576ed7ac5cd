//! Random flips and shifts of training images: the usual augmentation for 32x32 photographs.

use brink_random::Stream;
use serde::{Deserialize, Serialize};

use crate::Split;
use crate::split::unit;

/// Random changes to training images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Augment {
    /// Flips an image horizontally with probability 1/2.
    pub flip: bool,
    /// The number of zero pixels added to every side before a random crop to the old size; 0 is off.
    pub crop: u16,
}

impl Default for Augment {
    fn default() -> Self {
        Self {
            flip: true,
            crop: 4,
        }
    }
}

impl Augment {
    /// The images `indices` of `split`, each augmented independently: `(n, c, h, w)`, values in `[0, 1]`.
    pub fn images(&self, split: &Split, indices: &[usize], stream: &mut Stream) -> Vec<f32> {
        let [_, height, width] = split.shape();
        let pad = usize::from(self.crop);
        let mut out = Vec::with_capacity(indices.len() * split.shape().iter().product::<usize>());
        for &index in indices {
            let flip = self.flip && stream.below(2) == 1;
            let [down, right] = [(); 2].map(|()| stream.below(2 * pad + 1));
            for plane in split.image(index).chunks(height * width) {
                for y in 0..height {
                    let row = inside(y + down, pad, height).map(|y| &plane[y * width..][..width]);
                    out.extend((0..width).map(|x| {
                        let x = if flip { width - 1 - x } else { x };
                        let x = inside(x + right, pad, width);
                        row.zip(x).map_or(0.0, |(row, x)| unit(row[x]))
                    }));
                }
            }
        }
        out
    }
}

/// Converts a coordinate in the padded image to one in the image, along one side; `None` in the padding.
fn inside(padded: usize, pad: usize, side: usize) -> Option<usize> {
    padded.checked_sub(pad).filter(|&place| place < side)
}
