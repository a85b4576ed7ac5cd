//! Photographs of a folder as a model sees them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use brink_data::Split;
use image::imageops::FilterType;
use image::{ImageReader, Limits};

/// The longest side of a photograph, in pixels.
const LONGEST: u32 = 16_384;

/// The images of a model, channels, height and width, e.g. `3x224x224`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape(pub [usize; 3]);

impl std::str::FromStr for Shape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let sides: Option<Vec<usize>> = text
            .split(['x', ','])
            .map(|side| side.parse().ok())
            .collect();
        match sides.as_deref() {
            Some(&[c, h, w])
                if (c == 1 || c == 3) && (1..=4096).contains(&h) && (1..=4096).contains(&w) =>
            {
                Ok(Self([c, h, w]))
            }
            _ => Err("write channels (1 or 3), height and width, e.g. 3x224x224".to_owned()),
        }
    }
}

/// All PNG and JPEG files of `folder`, in the order of their names, cut to the shape's proportions around the middle and resized.
///
/// # Errors
/// If the folder has fewer than two of them, or one cannot be read.
pub fn read(folder: &Path, Shape(shape): Shape) -> anyhow::Result<Split> {
    let at = || format!("--images {}", folder.display());
    let entries = fs::read_dir(folder).with_context(at)?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let paths: Vec<PathBuf> = paths.collect::<Result<_, _>>().with_context(at)?;
    let mut paths: Vec<PathBuf> = paths
        .into_iter()
        .filter(|path| is_photograph(path))
        .collect();
    paths.sort();
    if paths.len() < 2 {
        bail!(
            "{}: {} files end in .png, .jpg or .jpeg; pairs need at least two",
            at(),
            paths.len()
        );
    }
    let mut pixels = Vec::with_capacity(paths.len() * shape.iter().product::<usize>());
    for path in &paths {
        let image = decode(path, shape);
        pixels.extend(image.with_context(|| {
            format!(
                "the image {}: not readable; remove it, or save it again",
                path.display()
            )
        })?);
    }
    // Nobody asks for the labels of photographs.
    Ok(Split::new(shape, pixels, vec![0; paths.len()]))
}

fn is_photograph(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
    ["png", "jpg", "jpeg"]
        .iter()
        .any(|known| extension == *known)
}

/// The levels of one photograph, (c, h, w).
fn decode(path: &Path, [channels, height, width]: [usize; 3]) -> anyhow::Result<Vec<u8>> {
    let mut reader = ImageReader::open(path)?.with_guessed_format()?;
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(LONGEST), Some(LONGEST));
    reader.limits(limits);
    let image = reader.decode()?;
    let image = image.resize_to_fill(width as u32, height as u32, FilterType::Triangle);
    if channels == 1 {
        return Ok(image.into_luma8().into_raw());
    }
    let image = image.into_rgb8();
    let planes = (0..channels).flat_map(|c| image.pixels().map(move |pixel| pixel[c]));
    Ok(planes.collect())
}
