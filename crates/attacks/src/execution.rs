//! The same weights executed otherwise: another arithmetic, another way of images, another engine. None of it is an attack, so a
//! detection is a false alarm.

use crate::{Attack, Modified, Victim};
use brink_models::{
    Access, Activations, Error, Job, Need, Network, Result, Weights, fold_batch_norm, is_layer,
    once, round_mantissa,
};
use brink_random::Stream;
use candle_core::{DType, Tensor};
use half::f16;
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ExtendedColorType, ImageFormat};
use serde::{Deserialize, Serialize};

/// Another execution of the same weights.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Execution {
    /// The arithmetic of the network.
    pub arithmetic: Arithmetic,
    /// How images reach the model.
    pub transport: Transport,
    /// A command that answers with another engine instead, e.g. `python3 scripts/peers/engine.py pytorch`.
    pub program: Option<String>,
}

/// The arithmetic of a network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arithmetic {
    /// f32, as the target itself.
    #[default]
    Float32,
    /// f64.
    Float64,
    /// f32, with batch normalisation folded into the convolutions.
    Folded,
    /// Weights and layer outputs rounded as for the TF32 products of tensor cores, sums in f32.
    Tf32,
    /// Weights and layer outputs rounded to bfloat16, sums in f32.
    Bfloat16,
}

/// How images reach the model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// As f32.
    #[default]
    Float32,
    /// As f16.
    Float16,
    /// As whole levels of 16 bits, as in a PNG.
    Uint16,
    /// As whole levels of 8 bits, as in a PNG.
    Uint8,
    /// As JPEG of quality 95.
    Jpeg,
}

impl Attack for Execution {
    fn needs(&self) -> Need {
        let other = Need {
            access: Access::Gradients,
            what: "another arithmetic",
            ..Need::ANSWERS
        };
        match (self.arithmetic, &self.program) {
            (Arithmetic::Tf32 | Arithmetic::Bfloat16, _) => {
                Need::LAYERS.of("arithmetic", "leave it out")
            }
            (Arithmetic::Float64 | Arithmetic::Folded, _) => other.of(
                "arithmetic",
                "leave it out; `transport` changes how images reach the model",
            ),
            (Arithmetic::Float32, Some(_)) => Need {
                what: "the name of a network for another program",
                ..other
            }
            .of("program", "leave it out"),
            (Arithmetic::Float32, None) => Need::ANSWERS,
        }
    }

    fn start<'a>(
        &self,
        victim: Victim<'a>,
        _: &Stream,
    ) -> Result<Box<dyn Job<Output = Modified> + 'a>> {
        let execution = self.clone();
        Ok(once(move || {
            Ok(Modified {
                execution: Some(execution),
                ..victim.weights.clone().into()
            })
        }))
    }

    fn fits(&self, _: usize, _: [usize; 3], _: usize) -> Result<()> {
        let words = self.program.as_deref().map(shlex::split);
        match words {
            Some(words) if words.as_ref().is_none_or(Vec::is_empty) => Err(Error::DoesNotFit {
                field: "program",
                problem:
                    "this is not a command; write the program and its arguments, with closed quotes"
                        .to_owned(),
            }),
            _ => Ok(()),
        }
    }

    fn is_random(&self, _: usize) -> bool {
        false
    }

    fn compares_samples(&self) -> bool {
        true
    }
}

impl Arithmetic {
    /// The network of `victim` with this arithmetic.
    ///
    /// # Errors
    /// If the weights do not fit the victim's model.
    pub fn network(self, victim: &Victim<'_>) -> Result<Network> {
        let weights = victim.weights;
        match self {
            Self::Float32 => victim.with(weights),
            Self::Float64 => {
                let device = victim.with(weights)?.device().clone();
                victim.with(&weights.to(DType::F64, &device)?)
            }
            Self::Folded => victim.with(&fold_batch_norm(victim.model, victim.classes, weights)?),
            Self::Tf32 => rounded(victim, 10),
            Self::Bfloat16 => rounded(victim, 7),
        }
    }
}

/// The network of `victim` with weights and layer outputs of `bits` bits after the leading one.
fn rounded(victim: &Victim<'_>, bits: u32) -> Result<Network> {
    let tensors = victim.weights.tensors().iter().map(|(name, tensor)| {
        // Other tensors, such as biases, are not factors of a large product.
        if !is_layer(name, tensor.rank()) {
            return Ok((name.clone(), tensor.clone()));
        }
        let mut values: Vec<f32> = tensor.flatten_all()?.to_vec1()?;
        round_mantissa(&mut values, bits);
        let rounded = Tensor::from_vec(values, tensor.shape(), tensor.device())?;
        Ok((name.clone(), rounded))
    });
    let weights = Weights::from_tensors(tensors.collect::<Result<Vec<_>>>()?);
    let network = victim.with(&weights)?;
    let layers = network.layers();
    Ok(network.with_activations(Activations::mantissa(bits, layers)))
}

impl Transport {
    /// Sends images of `shape`, `(c, h, w)`, pixels in `[0, 1]`, one after the other.
    ///
    /// # Errors
    /// If JPEG cannot hold images of this shape.
    pub fn send(self, pixels: &mut [f32], shape: [usize; 3]) -> Result<()> {
        let levels = |pixels: &mut [f32], last: f32| {
            for pixel in pixels {
                *pixel = (*pixel * last).round() / last;
            }
        };
        match self {
            Self::Float32 => {}
            Self::Float16 => pixels
                .iter_mut()
                .for_each(|pixel| *pixel = f16::from_f32(*pixel).to_f32()),
            Self::Uint16 => levels(pixels, 65535.0),
            Self::Uint8 => levels(pixels, 255.0),
            Self::Jpeg => {
                for image in pixels.chunks_mut(shape.iter().product()) {
                    through_jpeg(image, shape).map_err(|problem| {
                        Error::CannotCreate(format!(
                            "JPEG cannot hold images of shape {shape:?}: {problem}"
                        ))
                    })?;
                }
            }
        }
        Ok(())
    }
}

/// Sends one image through a JPEG of quality 95.
fn through_jpeg(image: &mut [f32], [c, h, w]: [usize; 3]) -> std::result::Result<(), String> {
    if c != 3 {
        return Err(format!("{c} channels"));
    }
    let words = |e: &dyn std::fmt::Display| e.to_string();
    let size = |side: usize| u32::try_from(side).map_err(|e| words(&e));
    let plane = h * w;
    let level = |i: usize| (image[i % 3 * plane + i / 3] * 255.0).round() as u8;
    let bytes: Vec<u8> = (0..3 * plane).map(level).collect();
    let mut file = Vec::new();
    JpegEncoder::new_with_quality(&mut file, 95)
        .encode(&bytes, size(w)?, size(h)?, ExtendedColorType::Rgb8)
        .map_err(|e| words(&e))?;
    let read = image::load_from_memory_with_format(&file, ImageFormat::Jpeg);
    let read = read.map(DynamicImage::into_rgb8).map_err(|e| words(&e))?;
    for (i, level) in read.as_raw().iter().enumerate() {
        image[i % 3 * plane + i / 3] = f32::from(*level) / 255.0;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(transport: Transport, pixels: &[f32]) -> Vec<f32> {
        let mut pixels = pixels.to_vec();
        transport.send(&mut pixels, [3, 1, 2]).unwrap();
        pixels
    }

    #[test]
    fn each_transport_keeps_what_it_can_hold() {
        let pixels = [0.1, 0.25, 0.5, 0.7, 1.0, 0.0];
        assert_eq!(sent(Transport::Float32, &pixels), pixels);
        assert_eq!(sent(Transport::Float16, &pixels)[1..3], pixels[1..3]);
        assert_ne!(sent(Transport::Float16, &pixels)[0], pixels[0]);
        let levels = pixels.map(|x| (x * 255.0).round() / 255.0);
        assert_eq!(sent(Transport::Uint8, &pixels), levels);
        assert_eq!(sent(Transport::Uint8, &levels), levels);
        let near = sent(Transport::Uint16, &pixels);
        let error = near.iter().zip(&pixels).map(|(a, b)| (a - b).abs());
        assert!(error.fold(0.0, f32::max) <= 0.5 / 65535.0);
    }

    #[test]
    fn a_jpeg_keeps_the_place_of_pixels_and_channels() {
        // Smooth ramps: downward in red, to the right in green.
        let side = 16;
        let mut pixels = vec![0.0; 3 * side * side];
        for y in 0..side {
            for x in 0..side {
                pixels[y * side + x] = y as f32 / 15.0;
                pixels[side * side + y * side + x] = x as f32 / 15.0;
            }
        }
        let mut sent = pixels.clone();
        Transport::Jpeg.send(&mut sent, [3, side, side]).unwrap();
        let error = sent.iter().zip(&pixels).map(|(a, b)| (a - b).abs());
        let mean = error.sum::<f32>() / pixels.len() as f32;
        assert!(mean > 0.0 && mean < 0.03, "{mean}");
        assert!(Transport::Jpeg.send(&mut [0.0; 4], [1, 2, 2]).is_err());
    }
}
