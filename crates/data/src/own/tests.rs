//! Damages files of one's own, for which no checksum is known. Each must be refused, or read in the right shape.

use std::io::{Cursor, Write};

use flate2::{Compression, write::GzEncoder};
use image::ImageFormat;
use zip::write::{SimpleFileOptions, ZipWriter};

use super::{cifar100, idx, npz};
use crate::corpus::photograph as encoded;
use crate::decode::photograph;

/// A valid file, and the reader that it is for.
type Seed = (Vec<u8>, fn(&[u8]) -> Result<(), String>);

/// Two images of 8 x 8 pixels, and their labels, in NumPy's format.
fn arrays() -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, head, bytes) in [
        (
            "x.npy",
            "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 8, 8), }\n",
            (0..128).collect(),
        ),
        (
            "y.npy",
            "{'descr': '|i1', 'fortran_order': False, 'shape': (2,), }\n",
            vec![0, 1],
        ),
    ] {
        let length = u16::try_from(head.len())
            .expect("a short head")
            .to_le_bytes();
        let file: Vec<u8> = [&b"\x93NUMPY\x01\0"[..], &length, head.as_bytes(), &bytes].concat();
        writer
            .start_file(name, SimpleFileOptions::default())
            .expect("a name");
        writer.write_all(&file).expect("a file in memory");
    }
    writer.finish().expect("a file in memory").into_inner()
}

/// The bytes in gzip's format.
fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut writer = GzEncoder::new(Vec::new(), Compression::default());
    writer.write_all(bytes).expect("a file in memory");
    writer.finish().expect("a file in memory")
}

fn seeds() -> Vec<Seed> {
    let image = |bytes: &[u8]| match photograph(bytes, 0) {
        Ok(image) => {
            let [width, height] = [image.width(), image.height()].map(|side| side as usize);
            assert_eq!(image.as_raw().len(), 3 * width * height);
            Ok(())
        }
        Err(fault) => Err(fault.to_string()),
    };
    let mnist: Vec<u8> = [0x803u32, 2, 8, 8]
        .into_iter()
        .flat_map(u32::to_be_bytes)
        .chain(0..128)
        .collect();
    let labels: Vec<u8> = [0x801u32, 2]
        .into_iter()
        .flat_map(u32::to_be_bytes)
        .chain([0, 1])
        .collect();
    let records: Vec<u8> = (0..3074 * 2).map(|at| (at % 97) as u8).collect();
    vec![
        (encoded(1, ImageFormat::Png), image),
        (encoded(2, ImageFormat::Jpeg), image),
        (arrays(), |bytes| {
            let (all, test) = npz::parts(bytes, None).map_err(|fault| fault.to_string())?;
            assert!(all.pixels().len() <= 3 * 128 && test.is_none());
            Ok(())
        }),
        (packed(&mnist), |bytes| {
            let bytes = idx::unpacked(bytes.to_vec()).map_err(|fault| fault.to_string())?;
            let split = idx::split(&bytes, vec![0, 1], None).map_err(|fault| fault.to_string())?;
            assert_eq!(split.len(), 2);
            Ok(())
        }),
        (mnist, |bytes| {
            let split = idx::split(bytes, vec![0, 1], None).map_err(|fault| fault.to_string())?;
            assert_eq!(split.len(), 2);
            Ok(())
        }),
        (labels, |bytes| {
            let labels = idx::numbers(bytes).map_err(|fault| fault.to_string())?;
            assert_eq!(labels.len() + 8, bytes.len());
            Ok(())
        }),
        (records, |bytes| {
            let split = cifar100::records(bytes, None).map_err(|fault| fault.to_string())?;
            assert_eq!(split.len() * 3074, bytes.len());
            Ok(())
        }),
    ]
}

#[test]
fn whole_files_are_read() {
    for (bytes, read) in seeds() {
        assert_eq!(read(&bytes), Ok(()));
    }
}

#[test]
fn fuzz() {
    let seeds = seeds();
    let (mut good, mut all) = (0, 0);
    for mut dice in fuzz::rounds(10_000) {
        let (bytes, read) = &seeds[dice.below(seeds.len())];
        all += 1;
        match read(&fuzz::damaged(bytes, &mut dice)) {
            Ok(()) => good += 1,
            Err(message) => assert!(!message.is_empty() && message.len() < 1000, "{message}"),
        }
    }
    // Otherwise the damage would be too weak, or always caught at the first byte.
    assert!(0 < good && good < all, "{good} of {all}");
}
