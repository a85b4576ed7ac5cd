//! `brink example`: a trained network, a changed copy, and photographs, from the embedded images of Fashion-MNIST.

use std::fs;
use std::path::Path;

use crate::computing::Computing;
use crate::say::{note, say};
use anyhow::{Context, bail};
use brink_config::checked::{Count, Positive};
use brink_data::{Id, Split};
use brink_models::train::{Trainer, Training, Update};
use brink_models::{Model, Weights, job};
use brink_random::Stream;

/// The network.
const MODEL: &str = "resnet20";
/// Images that it is trained on.
const IMAGES: usize = 1000;
/// Photographs that are written.
const PHOTOGRAPHS: usize = 600;

/// Writes the example to `folder`.
///
/// # Errors
/// If the folder exists or cannot be written, or the device cannot be used.
pub fn run(folder: &Path, computing: &Computing) -> anyhow::Result<()> {
    if folder.exists() {
        bail!("{}: the folder exists; give another name", folder.display());
    }
    computing.open()?;
    let at = || folder.display().to_string();
    let data = brink_data::open(Id::FashionMnist, None)?;
    let stream = Stream::new(22);
    note!("training a small network for some seconds");
    let images = data.train.subset(IMAGES, &mut stream.split("subset"))?;
    let training = Training {
        epochs: Count::literal(5),
        batch: Count::literal(64),
        ..Training::default()
    };
    let model: Model = MODEL.parse()?;
    let fresh = Weights::draw(model, data.facts.classes, &stream.split("weights"))?;
    let owned = trained(&fresh, &images, &training, &stream.split("training"))?;
    let changed = Training {
        epochs: Count::literal(1),
        optimizer: Update::Adam,
        batch: Count::literal(64),
        max_lr: Positive::literal(1e-5),
        ..Training::default()
    };
    let changed = trained(&owned, &images, &changed, &stream.split("change"))?;
    let photographs = folder.join("photos");
    fs::create_dir_all(&photographs).with_context(at)?;
    for (name, weights) in [
        ("mine.safetensors", owned),
        ("changed.safetensors", changed),
    ] {
        fs::write(folder.join(name), weights.to_bytes()?).with_context(at)?;
    }
    for index in 0..PHOTOGRAPHS {
        write(
            &photographs.join(format!("{index:03}.png")),
            &data.test,
            index,
        )?;
    }
    say!(
        "{}: mine.safetensors, a {MODEL} of 10 classes for images of 3x32x32",
        at()
    );
    say!("  changed.safetensors, the same after an epoch of Adam at 1e-5");
    say!("  photos, {PHOTOGRAPHS} images that it was not trained on");
    Ok(())
}

fn trained(
    from: &Weights,
    images: &Split,
    training: &Training,
    stream: &Stream,
) -> anyhow::Result<Weights> {
    let model: Model = MODEL.parse()?;
    let trainer = Trainer::new(model, 10, from, None, images, training, stream)?;
    Ok(job::run(Box::new(trainer))?)
}

fn write(path: &Path, split: &Split, index: usize) -> anyhow::Result<()> {
    let [channels, height, width] = split.shape();
    let (planes, size) = (split.image(index), height * width);
    let levels: Vec<u8> = (0..size)
        .flat_map(|at| (0..channels).map(move |c| planes[c * size + at]))
        .collect();
    image::save_buffer(
        path,
        &levels,
        width as u32,
        height as u32,
        image::ExtendedColorType::Rgb8,
    )
    .with_context(|| path.display().to_string())
}
