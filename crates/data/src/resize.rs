//! Resizes images exactly as Pillow 13's `Image.resize` with `BILINEAR` does. Most copies of GTSRB and Flowers-102 for training
//! were resized by Pillow. Its integer arithmetic gives the same pixels on every machine.
//!
//! A new pixel is a weighted mean of the old pixels around it. The weights form a triangle that reaches one old pixel to either
//! side if the image grows, and one new pixel if it shrinks (antialiasing). The two directions are resized one after the other,
//! each rounded to a byte, with weights in multiples of 2^-22.

/// Fractional bits of a weight: 32 bits less a byte and two spare bits.
const PRECISION: u32 = 32 - 8 - 2;

/// Resizes one channel `(h, w)` from size `from` to size `to`.
pub(crate) fn bilinear(plane: &[u8], from: [usize; 2], to: [usize; 2]) -> Vec<u8> {
    let [rows, columns] = [0, 1].map(|side| taps(from[side], to[side]));
    // The cheaper direction first, as Pillow 13 does; older versions always resized the columns first. The order can change a
    // pixel by one level.
    let [shorter, narrower] = [0, 1].map(|side| from[side] as i64 - to[side] as i64);
    if shorter > 0 && shorter > 2 * narrower {
        across(&down(plane, from[1], &rows), from[1], &columns)
    } else {
        down(&across(plane, from[1], &columns), to[1], &rows)
    }
}

/// Resizes the rows of `plane` from `width` pixels to one pixel per tap.
fn across(plane: &[u8], width: usize, taps: &[Tap]) -> Vec<u8> {
    let pixel = |row: &[u8], tap: &Tap| {
        let pairs = row[tap.first..].iter().zip(&tap.weights);
        rounded(
            pairs
                .map(|(&pixel, weight)| i32::from(pixel) * weight)
                .sum(),
        )
    };
    let rows = plane.chunks_exact(width);
    rows.flat_map(|row| taps.iter().map(move |tap| pixel(row, tap)))
        .collect()
}

/// Resizes the columns of `plane`, whose rows have `width` pixels, to one row per tap.
fn down(plane: &[u8], width: usize, taps: &[Tap]) -> Vec<u8> {
    let mut out = Vec::with_capacity(taps.len() * width);
    let mut sums = vec![0; width];
    for tap in taps {
        sums.fill(0);
        let rows = plane.chunks_exact(width).skip(tap.first);
        for (row, weight) in rows.zip(&tap.weights) {
            for (sum, &pixel) in sums.iter_mut().zip(row) {
                *sum += i32::from(pixel) * weight;
            }
        }
        out.extend(sums.iter().map(|&sum| rounded(sum)));
    }
    out
}

/// The weights of a new pixel, times 2^22: one for each old pixel from `first` on.
struct Tap {
    first: usize,
    weights: Vec<i32>,
}

/// The taps of the new pixels along a side that is resized from `from` to `to` pixels.
fn taps(from: usize, to: usize) -> Vec<Tap> {
    let scale = from as f64 / to as f64;
    let reach = scale.max(1.0);
    let tap = |place: usize| {
        let centre = (place as f64 + 0.5) * scale;
        // `as usize` turns negative numbers into 0.
        let first = (centre - reach + 0.5) as usize;
        let end = ((centre + reach + 0.5) as usize).min(from);
        // As Pillow does: dividing by `reach` below would round differently.
        let narrow = 1.0 / reach;
        let heights: Vec<f64> = (first..end)
            .map(|old| (1.0 - ((old as f64 - centre + 0.5) * narrow).abs()).max(0.0))
            .collect();
        let total: f64 = heights.iter().sum();
        let weights = heights
            .iter()
            .map(|height| (0.5 + height / total * f64::from(1 << PRECISION)) as i32)
            .collect();
        Tap { first, weights }
    };
    (0..to).map(tap).collect()
}

/// The byte nearest to a sum of weighted pixels.
fn rounded(sum: i32) -> u8 {
    let nearest = (sum + (1 << (PRECISION - 1))) >> PRECISION;
    nearest.min(255) as u8
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::bilinear;

    /// One image and Pillow's result.
    #[derive(Deserialize)]
    struct Case {
        from: [usize; 2],
        to: [usize; 2],
        pixels: Vec<u8>,
    }

    #[derive(Deserialize)]
    struct Golden {
        cases: Vec<Case>,
    }

    /// The pixels of `scripts/golden/resize.py`: noise, then a checkerboard of black and white.
    fn image([height, width]: [usize; 2], checked: bool) -> Vec<u8> {
        let pixel = |place: usize| match checked {
            true if (place / width + place % width).is_multiple_of(2) => 255,
            true => 0,
            false => ((place as u32).wrapping_mul(2_654_435_761) >> 24) as u8,
        };
        (0..height * width).map(pixel).collect()
    }

    #[test]
    fn pixels_are_those_of_pillow() {
        let golden: Golden =
            serde_json::from_str(include_str!("../tests/golden/resize.json")).unwrap();
        assert!(golden.cases.len() > 10);
        for (index, case) in golden.cases.iter().enumerate() {
            let image = image(case.from, index % 2 == 1);
            let resized = bilinear(&image, case.from, case.to);
            assert_eq!(resized, case.pixels, "{:?} to {:?}", case.from, case.to);
        }
    }

    proptest! {
        #[test]
        fn one_colour_stays_that_colour(
            from in [1_usize..70, 1..70],
            to in [1_usize..70, 1..70],
            colour: u8,
        ) {
            let resized = bilinear(&vec![colour; from[0] * from[1]], from, to);
            prop_assert_eq!(resized, vec![colour; to[0] * to[1]]);
        }

        #[test]
        fn the_same_size_is_the_same_image(
            (size, image) in [1_usize..20, 1..20].prop_flat_map(|[h, w]| {
                (Just([h, w]), prop::collection::vec(any::<u8>(), h * w))
            }),
        ) {
            prop_assert_eq!(bilinear(&image, size, size), image);
        }

        #[test]
        fn no_pixel_leaves_the_range_of_the_old_ones(
            (from, image) in [1_usize..20, 1..20].prop_flat_map(|[h, w]| {
                (Just([h, w]), prop::collection::vec(any::<u8>(), h * w))
            }),
            to in [1_usize..40, 1..40],
        ) {
            let resized = bilinear(&image, from, to);
            let (least, most) = (image.iter().min().unwrap(), image.iter().max().unwrap());
            prop_assert_eq!(resized.len(), to[0] * to[1]);
            prop_assert!(resized.iter().all(|pixel| (least..=most).contains(&pixel)));
        }
    }
}
