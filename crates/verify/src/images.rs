//! Images as the protocol sees them: plain f32 pixels, no tensor library.

use std::sync::Arc;

use crate::error::Error;

/// Images `(n, c, h, w)` of one shape, f32 pixels in [0, 1], in row-major order. Clones share the pixels.
#[derive(Clone, Debug, PartialEq)]
pub struct Images {
    shape: [usize; 3],
    data: Arc<[f32]>,
}

impl Images {
    /// Images of `shape` (channels, height, width) from their pixels, one image after the other.
    ///
    /// # Errors
    /// If `data` is not a whole number of images, the shape has no pixels, or a pixel is not in [0, 1].
    pub fn new(shape: [usize; 3], data: impl Into<Arc<[f32]>>) -> Result<Self, Error> {
        let data = data.into();
        let values = data.len();
        let pixels = match pixels(shape) {
            Some(pixels) if values.is_multiple_of(pixels) => pixels,
            _ => return Err(Error::Shape { shape, values }),
        };
        match data.iter().position(|value| !(0.0..=1.0).contains(value)) {
            Some(at) => Err(Error::Pixel {
                image: at / pixels,
                pixel: at % pixels,
                value: data[at],
            }),
            None => Ok(Self { shape, data }),
        }
    }

    /// Channels, height, width of each image.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// All pixels, `(n, c, h, w)`.
    pub fn data(&self) -> &[f32] {
        &self.data
    }

    /// The number of images.
    pub fn len(&self) -> usize {
        self.data.len() / self.pixels()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// The pixels of image `i`, `(c, h, w)`.
    ///
    /// # Panics
    /// If there is no image `i`.
    pub fn image(&self, i: usize) -> &[f32] {
        let pixels = self.pixels();
        &self.data[i * pixels..][..pixels]
    }

    /// The images at `indices`, in that order. An index may occur more than once.
    ///
    /// # Panics
    /// If an index has no image.
    pub fn select(&self, indices: &[usize]) -> Self {
        let mut data = Vec::with_capacity(indices.len() * self.pixels());
        for &i in indices {
            data.extend_from_slice(self.image(i));
        }
        Self {
            shape: self.shape,
            data: data.into(),
        }
    }

    fn pixels(&self) -> usize {
        self.shape.iter().product()
    }
}

/// The number of pixels of one image; `None` for a shape without pixels or with too many to count.
fn pixels(shape: [usize; 3]) -> Option<usize> {
    let [c, h, w] = shape;
    c.checked_mul(h)?
        .checked_mul(w)
        .filter(|&pixels| pixels > 0)
}
