//! How pixels travel.

use std::io::Cursor;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use brink_verify::Images;
use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Error;

/// How images are written into a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// Numbers in [0, 1], channel by channel: (c, h, w).
    ChannelsFirst,
    /// Numbers in [0, 1], pixel by pixel: (h, w, c).
    ChannelsLast,
    /// A PNG of 8 bits a channel, in base64 where the request is JSON.
    Png,
}

impl Encoding {
    /// Whether pixels reach the model with 8 bits only.
    pub fn is_eight_bit(self) -> bool {
        self == Self::Png
    }

    /// The shape of an image in the request.
    pub(crate) fn shape(self, [c, h, w]: [usize; 3]) -> [usize; 3] {
        match self {
            Self::ChannelsFirst | Self::Png => [c, h, w],
            Self::ChannelsLast => [h, w, c],
        }
    }

    /// The pixels of an image in the order of the request.
    pub(crate) fn pixels(self, image: &[f32], [c, h, w]: [usize; 3]) -> Vec<f32> {
        match self {
            Self::ChannelsFirst | Self::Png => image.to_vec(),
            Self::ChannelsLast => {
                let plane = h * w;
                let pixels = (0..plane).flat_map(|at| (0..c).map(move |c| image[c * plane + at]));
                pixels.collect()
            }
        }
    }

    /// An image as JSON: nested arrays of numbers, or the base64 of a PNG.
    pub(crate) fn json(self, image: &[f32], shape: [usize; 3]) -> Result<Value, Error> {
        if self == Self::Png {
            return Ok(Value::String(STANDARD.encode(png(image, shape)?)));
        }
        let [_, rows, columns] = self.shape(shape);
        let pixels = self.pixels(image, shape);
        let outer = pixels.chunks(rows * columns);
        let nested = outer.map(|rows| {
            rows.chunks(columns)
                .map(Value::from)
                .collect::<Vec<_>>()
                .into()
        });
        Ok(Value::Array(nested.collect()))
    }

    /// All images as JSON, in their order.
    pub(crate) fn all(self, images: &Images) -> Result<Vec<Value>, Error> {
        (0..images.len())
            .map(|i| self.json(images.image(i), images.shape()))
            .collect()
    }
}

/// An image (c, h, w) of one or three channels, in [0, 1], as a PNG of 8 bits a channel.
///
/// # Errors
/// If it has another number of channels.
pub fn png(image: &[f32], shape: [usize; 3]) -> Result<Vec<u8>, Error> {
    let [channels, height, width] = shape;
    let colour = match channels {
        1 => ExtendedColorType::L8,
        3 => ExtendedColorType::Rgb8,
        _ => {
            return Err(Error::Images(format!(
                "a PNG has 1 or 3 channels, not {channels}; send numbers instead"
            )));
        }
    };
    let levels: Vec<u8> = Encoding::ChannelsLast
        .pixels(image, shape)
        .into_iter()
        .map(|pixel| (pixel * 255.0).round() as u8)
        .collect();
    let mut file = Cursor::new(Vec::new());
    PngEncoder::new(&mut file)
        .write_image(&levels, width as u32, height as u32, colour)
        .map_err(|e| Error::Images(e.to_string()))?;
    Ok(file.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Two channels of one row and two columns.
    const IMAGE: [f32; 4] = [0.0, 0.25, 0.5, 1.0];
    const SHAPE: [usize; 3] = [2, 1, 2];

    #[test]
    fn numbers_are_nested_as_the_model_reads_them() {
        let json = |encoding: Encoding| encoding.json(&IMAGE, SHAPE).unwrap();
        assert_eq!(
            json(Encoding::ChannelsFirst),
            json!([[[0.0, 0.25]], [[0.5, 1.0]]])
        );
        assert_eq!(
            json(Encoding::ChannelsLast),
            json!([[[0.0, 0.5], [0.25, 1.0]]])
        );
    }

    #[test]
    fn a_png_keeps_whole_levels() {
        let levels = [0u8, 1, 127, 128, 254, 255, 3, 4, 5, 6, 7, 8];
        let image: Vec<f32> = levels.iter().map(|&l| f32::from(l) / 255.0).collect();
        let file = png(&image, [3, 2, 2]).unwrap();
        let read = image::load_from_memory(&file).unwrap().into_rgb8();
        let channels = (0..3).flat_map(|c| read.pixels().map(move |pixel| pixel[c]));
        assert_eq!(channels.collect::<Vec<u8>>(), levels);
        assert!(png(&IMAGE, SHAPE).is_err());
    }
}
