//! The embedded subset of Fashion-MNIST. With it the first run needs no download.
//!
//! `scripts/embed_fashion_mnist.py` made it: a sheet of grey 28x28 tiles, 100 per row, and the labels as digits, 100 per line.

use image::ImageFormat;

use crate::{Error, Fault, Info, Split};

const SHEET: &[u8] = include_bytes!("../embedded/fashion-mnist.png");
const LABELS: &str = include_str!("../embedded/fashion-mnist.txt");

const TILE: usize = 28;
const ACROSS: usize = 100;

/// Both splits.
///
/// # Errors
/// If the sheet cannot be decoded, for instance because the program was built from a damaged checkout.
pub(crate) fn read(info: &Info) -> Result<(Split, Split), Error> {
    let sheet = image::load_from_memory_with_format(SHEET, ImageFormat::Png)
        .map_err(|reason| {
            info.fault(
                "embedded/fashion-mnist.png",
                Fault::Decode { index: 0, reason },
            )
        })?
        .into_luma8()
        .into_raw();
    let labels: Vec<u16> = LABELS
        .bytes()
        .filter(u8::is_ascii_digit)
        .map(|digit| u16::from(digit - b'0'))
        .collect();

    let [channels, height, width] = info.shape;
    let (top, left) = ((height - TILE) / 2, (width - TILE) / 2);
    let mut pixels = vec![0; labels.len() * channels * height * width];
    for (index, image) in pixels.chunks_mut(channels * height * width).enumerate() {
        let corner = (index / ACROSS * TILE * ACROSS + index % ACROSS) * TILE;
        for plane in image.chunks_mut(height * width) {
            for y in 0..TILE {
                let row = &sheet[corner + y * TILE * ACROSS..][..TILE];
                plane[(top + y) * width + left..][..TILE].copy_from_slice(row);
            }
        }
    }
    let all = Split::new(info.shape, pixels, labels);
    let test: Vec<usize> = (info.train..all.len()).collect();
    Ok((all.take(info.train), all.select(&test)))
}

#[cfg(test)]
mod tests {
    use crate::checksum::sha256;
    use crate::{Id, open};

    /// The checksums that `scripts/embed_fashion_mnist.py` printed when it made the subset.
    const IMAGES: &str = "67ac0de77cb2a9b5a6a638c2663b7e4f6cb555664a0cfd1063d3cb7b5eb6177f";
    const LABELS: &str = "c1a8ff2bfcc85271e90777fcd21aa3133fd3a06e0debacba3367650522680dcf";

    #[test]
    fn the_tiles_are_the_official_images_padded_and_grey() {
        let set = open(Id::FashionMnist, None).unwrap();
        let (mut images, mut labels) = (Vec::new(), Vec::new());
        for split in [&set.train, &set.test] {
            for index in 0..split.len() {
                let (image, label) = (split.image(index), split.label(index));
                let (red, rest) = image.split_at(32 * 32);
                assert_eq!(red, &rest[..32 * 32]);
                assert_eq!(red, &rest[32 * 32..]);
                for (y, row) in red.chunks(32).enumerate() {
                    let inside = if (2..30).contains(&y) {
                        &row[2..30]
                    } else {
                        &[]
                    };
                    let total: u32 = row.iter().map(|&pixel| u32::from(pixel)).sum();
                    assert_eq!(
                        total,
                        inside.iter().map(|&pixel| u32::from(pixel)).sum::<u32>(),
                        "padding is zero"
                    );
                    images.extend(inside);
                }
                labels.push(u8::try_from(label).unwrap());
            }
        }
        assert_eq!(sha256(&images), IMAGES);
        assert_eq!(sha256(&labels), LABELS);
    }

    #[test]
    fn the_classes_are_balanced() {
        let set = open(Id::FashionMnist, None).unwrap();
        for (split, each) in [(&set.train, 1000), (&set.test, 200)] {
            let mut counts = [0; 10];
            for index in 0..split.len() {
                counts[split.label(index) as usize] += 1;
            }
            assert_eq!(counts, [each; 10]);
        }
    }
}
