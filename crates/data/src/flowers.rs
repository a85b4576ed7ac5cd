//! Flowers-102's official files: `jpg/image_<number>.jpg`, and two MATLAB files, one with the labels and one with the splits.
//!
//! The official training and validation splits have ten images per class each. Both are training images here, the training
//! split first, because even twenty are few. [`Split::hold_out`] makes a validation set of them.

use std::path::Path;

use crate::files::{self, Item};
use crate::{Codec, Error, Fault, Info, Part, Split, matlab};

/// The folders to search, relative to the data folder. `fetch` unpacks to the first one, as torchvision does.
pub(crate) const FOLDERS: &[&str] = &["flowers-102", "flowers102"];

const IMAGES: &str = "jpg";
const LABELS: &str = "imagelabels.mat";
const SPLITS: &str = "setid.mat";

/// Whether `folder` holds any of the files.
pub(crate) fn present(folder: &Path) -> bool {
    [IMAGES, LABELS, SPLITS]
        .iter()
        .any(|name| folder.join(name).exists())
}

/// Reads both splits; images are in the order of their numbers.
pub(crate) fn read(info: &Info, folder: &Path) -> Result<(Split, Split), Error> {
    let numbers = |file: &str, name| {
        let path = folder.join(file);
        files::whole(&path, files::HEAVIEST)
            .and_then(|bytes| matlab::numbers(&bytes, name))
            .map_err(|fault| info.fault(path, fault))
    };
    let labels = numbers(LABELS, "labels")?;
    let images = folder.join(IMAGES);
    let items = |split| {
        let mut split = numbers(SPLITS, split)?;
        split.sort_unstable();
        let item = |number: i64| {
            // Image numbers and labels start at 1.
            let place = usize::try_from(number.saturating_sub(1)).ok();
            let label = place.and_then(|place| Some((place, labels.get(place)?)));
            let (place, label) =
                label.ok_or(Fault::Matlab("the number of an image that does not exist"))?;
            Ok(Item {
                path: images.join(format!("image_{number:05}.jpg")),
                label: info.label(place, label.saturating_sub(1))?,
                group: None,
            })
        };
        let items: Result<Vec<Item>, Fault> = split.into_iter().map(item).collect();
        items.map_err(|fault| info.fault(folder, fault))
    };
    let train = [items("trnid")?, items("valid")?];
    let train: Vec<Item> = train.into_iter().flatten().collect();
    Ok((
        files::read(info, Codec::Jpeg, &images, &train, Part::Train)?,
        files::read(info, Codec::Jpeg, &images, &items("tstid")?, Part::Test)?,
    ))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Cursor;

    use image::{ImageFormat, RgbImage};
    use tempfile::TempDir;

    use super::*;
    use crate::{Dataset, Id, REGISTRY, locate};

    /// The registry's Flowers-102, reduced to six images.
    static SMALL: Info = Info {
        train: 4,
        test: 2,
        sums: &[],
        ..REGISTRY[Id::Flowers102 as usize]
    };

    const NUMBERS: &[u16] = &[77, 1, 102, 5, 5, 9];
    const SPLIT: [(&str, &[u16]); 3] = [("trnid", &[6, 2]), ("valid", &[3, 1]), ("tstid", &[5, 4])];

    /// A JPEG image of a single grey level: 20 times its number.
    fn jpeg(number: u8) -> Vec<u8> {
        let image = RgbImage::from_pixel(150 + u32::from(number), 90, image::Rgb([number * 20; 3]));
        let mut out = Cursor::new(Vec::new());
        image.write_to(&mut out, ImageFormat::Jpeg).unwrap();
        out.into_inner()
    }

    fn files() -> TempDir {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("flowers-102");
        fs::create_dir_all(folder.join(IMAGES)).unwrap();
        for number in 1..=6 {
            let path = folder.join(IMAGES).join(format!("image_{number:05}.jpg"));
            fs::write(path, jpeg(number)).unwrap();
        }
        fs::write(folder.join(LABELS), matlab::file(&[("labels", NUMBERS)])).unwrap();
        fs::write(folder.join(SPLITS), matlab::file(&SPLIT)).unwrap();
        root
    }

    fn open(root: &TempDir) -> Result<Dataset, Error> {
        locate::read(&SMALL, Some(root.path()))
    }

    #[test]
    fn the_official_files_are_read_by_split_and_number() {
        let set = open(&files()).unwrap();
        let numbers = |split: &Split| -> Vec<u8> {
            let shades = (0..split.len()).map(|index| {
                let image = split.image(index);
                let shade = image[0];
                assert!(image.iter().all(|pixel| pixel.abs_diff(shade) < 2));
                (shade + 10) / 20
            });
            shades.collect()
        };
        assert_eq!(numbers(&set.train), [2, 6, 1, 3]);
        assert_eq!(numbers(&set.test), [4, 5]);
        assert_eq!(set.train.labels(&[0, 1, 2, 3]), [0, 8, 76, 101]);
        assert_eq!(set.test.labels(&[0, 1]), [4, 4]);
        assert_eq!(set.train.group(0), None);
    }

    #[test]
    fn a_fault_in_the_files_is_told_with_its_file() {
        fn labels(folder: &Path, labels: &[u16]) {
            fs::write(folder.join(LABELS), matlab::file(&[("labels", labels)])).unwrap();
        }
        type Damage = (fn(&Path), &'static [&'static str]);
        let cases: &[Damage] = &[
            (
                |f| fs::remove_file(f.join("jpg/image_00003.jpg")).unwrap(),
                &["image_00003.jpg", "missing"],
            ),
            (
                |f| fs::write(f.join("jpg/image_00003.jpg"), &jpeg(3)[..50]).unwrap(),
                &["image_00003.jpg", "image 3 cannot be decoded"],
            ),
            (
                |f| fs::remove_file(f.join(LABELS)).unwrap(),
                &[LABELS, "missing"],
            ),
            (
                |f| fs::write(f.join(SPLITS), b"<html>").unwrap(),
                &[
                    SPLITS,
                    "not readable as a MATLAB file (no little-endian header)",
                ],
            ),
            (
                |f| fs::write(f.join(SPLITS), matlab::file(&SPLIT[..2])).unwrap(),
                &[SPLITS, "no array of the expected name"],
            ),
            (
                |f| labels(f, &[77, 1, 103, 5, 5, 9]),
                &["image 2 has label 102; labels must be from 0 to 101"],
            ),
            (
                |f| labels(f, &[77, 1, 0, 5, 5, 9]),
                &["image 2 has label -1"],
            ),
            (
                |f| labels(f, &[77, 1, 3]),
                &["the number of an image that does not exist"],
            ),
            (
                |f| {
                    let split = [("trnid", [6].as_slice()), SPLIT[1], SPLIT[2]];
                    fs::write(f.join(SPLITS), matlab::file(&split)).unwrap();
                },
                &["jpg: 3 images instead of 4"],
            ),
        ];
        for (damage, named) in cases {
            let root = files();
            damage(&root.path().join("flowers-102"));
            let message = open(&root).unwrap_err().to_string();
            for part in named.iter().chain([&"runner data fetch flowers102"]) {
                assert!(message.contains(part), "{part} is not in: {message}");
            }
        }
    }
}
