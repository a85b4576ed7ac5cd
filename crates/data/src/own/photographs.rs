//! Decodes many encoded images to one size.

use std::path::Path;

use brink_config::checked::Edge;
use image::RgbImage;
use rayon::prelude::*;

use super::{fits, refused};
use crate::decode::photograph;
use crate::{Error, Fault, resize};

/// The pixels of `count` images, `(n, c, h, w)`, and the shape of one, `(c, h, w)`. `visit` calls its argument with the place and the
/// bytes of the image of an index. All images are resized to `size`; without it, all must have the size of the first.
pub(super) fn decode<'a, B: AsRef<[u8]>>(
    count: usize,
    size: Option<Edge>,
    place: impl Fn(usize) -> &'a Path + Sync,
    bytes: impl Fn(usize) -> Result<B, Fault> + Sync,
) -> Result<(Vec<u8>, [usize; 3]), Error> {
    let decoded = |index| {
        let image = bytes(index).and_then(|bytes| photograph(bytes.as_ref(), index));
        image.map_err(|fault| refused(place(index), fault))
    };
    let [height, width] = match size {
        Some(side) => [side.get(); 2],
        None => sides(&decoded(0)?),
    };
    let shape = [3, height, width];
    fits(count, shape).map_err(|fault| refused(place(0), fault))?;
    let mut pixels = vec![0; count * 3 * height * width];
    let images = pixels.par_chunks_mut(3 * height * width).enumerate();
    let fault = images.find_map_first(|(index, out)| {
        let image = match decoded(index) {
            Ok(image) => image,
            Err(error) => return Some(error),
        };
        if size.is_none() && sides(&image) != [height, width] {
            let fault = Fault::Dimensions {
                index,
                found: image.dimensions(),
                expected: (width as u32, height as u32),
            };
            return Some(refused(place(index), fault));
        }
        for (channel, plane) in out.chunks_mut(height * width).enumerate() {
            let values = image.as_raw().iter().skip(channel).step_by(3).copied();
            let values: Vec<u8> = values.collect();
            match sides(&image) == [height, width] {
                true => plane.copy_from_slice(&values),
                false => plane.copy_from_slice(&resize::bilinear(
                    &values,
                    sides(&image),
                    [height, width],
                )),
            }
        }
        None
    });
    fault.map_or(Ok((pixels, shape)), Err)
}

/// Height and width.
fn sides(image: &RgbImage) -> [usize; 2] {
    [image.height() as usize, image.width() as usize]
}
