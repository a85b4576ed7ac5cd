//! GTSRB's official tree. Training images are `Final_Training/Images/<class>/<track>_<frame>.ppm`, with a table `GT-<class>.csv`
//! in the folder of every class. Test images are `Final_Test/Images/<number>.ppm`; their table `GT-final_test.csv` is a separate
//! download.
//!
//! The frames of a track are 30 photographs of one sign, taken from an approaching car. They are nearly the same image, so a
//! validation set that shares tracks with the training set measures nothing. Therefore each track is a group.

use std::path::{Component, Path, PathBuf};

use crate::files::{self, Item};
use crate::{Codec, Error, Fault, Info, Part, Split};

/// The folders to search, relative to the data folder: first the one `fetch` unpacks to, then torchvision's.
pub(crate) const FOLDERS: &[&str] = &["GTSRB", "gtsrb/GTSRB", "gtsrb"];

const TRAIN: &str = "Final_Training/Images";
const TEST: &str = "Final_Test/Images";
const TEST_TABLE: &str = "GT-final_test.csv";

/// The columns of a table that are used.
const NAME: &str = "Filename";
const LABEL: &str = "ClassId";

/// Whether `folder` holds any part of the tree.
pub(crate) fn present(folder: &Path) -> bool {
    [TRAIN, TEST].iter().any(|part| folder.join(part).is_dir())
}

/// Reads both splits. Training images are sorted by class, track and frame, test images by number.
pub(crate) fn read(info: &Info, folder: &Path) -> Result<(Split, Split), Error> {
    let images = folder.join(TRAIN);
    let mut train = Vec::with_capacity(info.train);
    for class in 0..info.classes {
        let images = images.join(format!("{class:05}"));
        let table = images.join(format!("GT-{class:05}.csv"));
        train.extend(listed(info, &table, &images, info.tracks)?);
    }
    let train = files::read(info, Codec::Ppm, &images, &train, Part::Train)?;

    let images = folder.join(TEST);
    let test = listed(info, &test_table(folder), &images, false)?;
    let test = files::read(info, Codec::Ppm, &images, &test, Part::Test)?;
    Ok((train, test))
}

/// The table of the test images, in any of the places where people unpack it.
fn test_table(folder: &Path) -> PathBuf {
    let official = folder.join(TEST_TABLE);
    let beside = folder.with_file_name(TEST_TABLE);
    let within = ["Final_Test", TEST].map(|part| folder.join(part).join(TEST_TABLE));
    let [outer, inner] = within;
    [&official, &beside, &outer, &inner]
        .into_iter()
        .find(|table| table.is_file())
        .unwrap_or(&official)
        .clone()
}

/// The images in the folder `images` that `table` lists, sorted by name.
fn listed(info: &Info, table: &Path, images: &Path, tracks: bool) -> Result<Vec<Item>, Error> {
    let rows = files::whole(table, files::HEAVIEST).and_then(|text| {
        let text = str::from_utf8(&text).map_err(|_| Fault::Text)?;
        rows(info, text)
    });
    let mut rows = rows.map_err(|fault| info.fault(table, fault))?;
    rows.sort();
    let item = |(name, label): (String, u16)| {
        let group = tracks.then(|| group(&name, label)).transpose()?;
        let path = images.join(name);
        Ok(Item { path, label, group })
    };
    let items: Result<_, Fault> = rows.into_iter().map(item).collect();
    items.map_err(|fault| info.fault(table, fault))
}

/// The file names and labels in a table. Its first line names the columns; semicolons separate them.
pub(crate) fn rows(info: &Info, text: &str) -> Result<Vec<(String, u16)>, Fault> {
    let cells = |line: &str| line.split(';').map(str::trim).map(str::to_owned).collect();
    let mut lines = (1..).zip(text.lines().map(cells));
    let (_, titles): (usize, Vec<String>) = lines.next().unwrap_or_default();
    let missing = |line, missing| Fault::Line { line, missing };
    let column = |title| {
        let column = titles.iter().position(|found| found == title);
        column.ok_or(missing(1, title))
    };
    let (name_at, label_at) = (column(NAME)?, column(LABEL)?);
    let row = |(line, cells): (usize, Vec<String>)| {
        let name = cells.get(name_at).ok_or(missing(line, NAME))?;
        let mut parts = Path::new(name).components();
        if !matches!(
            (parts.next(), parts.next()),
            (Some(Component::Normal(_)), None)
        ) {
            let name = name.clone();
            return Err(Fault::Name { line, name });
        }
        let label = cells.get(label_at).and_then(|label| label.parse().ok());
        let label = info.label(line - 2, label.ok_or(missing(line, LABEL))?)?;
        Ok((name.clone(), label))
    };
    lines.map(row).collect()
}

/// The group of a training image: the class times 65,536, plus the track. The track comes from the file name, which ends in
/// `<track>_<frame>`.
pub(crate) fn group(name: &str, label: u16) -> Result<u32, Fault> {
    let track = name
        .rsplit('_')
        .nth(1)
        .and_then(|track| track.rsplit('/').next()?.parse::<u16>().ok());
    let track = track.ok_or_else(|| Fault::Track { name: name.into() })?;
    Ok(u32::from(label) << 16 | u32::from(track))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;
    use crate::{Dataset, Id, Presence, REGISTRY, find, locate, resize};

    /// The registry's GTSRB, reduced to two classes, six training images and three test images.
    static SMALL: Info = Info {
        classes: 2,
        train: 6,
        test: 3,
        sums: &[],
        ..REGISTRY[Id::Gtsrb as usize]
    };

    /// Training images: class, name, height and width.
    const TRAIN_IMAGES: [(u16, &str, [usize; 2]); 6] = [
        (0, "00000_00000.ppm", [25, 26]),
        (0, "00000_00001.ppm", [40, 40]),
        (0, "00001_00000.ppm", [90, 30]),
        (1, "00000_00000.ppm", [53, 61]),
        (1, "00000_00001.ppm", [54, 61]),
        (1, "00000_00002.ppm", [30, 90]),
    ];

    /// One channel of an image. The pixels depend only on its size.
    fn plane([height, width]: [usize; 2], channel: usize) -> Vec<u8> {
        (0..height * width)
            .map(|place| (place * (7 + channel) + height) as u8)
            .collect()
    }

    fn ppm(size: [usize; 2]) -> Vec<u8> {
        let planes = [0, 1, 2].map(|channel| plane(size, channel));
        let pixels = (0..size[0] * size[1]).flat_map(|i| planes.each_ref().map(|plane| plane[i]));
        let head = format!("P6\n{} {}\n255\n", size[1], size[0]);
        head.into_bytes().into_iter().chain(pixels).collect()
    }

    fn write(path: PathBuf, contents: impl AsRef<[u8]>) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, contents).unwrap();
    }

    /// Writes the tree, with the tables in reverse order.
    fn tree() -> TempDir {
        let root = tempfile::tempdir().unwrap();
        let images = root.path().join("GTSRB").join(TRAIN);
        for class in 0..2 {
            let folder = images.join(format!("{class:05}"));
            let mut table =
                "Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId\r\n".to_owned();
            for (_, name, size) in TRAIN_IMAGES.iter().rev().filter(|image| image.0 == class) {
                let [height, width] = size;
                table += &format!("{name};{width};{height};5;5;20;20;{class}\r\n");
                write(folder.join(name), ppm(*size));
            }
            write(folder.join(format!("GT-{class:05}.csv")), table);
        }
        let images = root.path().join("GTSRB").join(TEST);
        for number in 0..3 {
            write(
                images.join(format!("{number:05}.ppm")),
                ppm([30 + number, 41]),
            );
        }
        let table = "Filename;ClassId\n00000.ppm;1\n00001.ppm;0\n00002.ppm;1\n";
        write(root.path().join("GTSRB").join(TEST_TABLE), table);
        root
    }

    fn open(root: &TempDir) -> Result<Dataset, Error> {
        locate::read(&SMALL, Some(root.path()))
    }

    fn resized(size: [usize; 2]) -> Vec<u8> {
        let planes = [0, 1, 2].map(|channel| plane(size, channel));
        planes
            .map(|plane| resize::bilinear(&plane, size, [40, 40]))
            .concat()
    }

    #[test]
    fn the_official_tree_is_read_by_class_track_and_frame() {
        let root = tree();
        let set = open(&root).unwrap();
        assert_eq!((set.train.len(), set.test.len()), (6, 3));
        let track = |index| set.train.group(index).unwrap();
        for (index, (class, _, size)) in TRAIN_IMAGES.iter().enumerate() {
            assert_eq!(set.train.image(index), resized(*size), "{index}");
            assert_eq!(set.train.label(index), u32::from(*class));
        }
        assert_eq!(
            [track(0), track(3), track(4)],
            [track(1), track(4), track(5)]
        );
        assert_ne!(track(1), track(2), "another track");
        assert_ne!(
            track(0),
            track(3),
            "a track of the same number, but of another class"
        );
        for index in 0..3 {
            assert_eq!(set.test.image(index), resized([30 + index, 41]));
            assert_eq!(set.test.group(index), None);
        }
        assert_eq!(set.test.labels(&[0, 1, 2]), [1, 0, 1]);
        // The set is also found with the table in other places, and in torchvision's folder.
        let official = root.path().join("GTSRB").join(TEST_TABLE);
        for place in [
            "GT-final_test.csv",
            "GTSRB/Final_Test/Images/GT-final_test.csv",
        ] {
            let other = root.path().join(place);
            fs::rename(&official, &other).unwrap();
            assert_eq!(open(&root).unwrap().test, set.test, "{place}");
            fs::rename(&other, &official).unwrap();
        }
        let lower = root.path().join("gtsrb");
        fs::create_dir(&lower).unwrap();
        fs::rename(root.path().join("GTSRB"), lower.join("GTSRB")).unwrap();
        assert_eq!(open(&root).unwrap().train, set.train);
        let Presence::Found { folder, .. } = find(Id::Gtsrb, Some(root.path())) else {
            panic!("not found");
        };
        assert_eq!(folder, lower.join("GTSRB"));
    }

    #[test]
    fn a_fault_in_the_tree_is_told_with_its_file() {
        /// The file to replace, the new contents (`None` deletes it), and the expected parts of the message.
        type Damage = (&'static str, Option<&'static str>, &'static [&'static str]);
        const IMAGE: &str = "Final_Training/Images/00001/00000_00001.ppm";
        const TABLE: &str = "Final_Training/Images/00001/GT-00001.csv";
        let cases: &[Damage] = &[
            (IMAGE, None, &["00000_00001.ppm", "missing"]),
            (
                IMAGE,
                Some("P6\n2 2\n255\n"),
                &["00000_00001.ppm", "image 4 cannot be decoded"],
            ),
            (
                IMAGE,
                Some("GIF89a"),
                &["00000_00001.ppm", "image 4 is not PPM-encoded"],
            ),
            (TABLE, None, &["GT-00001.csv", "missing"]),
            (TABLE, Some(""), &["GT-00001.csv", "line 1 has no Filename"]),
            (
                TABLE,
                Some("Filename;Class\n"),
                &["GT-00001.csv", "line 1 has no ClassId"],
            ),
            (
                TABLE,
                Some("Filename;ClassId\na_b.ppm"),
                &["GT-00001.csv", "line 2 has no ClassId"],
            ),
            (
                TABLE,
                Some("Filename;ClassId\n00000_00000.ppm;2\n"),
                &[
                    "GT-00001.csv",
                    "image 0 has label 2; labels must be from 0 to 1",
                ],
            ),
            (
                TABLE,
                Some("Filename;ClassId\n00000.ppm;1\n"),
                &["GT-00001.csv", "the name 00000.ppm is not of the form"],
            ),
            (
                TABLE,
                Some("Filename;ClassId\n"),
                &["Images: 3 images instead of 6"],
            ),
            ("GT-final_test.csv", None, &["GT-final_test.csv", "missing"]),
        ];
        for (file, contents, named) in cases {
            let root = tree();
            let path = root.path().join("GTSRB").join(file);
            match contents {
                Some(contents) => fs::write(path, contents).unwrap(),
                None => fs::remove_file(path).unwrap(),
            }
            let message = open(&root).unwrap_err().to_string();
            for part in named.iter().chain([&"runner data fetch gtsrb"]) {
                assert!(message.contains(part), "{part} is not in: {message}");
            }
        }
    }
}
