//! One encoded image as pixels.
//!
//! The JPEG standard leaves a decoder some freedom in rounding. `image` decodes with zune-jpeg; over the 60,000 images of
//! `cifar10-jpeg` its pixels and those of libjpeg-turbo 3.2 (fancy upsampling, through Pillow 13) are equal in 78.3 %, one level
//! apart in 13.4 %, two in 8.2 %, more in 0.06 % and never more than five; the mean difference is 0.30 levels. That is rounding:
//! both smooth the chroma planes in the same way. datasets.md has the figures of `flowers102-64`.

use std::io::Cursor;

use image::{ImageFormat, ImageReader};

use crate::{Codec, Fault, resize};

/// Decodes image `index` into `out`, which is `(c, h, w)` of `shape`. The image is `stored` (h, w) large, or of any size if
/// that is `None`; a size other than that of `shape` is resized.
pub(crate) fn decode(
    bytes: &[u8],
    expected: Codec,
    index: usize,
    stored: Option<[usize; 2]>,
    shape: [usize; 3],
    out: &mut [u8],
) -> Result<(), Fault> {
    if codec(bytes) != Some(expected) {
        return Err(Fault::Codec { index, expected });
    }
    let image = image::load_from_memory_with_format(bytes, format(expected))
        .map_err(|reason| Fault::Decode { index, reason })?
        .into_rgb8();
    let (width, height) = image.dimensions();
    let found = [height as usize, width as usize];
    if let Some(expected) = stored.filter(|&expected| expected != found) {
        return Err(Fault::Dimensions {
            index,
            found: image.dimensions(),
            expected: (expected[1] as u32, expected[0] as u32),
        });
    }
    let [channels, height, width] = shape;
    for (channel, plane) in out.chunks_mut(height * width).enumerate() {
        let values = image.as_raw().iter().skip(channel).step_by(channels);
        if found == [height, width] {
            plane
                .iter_mut()
                .zip(values)
                .for_each(|(pixel, value)| *pixel = *value);
        } else {
            let values: Vec<u8> = values.copied().collect();
            plane.copy_from_slice(&resize::bilinear(&values, found, [height, width]));
        }
    }
    Ok(())
}

/// The encoding of an image of the size `(h, w)`, told by its first bytes; `None` if it has another size or one that we do not
/// know.
pub(crate) fn peek(bytes: &[u8], size: [usize; 2]) -> Option<Codec> {
    let codec = codec(bytes)?;
    let reader = ImageReader::with_format(Cursor::new(bytes), format(codec));
    let (width, height) = reader.into_dimensions().ok()?;
    ([height as usize, width as usize] == size).then_some(codec)
}

/// The encoding of an image, told by its first bytes.
fn codec(bytes: &[u8]) -> Option<Codec> {
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        Some(Codec::Png)
    } else if bytes.starts_with(b"\xff\xd8\xff") {
        Some(Codec::Jpeg)
    } else if bytes.starts_with(b"P6") {
        Some(Codec::Ppm)
    } else {
        None
    }
}

fn format(codec: Codec) -> ImageFormat {
    match codec {
        Codec::Png => ImageFormat::Png,
        Codec::Jpeg => ImageFormat::Jpeg,
        Codec::Ppm => ImageFormat::Pnm,
    }
}
