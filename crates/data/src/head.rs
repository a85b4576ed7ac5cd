//! The head of an encoded image (size and colour type), read before anything is decoded.
//!
//! A decoder allocates memory for the size in the head, and a file of a few kilobytes can claim gigabytes. So the size is
//! checked first.

use crate::Codec;

/// The size and colour type in an image's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Width in pixels.
    pub(crate) width: u32,
    /// Height in pixels.
    pub(crate) height: u32,
    /// Why the image cannot be converted to 8-bit RGB without loss or guesswork; `None` if it can.
    pub(crate) foreign: Option<&'static str>,
}

pub(crate) const ALPHA: &str = "has transparency";
pub(crate) const DEEP: &str = "has more than 8 bits a channel";
const CMYK: &str = "has colours other than grey or RGB (CMYK)";
/// The decoder would take it for YCbCr, or for CMYK.
const RAW: &str = "is a JPEG image that stores RGB instead of YCbCr";

impl Head {
    /// Reads the head of an image; `None` if it is damaged or cut off.
    pub(crate) fn of(bytes: &[u8], codec: Codec) -> Option<Self> {
        match codec {
            Codec::Png => png(bytes),
            Codec::Jpeg => jpeg(bytes),
            Codec::Ppm => ppm(bytes),
        }
    }
}

/// The first chunk after the signature, `IHDR`: width (4 bytes), height (4 bytes), bits per channel, colour type.
fn png(bytes: &[u8]) -> Option<Head> {
    const NAME: usize = 12;
    let word = |at: usize| Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?));
    if bytes.get(NAME..NAME + 4)? != b"IHDR" {
        return None;
    }
    let (bits, colours) = (*bytes.get(24)?, *bytes.get(25)?);
    let foreign = match (bits, colours) {
        (_, 4 | 6) => Some(ALPHA),
        (16, _) => Some(DEEP),
        _ => None,
    };
    Some(Head {
        width: word(16)?,
        height: word(20)?,
        foreign,
    })
}

/// The first frame header (`SOF`) among the segments: length, bits per channel, height, width, number of channels, and three bytes
/// per channel, the first its name. Adobe's segment before it may say that the channels are RGB.
fn jpeg(bytes: &[u8]) -> Option<Head> {
    let mut rest = bytes.get(2..)?;
    let mut rgb = false;
    loop {
        match rest {
            [0xff, 0xff, ..] => rest = &rest[1..],
            // The range of the frame headers also holds Huffman tables, a reserved marker and arithmetic coding.
            [0xff, 0xc0..=0xcf, _, _, bits, h1, h0, w1, w0, channels, ..]
                if !matches!(rest[1], 0xc4 | 0xc8 | 0xcc) =>
            {
                let names = [10, 13, 16].map(|at| rest.get(at).copied().unwrap_or_default());
                let foreign = match (bits, channels) {
                    (9.., _) => Some(DEEP),
                    (_, 3) if rgb || names == *b"RGB" => Some(RAW),
                    (_, 1 | 3) => None,
                    _ => Some(CMYK),
                };
                return Some(Head {
                    width: u16::from_be_bytes([*w1, *w0]).into(),
                    height: u16::from_be_bytes([*h1, *h0]).into(),
                    foreign,
                });
            }
            // Another segment. Its length includes the length field.
            [0xff, kind, high, low, segment @ ..] => {
                /// Where Adobe's segment names the colour transform; 0 is none.
                const TRANSFORM: usize = 11;
                if *kind == 0xee && segment.starts_with(b"Adobe") {
                    rgb = segment.get(TRANSFORM) == Some(&0);
                }
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                rest = rest.get(2 + length.max(2)..)?;
            }
            _ => return None,
        }
    }
}

/// Three decimal numbers after `P6`: width, height and the largest value. White space and comments (`#` to the end of the line)
/// separate them.
fn ppm(bytes: &[u8]) -> Option<Head> {
    let mut rest = bytes.strip_prefix(b"P6")?;
    let mut number = || {
        loop {
            rest = rest.trim_ascii_start();
            if rest.first() != Some(&b'#') {
                break;
            }
            let end = rest.iter().position(|byte| *byte == b'\n')?;
            rest = &rest[end..];
        }
        let end = rest.iter().position(|byte| !byte.is_ascii_digit())?;
        let (digits, after) = rest.split_at(end);
        rest = after;
        str::from_utf8(digits).ok()?.parse::<u32>().ok()
    };
    let (width, height, largest) = (number()?, number()?, number()?);
    Some(Head {
        width,
        height,
        foreign: (largest > 255).then_some(DEEP),
    })
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::{DynamicImage, ImageFormat};

    use super::*;

    fn encoded(image: DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut out = Cursor::new(Vec::new());
        image.write_to(&mut out, format).unwrap();
        out.into_inner()
    }

    fn head(width: u32, height: u32, foreign: Option<&'static str>) -> Option<Head> {
        Some(Head {
            width,
            height,
            foreign,
        })
    }

    #[test]
    fn the_head_is_what_an_encoder_wrote() {
        let cases = [
            (DynamicImage::new_rgb8(7, 300), None),
            (DynamicImage::new_luma8(300, 7), None),
            (DynamicImage::new_rgba8(7, 9), Some(ALPHA)),
            (DynamicImage::new_luma_a8(7, 9), Some(ALPHA)),
            (DynamicImage::new_rgb16(7, 9), Some(DEEP)),
            (DynamicImage::new_luma16(7, 9), Some(DEEP)),
        ];
        for (image, foreign) in cases {
            let (width, height) = (image.width(), image.height());
            let found = Head::of(&encoded(image, ImageFormat::Png), Codec::Png);
            assert_eq!(found, head(width, height, foreign));
        }
        for image in [
            DynamicImage::new_rgb8(7, 300),
            DynamicImage::new_luma8(7, 300),
        ] {
            let found = Head::of(&encoded(image, ImageFormat::Jpeg), Codec::Jpeg);
            assert_eq!(found, head(7, 300, None));
        }
        let ppm = b"P6 # a comment\n# another\n 7\t300\n255\n";
        assert_eq!(Head::of(ppm, Codec::Ppm), head(7, 300, None));
        let deep = b"P6 7 300 65535 ";
        assert_eq!(Head::of(deep, Codec::Ppm), head(7, 300, Some(DEEP)));
    }

    #[test]
    fn a_head_that_is_cut_is_none() {
        let images = [
            (
                encoded(DynamicImage::new_rgb8(7, 9), ImageFormat::Png),
                Codec::Png,
                26,
            ),
            (
                encoded(DynamicImage::new_rgb8(7, 9), ImageFormat::Jpeg),
                Codec::Jpeg,
                29,
            ),
            (b"P6 7 300 255\n".to_vec(), Codec::Ppm, 13),
        ];
        for (image, codec, length) in images {
            for length in 0..length {
                assert_eq!(Head::of(&image[..length], codec), None, "{codec} {length}");
            }
        }
    }
}
