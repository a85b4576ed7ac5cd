//! What a grid asks of a data set that it does not have: found before there is any work.

use anyhow::{Context, bail};
use serde::Serialize;
use spec::checked::Count;

use crate::grid::{Grid, Target};

/// Checks what `target`, one of `grid`'s, asks of its data set.
///
/// # Errors
/// If there are fewer images, or if a generator's or an attack's settings do not fit them.
pub fn check(target: &Target, grid: &Grid) -> anyhow::Result<()> {
    let info = target.dataset.info();
    let enough = |field: &str, asked: Option<Count>, have: usize| match asked {
        Some(asked) if asked.get() > have => bail!(
            "{field}: {asked} images are asked for, and {} has {have}; lower it",
            info.title
        ),
        _ => Ok(()),
    };
    enough("test_images", target.test_images, info.test)?;
    let side = info.shape[1].min(info.shape[2]);
    let crop = target.train.as_ref().map(|train| train.augment.crop);
    if let Some(crop) = crop.filter(|crop| usize::from(*crop) >= side) {
        bail!(
            "train.augment.crop: a padding of {crop} pixels is as wide as the images of {}, which have {side} a side; lower it",
            info.title
        );
    }
    if let Some(share) = target.train.as_ref().and_then(|train| train.validation) {
        let of_class = info.train as f64 / info.classes as f64;
        if share.get() * of_class < 0.5 {
            // Rounded up to what one would write.
            let least = (0.5 / of_class * 1e4).ceil() / 1e4;
            bail!(
                "train.validation: a share of {share} of the {of_class:.0} images that a class of {} has on average is none; write at least {least}, or leave it out",
                info.title
            );
        }
    }
    let train = target.train_images();
    if let Some(training) = &target.train {
        enough("train.images", training.images, info.train)?;
        if let Some((asked, share)) = training.images.zip(training.validation)
            && train < asked.get()
        {
            bail!(
                "train.images: {asked} images are asked for, and {share} of the {} of {} are held out, which leaves {train}; lower either",
                info.train,
                info.title
            );
        }
    }
    for spec in target.generators.as_ref().unwrap_or(&grid.generators) {
        few(spec.name(), spec)?;
        let generator = spec.generator();
        let fits = generator.fits(train, info.test);
        fits.with_context(|| format!("for {}", info.title))?;
    }
    for spec in grid.probes() {
        few(spec.name(), &spec)?;
    }
    let slice = grid.slice.as_ref().map(|slice| slice.attack.clone());
    for spec in grid.attacks().into_iter().chain(slice) {
        let fits = spec.attack().fits(train, info.shape, info.classes);
        fits.with_context(|| format!("for {}", info.title))?;
    }
    Ok(())
}

/// The most samples: more than any data set has test images. They are all in memory at once.
const MOST: u64 = 20_000;

/// Checks that `spec`, called `name`, asks for no more samples than a machine holds.
fn few(name: &str, spec: &impl Serialize) -> anyhow::Result<()> {
    match super::fields(spec)?["samples"].as_u64() {
        Some(samples) if samples > MOST => bail!(
            "{name}.samples: {samples} samples are more than fit into memory; write at most {MOST}"
        ),
        _ => Ok(()),
    }
}
