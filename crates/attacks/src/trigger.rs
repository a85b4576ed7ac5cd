//! The trigger of a backdoor: the pattern of BadNets (Gu et al., arXiv 1708.06733), solid or blended
//! with the image (Chen et al., arXiv 1712.05526).

use brink_config::checked::{Count, UnitInterval};
use brink_data::Split;
use brink_models::{Error, Result};
use serde::{Deserialize, Serialize};

/// A small square of a pattern, at a fixed place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Trigger {
    /// Its pattern.
    pub pattern: Pattern,
    /// Its width and height in pixels.
    pub size: Count,
    /// Its position.
    pub place: Place,
    /// Red, green and blue, each from 0 to 1.
    pub color: [UnitInterval; 3],
    /// Its opacity: 1 hides the image below it, less blends with the image.
    pub opacity: UnitInterval,
}

/// The pattern of a trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pattern {
    /// A single colour.
    Square,
    /// Alternating pixels of the colour, which the corners have, and of its complement.
    Checkerboard,
}

/// The position of a trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The top left corner.
    TopLeft,
    /// The top right corner.
    TopRight,
    /// The bottom left corner.
    BottomLeft,
    /// The bottom right corner.
    BottomRight,
    /// The middle.
    Center,
}

impl Default for Trigger {
    fn default() -> Self {
        Self {
            pattern: Pattern::Square,
            size: Count::literal(3),
            place: Place::BottomRight,
            color: [UnitInterval::literal(1.0); 3],
            opacity: UnitInterval::literal(1.0),
        }
    }
}

impl Trigger {
    /// Checks that it is no larger than an image of `shape`, `(c, h, w)`.
    ///
    /// # Errors
    /// If it is larger.
    pub(crate) fn fits(&self, [_, h, w]: [usize; 3]) -> Result<()> {
        let size = self.size.get();
        if size > h.min(w) {
            return Err(Error::DoesNotFit {
                field: "trigger.size",
                problem: format!(
                    "a trigger of {size}x{size} pixels does not fit images of {h}x{w}; make it smaller"
                ),
            });
        }
        Ok(())
    }

    /// The images `indices` of `split` with the trigger and the label `label`. The trigger must [fit](Self::fits) the images.
    pub(crate) fn stamp(&self, split: &Split, indices: &[usize], label: u16) -> Split {
        let [c, h, w] = split.shape();
        let size = self.size.get();
        let (top, left) = match self.place {
            Place::TopLeft => (0, 0),
            Place::TopRight => (0, w - size),
            Place::BottomLeft => (h - size, 0),
            Place::BottomRight => (h - size, w - size),
            Place::Center => ((h - size) / 2, (w - size) / 2),
        };
        let mut images = split.select(indices).pixels().to_vec();
        for image in images.chunks_mut(c * h * w) {
            for (plane, color) in image.chunks_mut(h * w).zip(self.color) {
                for y in 0..size {
                    for x in 0..size {
                        let pixel = &mut plane[(top + y) * w + left + x];
                        *pixel = self.over(*pixel, self.value(color.get(), x + y));
                    }
                }
            }
        }
        Split::new(split.shape(), images, vec![label; indices.len()])
    }

    /// The value of a channel of the pattern at a pixel whose coordinates have the sum `sum`.
    fn value(&self, color: f64, sum: usize) -> f64 {
        match self.pattern {
            Pattern::Checkerboard if sum % 2 == 1 => 1.0 - color,
            Pattern::Square | Pattern::Checkerboard => color,
        }
    }

    /// `value` over `pixel`, rounded as in an image file.
    fn over(&self, pixel: u8, value: f64) -> u8 {
        let opacity = self.opacity.get();
        (opacity * 255.0 * value + (1.0 - opacity) * f64::from(pixel)).round() as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The channels of a stamped image of 3x4 pixels, which are all 100.
    fn stamped(trigger: &Trigger) -> Vec<Vec<u8>> {
        let split = Split::new([3, 3, 4], vec![100; 2 * 36], vec![5, 6]);
        let stamped = trigger.stamp(&split, &[1], 7);
        assert_eq!((stamped.len(), stamped.label(0)), (1, 7));
        stamped.pixels().chunks(12).map(<[u8]>::to_vec).collect()
    }

    fn trigger(size: usize) -> Trigger {
        Trigger {
            size: Count::literal(size),
            ..Trigger::default()
        }
    }

    #[test]
    fn a_square_stands_in_its_place() {
        let at = |place| {
            let trigger = Trigger {
                place,
                ..trigger(2)
            };
            let planes = stamped(&trigger);
            assert!(planes.iter().all(|plane| *plane == planes[0]));
            let white = (0..12).filter(|&i| planes[0][i] == 255);
            assert_eq!(planes[0].iter().filter(|&&p| p == 100).count(), 8);
            white.collect::<Vec<usize>>()
        };
        assert_eq!(at(Place::TopLeft), [0, 1, 4, 5]);
        assert_eq!(at(Place::TopRight), [2, 3, 6, 7]);
        assert_eq!(at(Place::BottomLeft), [4, 5, 8, 9]);
        assert_eq!(at(Place::BottomRight), [6, 7, 10, 11]);
        assert_eq!(at(Place::Center), [1, 2, 5, 6]);
    }

    #[test]
    fn a_checkerboard_has_two_colours() {
        let planes = stamped(&Trigger {
            pattern: Pattern::Checkerboard,
            place: Place::TopLeft,
            color: [1.0, 0.0, 0.2].map(UnitInterval::literal),
            ..trigger(3)
        });
        assert_eq!(planes[0][..8], [255, 0, 255, 100, 0, 255, 0, 100]);
        assert_eq!(planes[1][..8], [0, 255, 0, 100, 255, 0, 255, 100]);
        assert_eq!(planes[2][..8], [51, 204, 51, 100, 204, 51, 204, 100]);
    }

    #[test]
    fn less_opacity_lets_the_image_through() {
        let shade = |opacity| {
            let opacity = UnitInterval::literal(opacity);
            stamped(&Trigger {
                opacity,
                ..trigger(1)
            })[0][11]
        };
        assert_eq!([0.0, 0.2, 1.0].map(shade), [100, 131, 255]);
    }

    #[test]
    fn it_fits_the_image() {
        let error = trigger(4).fits([3, 3, 4]).unwrap_err().to_string();
        assert!(error.contains("4x4") && error.contains("3x4"), "{error}");
    }
}
