//! Images of one's own: what is read, and how everything else is refused.

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

use brink_config::checked::{Edge, Minority};
use brink_data::{Own, OwnSet, Place, open_own};
use flate2::{Compression, write::GzEncoder};
use image::{DynamicImage, GrayImage, ImageFormat, Luma, Rgb, RgbImage};
use tempfile::TempDir;
use zip::write::{SimpleFileOptions, ZipWriter};

/// A photograph of `width` and `height` pixels. It differs between numbers.
fn photograph(number: u32, width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        Rgb([0, 1, 2].map(|c| (x * (3 + c) + y * (2 + c) + number * 5) as u8))
    })
}

fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    image.into().write_to(&mut out, format).unwrap();
    out.into_inner()
}

fn png(number: u32) -> Vec<u8> {
    encoded(photograph(number, 12, 10), ImageFormat::Png)
}

fn write(root: &Path, name: &str, bytes: &[u8]) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// A folder with ten photographs of each of two classes.
fn photographs() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for number in 0..20 {
        let class = ["cats", "dogs"][number as usize % 2];
        write(
            root.path(),
            &format!("set/{class}/{number:02}.png"),
            &png(number),
        );
    }
    root
}

fn own(place: Place) -> Own {
    Own {
        place,
        size: None,
        test: None,
    }
}

fn folder() -> Own {
    own(Place::Folder("set".into()))
}

fn read(own: &Own, root: &TempDir) -> OwnSet {
    open_own(own, Some(root.path())).unwrap_or_else(|error| panic!("{error}"))
}

/// The message about a set that must be refused, after the path of the root.
fn refused(own: &Own, root: &TempDir) -> String {
    let message = open_own(own, Some(root.path())).unwrap_err().to_string();
    let path = format!("{}/", root.path().display());
    message
        .strip_prefix(&path)
        .unwrap_or_else(|| panic!("{message}"))
        .to_owned()
}

/// The planes of a photograph.
fn planes(image: &RgbImage) -> Vec<u8> {
    let channels = (0..3).map(|c| image.as_raw().iter().skip(c).step_by(3).copied());
    channels.flatten().collect()
}

#[test]
fn a_folder_gives_its_pixels_its_classes_and_a_fifth_of_each_to_test_with() {
    let root = photographs();
    write(root.path(), "set/cats/.DS_Store", b"left by a system");
    let set = read(&folder(), &root).dataset;
    assert_eq!((set.facts.classes, set.facts.shape), (2, [3, 10, 12]));
    assert_eq!((set.train.len(), set.test.len()), (16, 4));
    assert_eq!(set.facts.title, "set");
    let mut seen = Vec::new();
    for split in [&set.train, &set.test] {
        for index in 0..split.len() {
            let number =
                (0..20).find(|number| planes(&photograph(*number, 12, 10)) == split.image(index));
            let number = number.expect("the pixels of one photograph");
            assert_eq!(split.label(index), number % 2);
            seen.push(number);
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..20).collect::<Vec<_>>());
    let in_test: Vec<u32> = set.test.labels(&[0, 1, 2, 3]);
    assert_eq!(in_test.iter().sum::<u32>(), 2, "two of each class");

    let half = Own {
        test: Some(Minority::literal(0.5)),
        ..folder()
    };
    assert_eq!(read(&half, &root).dataset.test.len(), 10);
}

#[test]
fn folders_train_and_test_are_the_parts() {
    let root = photographs();
    for number in 0..4 {
        let class = ["cats", "dogs"][number as usize % 2];
        write(
            root.path(),
            &format!("parts/test/{class}/{number}.png"),
            &png(number),
        );
    }
    fs::rename(root.path().join("set"), root.path().join("parts/train")).unwrap();
    let parts = own(Place::Folder("parts".into()));
    let set = read(&parts, &root).dataset;
    assert_eq!((set.train.len(), set.test.len()), (20, 4));
    assert_eq!(set.test.image(0), planes(&photograph(0, 12, 10)));
    assert_eq!(set.test.labels(&[0, 1, 2, 3]), [0, 0, 1, 1]);

    let share = Own {
        test: Some(Minority::literal(0.5)),
        ..parts.clone()
    };
    assert!(refused(&share, &root).contains("Delete `test`"));
    fs::rename(
        root.path().join("parts/test/dogs"),
        root.path().join("parts/test/cows"),
    )
    .unwrap();
    let message = refused(&parts, &root);
    assert!(
        message.starts_with("parts/test/dogs: missing. `train` and `test` must"),
        "{message}"
    );
    fs::remove_dir_all(root.path().join("parts/test")).unwrap();
    let message = refused(&parts, &root);
    assert!(message.starts_with("parts/test: missing."), "{message}");
}

/// The checksum is part of the ids of steps.
#[test]
fn the_checksum_is_that_of_names_and_bytes_wherever_they_lie() {
    let (one, other) = (photographs(), photographs());
    fs::rename(other.path().join("set"), other.path().join("moved")).unwrap();
    let moved = own(Place::Folder("moved".into()));
    let sum = read(&folder(), &one).sha256;
    assert_eq!(sum, read(&moved, &other).sha256);
    fs::rename(
        one.path().join("set/cats/00.png"),
        one.path().join("set/cats/99.png"),
    )
    .unwrap();
    assert_ne!(sum, read(&folder(), &one).sha256, "another name");
    write(other.path(), "moved/cats/00.png", &png(77));
    assert_ne!(sum, read(&moved, &other).sha256, "other bytes");
}

#[test]
fn sizes_that_differ_are_resized_only_if_the_grid_says_so() {
    let root = photographs();
    let wide = encoded(photograph(3, 24, 10), ImageFormat::Png);
    write(root.path(), "set/dogs/03.png", &wide);
    let message = refused(&folder(), &root);
    assert_eq!(
        message,
        "set/dogs/03.png: image 11 is 24 pixels wide and 10 high instead of 12 and 10. \
         Write e.g. `size: 64` in the grid's `dataset`, to resize all images."
    );
    let sized = Own {
        size: Some(Edge::literal(16)),
        ..folder()
    };
    assert_eq!(read(&sized, &root).dataset.facts.shape, [3, 16, 16]);
}

/// A PNG image of `bits` bits a pixel, written by hand: `image` writes 8 and 16 bits only.
fn packed_png(bits: u8, colours: u8, palette: &[u8], rows: &[&[u8]], width: u32) -> Vec<u8> {
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |name: &[u8], body: &[u8]| {
        let content = [name, body].concat();
        let mut sum = flate2::Crc::new();
        sum.update(&content);
        out.extend((body.len() as u32).to_be_bytes());
        out.extend(content);
        out.extend(sum.sum().to_be_bytes());
    };
    let mut head = [width.to_be_bytes(), (rows.len() as u32).to_be_bytes()].concat();
    head.extend([bits, colours, 0, 0, 0]);
    chunk(b"IHDR", &head);
    if !palette.is_empty() {
        chunk(b"PLTE", palette);
    }
    let lines: Vec<u8> = rows.iter().flat_map(|row| [&[0], *row].concat()).collect();
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), Compression::default());
    packed.write_all(&lines).unwrap();
    chunk(b"IDAT", &packed.finish().unwrap());
    chunk(b"IEND", &[]);
    out
}

/// The pixels of `image`, read as the only image of its class.
fn alone(image: &[u8]) -> Result<Vec<u8>, String> {
    let root = tempfile::tempdir().unwrap();
    for (part, class) in [("train", "a"), ("train", "b"), ("test", "a"), ("test", "b")] {
        write(root.path(), &format!("set/{part}/{class}/image"), image);
    }
    match open_own(&folder(), Some(root.path())) {
        Ok(set) => Ok(set.dataset.train.image(0).to_vec()),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn few_bits_and_palettes_have_their_exact_colours() {
    // 8 x 1 pixels: 1, 0, 1, 1, 0, 0, 0, 1.
    let one = alone(&packed_png(1, 0, &[], &[&[0b1011_0001]], 8)).unwrap();
    assert_eq!(one[..8], [255, 0, 255, 255, 0, 0, 0, 255]);
    let two = alone(&packed_png(2, 0, &[], &[&[0b0001_1011]], 4)).unwrap();
    assert_eq!(two[..4], [0, 85, 170, 255]);
    let four = alone(&packed_png(4, 0, &[], &[&[0x0f, 0x37]], 4)).unwrap();
    assert_eq!(four[..4], [0, 255, 51, 119]);
    assert_eq!(four[..4], four[8..], "grey is repeated");
    let palette = [10, 20, 30, 200, 210, 220];
    let colours = alone(&packed_png(1, 3, &palette, &[&[0b0100_0000]], 2)).unwrap();
    assert_eq!(colours, [10, 200, 20, 210, 30, 220]);
}

#[test]
fn deep_clear_and_foreign_colours_are_refused_by_name() {
    let deep = DynamicImage::ImageLuma16(image::ImageBuffer::from_fn(8, 8, |x, _| {
        Luma([x as u16 * 900])
    }));
    let clear = DynamicImage::ImageRgb8(photograph(1, 8, 8)).into_rgba8();
    let jpeg = encoded(photograph(1, 16, 16), ImageFormat::Jpeg);
    let adobe = [&[0xff, 0xee, 0, 14][..], b"Adobe", &[0, 100, 0, 0, 0, 0, 0]].concat();
    let rgb = [&jpeg[..2], &adobe, &jpeg[2..]].concat();
    let mut named = jpeg.clone();
    let frame = jpeg
        .windows(2)
        .position(|pair| pair == [0xff, 0xc0])
        .unwrap();
    for (at, name) in [(10, b'R'), (13, b'G'), (16, b'B')] {
        named[frame + at] = name;
    }
    for (image, said) in [
        (
            encoded(deep, ImageFormat::Png),
            "has more than 8 bits a channel",
        ),
        (encoded(clear, ImageFormat::Png), "has transparency"),
        (rgb, "stores RGB instead of YCbCr"),
        (named, "stores RGB instead of YCbCr"),
        (b"GIF89a".to_vec(), "is neither PNG nor JPEG"),
        (packed_png(8, 0, &[], &[], 20_000), "20000 pixels wide"),
        (jpeg[..jpeg.len() - 2].to_vec(), "it is cut short"),
    ] {
        let message = alone(&image).unwrap_err();
        assert!(message.contains(said), "{message}");
        assert!(message.contains("/train/a/image: image 0 "), "{message}");
    }
}

/// The segment of a JPEG image with EXIF's orientation.
fn exif(orientation: u8) -> Vec<u8> {
    let tiff = [
        &b"II*\0\x08\0\0\0\x01\0"[..],
        &[0x12, 0x01, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0],
        &[0; 4],
    ]
    .concat();
    let body = [&b"Exif\0\0"[..], &tiff].concat();
    let length = u16::try_from(body.len() + 2).unwrap().to_be_bytes();
    [&[0xff, 0xe1][..], &length, &body].concat()
}

#[test]
fn photographs_are_turned_upright() {
    let jpeg = encoded(photograph(1, 24, 16), ImageFormat::Jpeg);
    let lying = image::load_from_memory(&jpeg).unwrap();
    for (orientation, upright) in [
        (1, lying.clone()),
        (2, lying.fliph()),
        (3, lying.rotate180()),
        (6, lying.rotate90()),
        (8, lying.rotate270()),
    ] {
        let turned = [&jpeg[..2], &exif(orientation), &jpeg[2..]].concat();
        assert_eq!(
            alone(&turned).unwrap(),
            planes(&upright.into_rgb8()),
            "{orientation}"
        );
    }
}

#[test]
fn a_set_that_shows_nothing_or_has_no_classes_is_refused() {
    type Damage = (fn(&Path), &'static str);
    let cases: &[Damage] = &[
        (
            |at| fs::remove_dir_all(at.join("dogs")).unwrap(),
            "set: it has 1 classes of images. ",
        ),
        (
            |at| {
                fs::remove_dir_all(at).unwrap();
                fs::create_dir(at).unwrap();
            },
            "set: it has 0 classes of images. Make a folder for each",
        ),
        (
            |at| fs::create_dir(at.join("cows")).unwrap(),
            "set/cows: it has no images. ",
        ),
        (
            |at| fs::write(at.join("a.png"), png(1)).unwrap(),
            "set/a.png: it is not the folder of a class. ",
        ),
        (
            |at| fs::create_dir(at.join("cats/old")).unwrap(),
            "set/cats/old: it is a folder within",
        ),
        (
            |at| fs::write(at.join("dogs/notes.txt"), "x").unwrap(),
            "set/dogs/notes.txt: image 20 is neither PNG nor JPEG. ",
        ),
        (
            |at| fs::write(at.join("dogs/20.png"), "").unwrap(),
            "set/dogs/20.png: image 20 is neither",
        ),
        (
            |at| {
                for number in 2..20 {
                    let class = ["cats", "dogs"][number % 2];
                    fs::remove_file(at.join(format!("{class}/{number:02}.png"))).unwrap();
                }
            },
            "set: class 0 has too few images to make test images",
        ),
        (
            |at| {
                let grey = encoded(GrayImage::from_pixel(12, 10, Luma([7])), ImageFormat::Png);
                for number in 0..20 {
                    let class = ["cats", "dogs"][number % 2];
                    fs::write(at.join(format!("{class}/{number:02}.png")), &grey).unwrap();
                }
            },
            "set: each of its 20 images has a single colour. ",
        ),
    ];
    for (damage, said) in cases {
        let root = photographs();
        damage(&root.path().join("set"));
        let message = refused(&folder(), &root);
        assert!(message.starts_with(said), "{message}");
    }
    let root = photographs();
    let absent = own(Place::Folder("sett".into()));
    let message = refused(&absent, &root);
    assert!(
        message.starts_with("sett: missing. Check the path. A relative path"),
        "{message}"
    );
}

/// An array in NumPy's format.
fn npy(kind: &str, shape: &[usize], bytes: &[u8]) -> Vec<u8> {
    let shape: String = shape.iter().map(|side| format!("{side}, ")).collect();
    let head = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({shape}), }}\n");
    let length = u16::try_from(head.len()).unwrap().to_le_bytes();
    [&b"\x93NUMPY\x01\0"[..], &length, head.as_bytes(), bytes].concat()
}

fn npz(arrays: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, array) in arrays {
        writer
            .start_file(format!("{name}.npy"), SimpleFileOptions::default())
            .unwrap();
        writer.write_all(array).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// The images of the arrays' tests: 12 of 8 x 9 pixels, labels 0, 1, 2 in turn.
const SHAPE: [usize; 3] = [12, 8, 9];

fn pixels(channels: usize) -> Vec<u8> {
    (0..12 * 8 * 9 * channels)
        .map(|at| (at * 7 % 251) as u8)
        .collect()
}

fn labels(bytes: usize) -> Vec<u8> {
    (0..12u64)
        .flat_map(|index| (index % 3).to_le_bytes()[..bytes].to_vec())
        .collect()
}

fn arrays(bytes: &[u8]) -> Result<OwnSet, String> {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "set.npz", bytes);
    open_own(&own(Place::Npz("set.npz".into())), Some(root.path()))
        .map_err(|error| error.to_string())
}

#[test]
fn arrays_of_numpy_are_read_in_every_usual_shape() {
    let grey = npy("|u1", &SHAPE, &pixels(1));
    let set = arrays(&npz(&[
        ("x", grey.clone()),
        ("y", npy("<i8", &[12], &labels(8))),
    ]))
    .unwrap();
    let set = set.dataset;
    assert_eq!((set.facts.classes, set.facts.shape), (3, [3, 8, 9]));
    assert_eq!((set.train.len(), set.test.len()), (9, 3));

    let parts = |images: Vec<u8>| {
        let y = npy("|u1", &[12, 1], &labels(1));
        let all = [
            ("x_train", images.clone()),
            ("y_train", y.clone()),
            ("x_test", images),
            ("y_test", y),
        ];
        arrays(&npz(&all)).unwrap().dataset
    };
    let set = parts(grey);
    assert_eq!(set.train, set.test);
    assert_eq!(set.train.image(1)[..72], pixels(1)[72..144]);
    assert_eq!(set.train.image(1)[72..144], pixels(1)[72..144]);
    let first = parts(npy("|u1", &[12, 3, 8, 9], &pixels(3)));
    assert_eq!(first.train.pixels(), pixels(3));
    let last = parts(npy("|u1", &[12, 8, 9, 3], &pixels(3)));
    let of = |channel: usize| pixels(3).into_iter().skip(channel).step_by(3).take(72);
    assert_eq!(last.train.image(0), (0..3).flat_map(of).collect::<Vec<_>>());
}

#[test]
fn other_arrays_are_refused() {
    let x = || ("x", npy("|u1", &SHAPE, &pixels(1)));
    let y = || ("y", npy("<i8", &[12], &labels(8)));
    let mut gap = labels(1);
    gap.iter_mut().for_each(|label| *label *= 2);
    let constant = vec![7; 12 * 72];
    let fortran = String::from_utf8_lossy(&npy("|u1", &[12, 8, 9], &[])).replace("False", "True ");
    let fortran = [b"\x93".as_slice(), &fortran.as_bytes()[3..], &pixels(1)].concat();
    for (file, said) in [
        (b"PK".to_vec(), "no zip archive"),
        (npz(&[x()]), "its arrays are `x`; name them `x` and `y`"),
        (npz(&[]), "its arrays are none"),
        (
            npz(&[("x", npy("<f4", &[12, 2, 9], &pixels(1))), y()]),
            "its type is `<f4`",
        ),
        (
            npz(&[("x", npy("|O", &[12], &pixels(1))), y()]),
            "it holds Python objects",
        ),
        (
            npz(&[("x", npy("<u2", &[12, 4, 9], &pixels(1))), y()]),
            "its pixels are not `uint8`",
        ),
        (
            npz(&[("x", fortran), y()]),
            "column by column (Fortran order)",
        ),
        (
            npz(&[("x", npy("|u1", &[13, 8, 9], &pixels(1))), y()]),
            "864 bytes long instead of 936",
        ),
        (
            npz(&[("x", npy("|u1", &[usize::MAX, 8, 9], &pixels(1))), y()]),
            "864 bytes long instead of",
        ),
        (
            npz(&[("x", npy("|u1", &[6, 16, 9], &pixels(1))), y()]),
            "6 images instead of 12",
        ),
        (
            npz(&[("x", npy("|u1", &[864], &pixels(1))), y()]),
            "its images have the shape [864]",
        ),
        (
            npz(&[("x", npy("|u1", &[12, 3, 24, 1], &pixels(1))), y()]),
            "can be read in two ways",
        ),
        (
            npz(&[x(), ("y", npy("<i8", &[3, 4], &labels(8)))]),
            "its labels have the shape [3, 4]",
        ),
        (
            npz(&[x(), ("y", npy("|i1", &[12], &[255; 12]))]),
            "image 0 has label -1",
        ),
        (
            npz(&[x(), ("y", npy("<u8", &[12], &[255; 96]))]),
            "image 0 has label 9223372036854775807",
        ),
        (
            npz(&[x(), ("y", npy("|u1", &[12], &gap))]),
            "no training image has label 1, and there are 5 classes",
        ),
        (
            npz(&[x(), ("y", npy("|u1", &[12], &[0; 12]))]),
            "it has 1 classes",
        ),
        (
            npz(&[("x", npy("|u1", &SHAPE, &constant)), y()]),
            "each of its 12 images has a single colour",
        ),
    ] {
        let message = arrays(&file).map(|_| ()).unwrap_err();
        assert!(message.contains("set.npz: "), "{message}");
        assert!(message.contains(said), "{said} is not in: {message}");
    }
}

/// A file of a few kilobytes that unpacks to megabytes.
#[test]
fn archives_that_would_fill_the_memory_are_refused() {
    let zeros = npy("|u1", &[100, 1000, 1000], &vec![0; 100_000_000]);
    let message = arrays(&npz(&[("x", zeros), ("y", npy("|u1", &[100], &[0; 100]))])).map(|_| ());
    assert!(message.unwrap_err().contains("200 times its length"));
    let root = tempfile::tempdir().unwrap();
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(&vec![0; 10_000_000]).unwrap();
    write(
        root.path(),
        "set/train-images-idx3-ubyte.gz",
        &packed.finish().unwrap(),
    );
    let message = refused(&own(Place::Idx("set".into())), &root);
    assert!(message.contains("200 times its length"), "{message}");
}

fn idx(kind: u32, dimensions: &[usize], bytes: &[u8]) -> Vec<u8> {
    let sides = dimensions.iter().map(|side| *side as u32);
    let head: Vec<u8> = std::iter::once(kind)
        .chain(sides)
        .flat_map(u32::to_be_bytes)
        .collect();
    [head, bytes.to_vec()].concat()
}

#[test]
fn the_files_of_mnist_are_read_packed_or_not() {
    let images = idx(0x803, &SHAPE, &pixels(1));
    let numbers = idx(0x801, &[12], &labels(1));
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(&images).unwrap();
    let root = tempfile::tempdir().unwrap();
    write(
        root.path(),
        "set/train-images-idx3-ubyte.gz",
        &packed.finish().unwrap(),
    );
    write(root.path(), "set/train-labels.idx1-ubyte", &numbers);
    write(root.path(), "set/t10k-images-idx3-ubyte", &images);
    write(root.path(), "set/t10k-labels-idx1-ubyte", &numbers);
    let mnist = own(Place::Idx("set".into()));
    let set = read(&mnist, &root).dataset;
    assert_eq!(set.train, set.test);
    assert_eq!(set.train.image(2)[..72], pixels(1)[144..216]);
    assert_eq!(set.train.labels(&[0, 1, 2, 3]), [0, 1, 2, 0]);

    for (bytes, said) in [
        (
            numbers.clone(),
            "it begins with 0x00000801 instead of 0x00000803",
        ),
        (
            [&images[..], &[0; 20]].concat(),
            "set/t10k-images-idx3-ubyte: 884 bytes long instead of 864",
        ),
        (images[..800].to_vec(), "784 bytes long instead of 864"),
        (images[..9].to_vec(), "it is cut short"),
        (
            idx(0x803, &[6, 16, 9], &pixels(1)),
            "6 images instead of 12",
        ),
        (idx(0x803, &[0, 8, 9], &[]), "0 images instead of 12"),
    ] {
        write(root.path(), "set/t10k-images-idx3-ubyte", &bytes);
        let message = refused(&mnist, &root);
        assert!(message.contains(said), "{said} is not in: {message}");
    }
    fs::remove_file(root.path().join("set/t10k-images-idx3-ubyte")).unwrap();
    let message = refused(&mnist, &root);
    assert!(
        message.starts_with("set/t10k-images-idx3-ubyte: missing"),
        "{message}"
    );
}

#[test]
fn cifar100_has_the_finer_labels() {
    let record = |index: usize| {
        let image = (0..3072).map(|at| (at * 3 + index) as u8);
        [19, (index % 100) as u8]
            .into_iter()
            .chain(image)
            .collect::<Vec<u8>>()
    };
    let root = tempfile::tempdir().unwrap();
    let all: Vec<u8> = (0..200).flat_map(record).collect();
    write(root.path(), "set/train.bin", &all);
    write(root.path(), "set/test.bin", &all[..30 * 3074]);
    let cifar100 = own(Place::Cifar100("set".into()));
    let set = read(&cifar100, &root).dataset;
    assert_eq!(
        (set.facts.classes, set.train.len(), set.test.len()),
        (100, 200, 30)
    );
    assert_eq!(set.train.label(101), 1);
    assert_eq!(set.train.image(101), &record(101)[2..]);
    write(root.path(), "set/test.bin", &all[..3073]);
    let message = refused(&cifar100, &root);
    assert!(
        message.starts_with("set/test.bin: 3073 bytes long, which is not a whole"),
        "{message}"
    );
}
