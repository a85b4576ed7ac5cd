//! Decodes one image to pixels.
//!
//! The JPEG standard leaves a decoder some freedom in rounding. `image` decodes with zune-jpeg. Over the 60,000 images of
//! `cifar10-jpeg`, its pixels equal libjpeg-turbo 3.2's (fancy upsampling, through Pillow 13) in 78.3 % of cases. They differ by
//! one level in 13.4 %, two levels in 8.2 %, more in 0.06 %, and never by more than five. The mean difference is 0.30 levels.
//! This is rounding: both smooth the chroma planes in the same way. datasets.md has the figures for `flowers102-64`.

use std::io::Cursor;

use image::error::DecodingError;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbImage};

use crate::head::{ALPHA, DEEP, Head};
use crate::{Codec, Fault, resize};

/// The longest side of an image in its own file, in pixels. No official image has half of it.
const LONGEST: u32 = 2048;

/// The longest side of a photograph of one's own, in pixels, and the most pixels that it may have.
const WIDEST: u32 = 16_384;
const MOST_PIXELS: u64 = 64_000_000;

/// The most bytes that an image in a Parquet file may take: many times the size of its pixels.
const HEAVIEST: usize = 1 << 20;

/// Decodes image `index` into `out`, which has the shape `shape`, `(c, h, w)`. The image must have the size `stored`, `(h, w)`,
/// or any size if that is `None`. It is resized if its size is not the one in `shape`. The head is checked before anything is
/// decoded.
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
    let head = checked(bytes, expected, index, stored)?;
    // The official readers of these sets ignore the orientation, too.
    let decoder = decoder(bytes, expected, index, head)?;
    let image = pixels(decoder, index)?.into_rgb8();
    if expected == Codec::Jpeg && !has_an_end(bytes) {
        return Err(broken(expected, index, "it is cut short"));
    }
    let found = [head.height as usize, head.width as usize];
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

/// Decodes a photograph of one's own, image `index`, to RGB. It is turned upright if its EXIF data say how. Its size and colours
/// are checked before anything is decoded.
pub(crate) fn photograph(bytes: &[u8], index: usize) -> Result<RgbImage, Fault> {
    let codec = codec(bytes).ok_or(Fault::Unknown { index })?;
    let head = Head::of(bytes, codec).ok_or_else(|| broken(codec, index, "its head is damaged"))?;
    let found = (head.width, head.height);
    let sides = 1..=WIDEST;
    if !sides.contains(&found.0) || !sides.contains(&found.1) {
        let longest = WIDEST;
        return Err(Fault::Sides {
            index,
            found,
            longest,
        });
    }
    if u64::from(found.0) * u64::from(found.1) > MOST_PIXELS {
        return Err(broken(codec, index, "it has more than 64 million pixels"));
    }
    if let Some(what) = head.foreign {
        return Err(Fault::Colours { index, what });
    }
    let mut decoder = decoder(bytes, codec, index, head)?;
    let orientation = decoder.orientation();
    let orientation = orientation.map_err(|reason| Fault::Decode { index, reason })?;
    let mut image = pixels(decoder, index)?;
    if codec == Codec::Jpeg && !has_an_end(bytes) {
        return Err(broken(codec, index, "it is cut short"));
    }
    image.apply_orientation(orientation);
    Ok(image.into_rgb8())
}

/// The head of image `index`, after checks. The image must have the size `stored`, `(h, w)`, or if that is `None` a size of at
/// most [`LONGEST`]. Its colours must convert to 8-bit RGB without loss.
fn checked(
    bytes: &[u8],
    codec: Codec,
    index: usize,
    stored: Option<[usize; 2]>,
) -> Result<Head, Fault> {
    let head = Head::of(bytes, codec);
    let head = head.ok_or_else(|| broken(codec, index, "its head is damaged"))?;
    let found = (head.width, head.height);
    match stored {
        Some([height, width]) => {
            let expected = (width as u32, height as u32);
            if found != expected {
                return Err(Fault::Dimensions {
                    index,
                    found,
                    expected,
                });
            }
            if bytes.len() > HEAVIEST {
                return Err(broken(codec, index, "it takes more than 1 MiB"));
            }
        }
        None => {
            let sides = 1..=LONGEST;
            if !sides.contains(&found.0) || !sides.contains(&found.1) {
                let longest = LONGEST;
                return Err(Fault::Sides {
                    index,
                    found,
                    longest,
                });
            }
        }
    }
    match head.foreign {
        Some(what) => Err(Fault::Colours { index, what }),
        None => Ok(head),
    }
}

/// The decoder of image `index`, whose `head` has been checked.
fn decoder(
    bytes: &[u8],
    codec: Codec,
    index: usize,
    head: Head,
) -> Result<impl ImageDecoder, Fault> {
    let fault = |reason| Fault::Decode { index, reason };
    let mut limits = Limits::no_limits();
    // Room for four 16-bit channels twice, and a colour profile. Other compressed chunks could unpack to gigabytes.
    limits.max_alloc = Some((1 << 20) + 16 * u64::from(head.width) * u64::from(head.height));
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format(codec));
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(fault)?;
    if decoder.dimensions() != (head.width, head.height) {
        return Err(broken(codec, index, "it has two heads"));
    }
    // A palette may have transparent colours; the head does not say so.
    let colours = decoder.color_type();
    if colours.has_alpha() {
        return Err(Fault::Colours { index, what: ALPHA });
    }
    if colours.bytes_per_pixel() > colours.channel_count() {
        return Err(Fault::Colours { index, what: DEEP });
    }
    Ok(decoder)
}

fn pixels(decoder: impl ImageDecoder, index: usize) -> Result<DynamicImage, Fault> {
    DynamicImage::from_decoder(decoder).map_err(|reason| Fault::Decode { index, reason })
}

/// The fault of image `index`, found here and not by the decoder.
fn broken(codec: Codec, index: usize, what: &'static str) -> Fault {
    let reason = ImageError::Decoding(DecodingError::new(format(codec).into(), what));
    Fault::Decode { index, reason }
}

/// Whether a JPEG image reaches its end-of-image marker; anything after that is padding. For an image that is cut off, the
/// decoder fills the rest with grey and reports no error.
fn has_an_end(jpeg: &[u8]) -> bool {
    const START: usize = 2;
    let mut rest = jpeg.get(START..).unwrap_or_default();
    loop {
        rest = match rest {
            [0xff, 0xd9, ..] => return true,
            // An escaped 0xff byte of the image data, or a restart marker: no length follows.
            [0xff, 0x00 | 0x01 | 0xd0..=0xd7, after @ ..] => after,
            [0xff, 0xff, ..] => &rest[1..],
            // A segment; it may hold a thumbnail with its own end marker. Its length includes the length field.
            [0xff, _, length @ ..] => match length {
                [high, low, ..] => {
                    let length = u16::from_be_bytes([*high, *low]);
                    rest.get(2 + usize::from(length)..).unwrap_or_default()
                }
                _ => return false,
            },
            [_, after @ ..] => after,
            [] => return false,
        };
    }
}

/// The encoding of the first image of a file, from its first bytes. Fails unless the head has the size `size`, `(h, w)`.
pub(crate) fn peek(bytes: &[u8], size: [usize; 2]) -> Result<Codec, Fault> {
    let codec = codec(bytes).ok_or(Fault::Unknown { index: 0 })?;
    checked(bytes, codec, 0, Some(size)).map(|_| codec)
}

/// The encoding of an image, from its first bytes.
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

#[cfg(test)]
mod tests {
    use super::*;

    const SIDE: usize = 64;

    fn jpeg() -> Vec<u8> {
        let side = SIDE as u32;
        let shade = |x: u32, y: u32, c: u32| (x * (3 + c) + y * y / (2 + c)) as u8;
        let image = RgbImage::from_fn(side, side, |x, y| {
            image::Rgb([0, 1, 2].map(|c| shade(x, y, c)))
        });
        let mut out = Cursor::new(Vec::new());
        image.write_to(&mut out, ImageFormat::Jpeg).unwrap();
        out.into_inner()
    }

    fn decoded(bytes: &[u8]) -> Result<Vec<u8>, Fault> {
        let mut out = vec![0; 3 * SIDE * SIDE];
        decode(bytes, Codec::Jpeg, 7, None, [3, SIDE, SIDE], &mut out).map(|()| out)
    }

    #[test]
    fn an_image_that_was_cut_is_refused() {
        let whole = jpeg();
        let half = &whole[..whole.len() / 2];
        // The decoder accepts it, so the check is needed.
        assert!(image::load_from_memory_with_format(half, ImageFormat::Jpeg).is_ok());
        let message = decoded(half).unwrap_err().to_string();
        assert!(
            message.starts_with("image 7 cannot be decoded"),
            "{message}"
        );
        assert!(message.contains("it is cut short"), "{message}");
        for length in 0..whole.len() {
            assert!(decoded(&whole[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn padding_after_the_end_is_no_fault() {
        let whole = jpeg();
        let padded = [&whole[..], &[0, 0, 7]].concat();
        assert_eq!(decoded(&padded).unwrap(), decoded(&whole).unwrap());
    }

    #[test]
    fn the_end_of_a_small_image_within_is_not_the_end() {
        let whole = jpeg();
        // An application segment of six bytes, including its length.
        let thumbnail = [0xff, 0xe5, 0, 6, 0xff, 0xd8, 0xff, 0xd9];
        let image = [&whole[..2], &thumbnail, &whole[2..]].concat();
        assert_eq!(decoded(&image).unwrap(), decoded(&whole).unwrap());
        assert!(decoded(&image[..image.len() - 2]).is_err());
    }
}
