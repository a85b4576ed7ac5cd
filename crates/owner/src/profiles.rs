//! How the untouched model answers when the transport or the preprocessing differs. A deployment that later answers like this need not have
//! other weights.

use std::collections::BTreeMap;

use brink_attacks::Transport;
use brink_endpoint::Endpoint;
use brink_verify::{Head, Images, Profile, SensitiveSet, labels};
use image::imageops::{FilterType, resize};
use image::{ImageBuffer, Luma};

use crate::error::Error;

/// Pairs of a profile. The default risks take 20 for a finding; one by chance more or less must not end the pairs.
const PAIRS: usize = 40;

/// What may happen to images on their way to the network.
#[derive(Clone, Copy)]
enum Detour {
    /// Rounded to 8 bits.
    EightBit,
    /// Sent as JPEG of quality 95.
    Jpeg,
    /// Blue, green, red.
    Reversed,
    /// Resized to seven eighths and back.
    Resized,
}

impl Detour {
    const ALL: [Self; 4] = [Self::EightBit, Self::Jpeg, Self::Reversed, Self::Resized];

    fn name(self) -> &'static str {
        match self {
            Self::EightBit => "pixels rounded to 8 bits",
            Self::Jpeg => "images sent as JPEG",
            Self::Reversed => "channels in reversed order",
            Self::Resized => "images resized on the way",
        }
    }

    /// The images after the detour; `None` if it cannot happen to such images.
    fn take(self, images: &Images) -> Option<Images> {
        let [c, h, w] = images.shape();
        let mut pixels = images.data().to_vec();
        match self {
            Self::EightBit => Transport::Uint8.send(&mut pixels, [c, h, w]).ok()?,
            Self::Jpeg => Transport::Jpeg.send(&mut pixels, [c, h, w]).ok()?,
            Self::Reversed if c == 1 => return None,
            Self::Reversed => {
                for image in pixels.chunks_mut(c * h * w) {
                    let planes: Vec<f32> = image.chunks(h * w).rev().flatten().copied().collect();
                    image.copy_from_slice(&planes);
                }
            }
            Self::Resized => {
                for plane in pixels.chunks_mut(h * w) {
                    let there_and_back = resized(plane, w as u32, h as u32)?;
                    plane.copy_from_slice(&there_and_back);
                }
            }
        }
        // Interpolation may leave [0, 1] by a rounding error.
        pixels.iter_mut().for_each(|x| *x = x.clamp(0.0, 1.0));
        Images::new([c, h, w], pixels).ok()
    }
}

/// A plane of `width` x `height` pixels, resized to seven eighths and back.
fn resized(plane: &[f32], width: u32, height: u32) -> Option<Vec<f32>> {
    let whole = ImageBuffer::<Luma<f32>, _>::from_raw(width, height, plane.to_vec())?;
    let less = |side: u32| (side * 7 / 8).max(1);
    let small = resize(&whole, less(width), less(height), FilterType::Triangle);
    Some(resize(&small, width, height, FilterType::Triangle).into_raw())
}

/// The profiles that [tell](tells) something, if a change flips a share of `change` of the pairs.
///
/// # Errors
/// If the model does not answer.
pub fn of_detours(
    endpoint: &Endpoint,
    set: &SensitiveSet,
    head: Option<&Head>,
    change: f64,
) -> Result<Vec<Profile>, Error> {
    let mut profiles = Vec::new();
    for detour in Detour::ALL {
        let images = detour.take(&first(set));
        // Images of whole levels are the same after they were rounded.
        let Some(images) = images.filter(|images| *images != first(set)) else {
            continue;
        };
        let labels = labels(endpoint, &images, set.label_space, head)?;
        profiles.push(Profile {
            name: detour.name().to_owned(),
            labels,
        });
    }
    profiles.retain(|profile| tells(set, profile, change));
    Ok(profiles)
}

/// How the model of this deployment answers.
///
/// # Errors
/// If it does not answer.
pub fn of_deployment(
    endpoint: &Endpoint,
    set: &SensitiveSet,
    head: Option<&Head>,
    name: &str,
) -> Result<Profile, Error> {
    Ok(Profile {
        name: name.to_owned(),
        labels: labels(endpoint, &first(set), set.label_space, head)?,
    })
}

/// Whether answers that follow the profile tell it from the untouched model, and from a model that a change moved to one side: it flips a
/// share of `change` of the pairs or more, and does not answer more than the rest of them alike.
pub fn tells(set: &SensitiveSet, profile: &Profile, change: f64) -> bool {
    let answers = profile.labels.as_chunks::<2>().0;
    let mut counts = BTreeMap::new();
    for answer in answers {
        *counts.entry(answer).or_insert(0) += 1;
    }
    let most: u32 = counts.into_values().max().unwrap_or(0);
    flips(set, profile) >= change && f64::from(most) <= (1.0 - change) * answers.len() as f64
}

/// The share of a profile's pairs that have other labels than those of the set.
pub fn flips(set: &SensitiveSet, profile: &Profile) -> f64 {
    let (known, now) = (
        set.labels.as_chunks::<2>().0,
        profile.labels.as_chunks::<2>().0,
    );
    let flipped = known.iter().zip(now).filter(|(was, is)| was != is).count();
    flipped as f64 / now.len() as f64
}

/// The images of the first pairs.
fn first(set: &SensitiveSet) -> Images {
    let images: Vec<usize> = (0..2 * PAIRS.min(set.samples())).collect();
    set.images.select(&images)
}

#[cfg(test)]
mod tests {
    use super::*;
    use brink_verify::{LabelSpace, Layout};

    fn ramp(shape: [usize; 3]) -> Images {
        let pixels = (0..shape.iter().product::<usize>()).map(|i| (i % 97) as f32 / 97.0);
        Images::new(shape, pixels.collect::<Vec<f32>>()).unwrap()
    }

    #[test]
    fn each_detour_changes_pixels_and_keeps_the_shape() {
        let images = ramp([3, 16, 8]);
        for detour in Detour::ALL {
            let after = detour.take(&images).unwrap();
            assert_eq!(after.shape(), images.shape());
            assert_ne!(after, images, "{}", detour.name());
        }
        let reversed = Detour::Reversed.take(&images).unwrap();
        assert_eq!(reversed.data()[..128], images.data()[256..]);
        assert_eq!(Detour::Reversed.take(&reversed).unwrap(), images);
        let once = Detour::EightBit.take(&images).unwrap();
        assert_eq!(Detour::EightBit.take(&once).unwrap(), once);
    }

    #[test]
    fn a_profile_that_flips_few_pairs_or_answers_all_alike_tells_nothing() {
        let set = SensitiveSet {
            images: ramp_of(8),
            labels: [0, 1].repeat(4),
            layout: Layout::Pairs,
            label_space: LabelSpace::Classes,
            classes: 3,
            model_id: "mine".to_owned(),
            generator: "bracketed".to_owned(),
            key_check: None,
        };
        let tells = |labels: [u32; 8]| {
            let name = String::new();
            let labels = labels.to_vec();
            tells(&set, &Profile { name, labels }, 0.25)
        };
        assert!(!tells([0, 1, 0, 1, 0, 1, 0, 1]), "nothing flips");
        assert!(!tells([1, 1, 1, 1, 1, 1, 1, 1]), "all on one side");
        assert!(tells([1, 1, 1, 1, 0, 0, 2, 2]));
        assert!(tells([0, 1, 0, 1, 0, 1, 1, 1]), "a quarter flips");
    }

    fn ramp_of(images: usize) -> Images {
        let pixels = (0..images).map(|i| i as f32 / images as f32);
        Images::new([1, 1, 1], pixels.collect::<Vec<f32>>()).unwrap()
    }

    #[test]
    fn what_cannot_happen_to_grey_images_is_left_out() {
        let grey = ramp([1, 4, 4]);
        assert!(Detour::Jpeg.take(&grey).is_none() && Detour::Reversed.take(&grey).is_none());
        assert!(Detour::Resized.take(&grey).is_some());
        // The smallest image stays an image.
        assert!(Detour::Resized.take(&ramp([1, 1, 1])).is_some());
    }
}
