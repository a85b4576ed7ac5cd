//! Checks that a grid fits its data sets, before any work.

use anyhow::{Context, bail};
use brink_config::checked::Count;
use brink_config::plain;

use crate::grid::{Grid, Target};

/// Checks that the settings of `target` itself fit its data set.
///
/// # Errors
/// If the data set has too few images, or they are too small.
pub fn check(target: &Target) -> anyhow::Result<()> {
    let info = target.dataset.info();
    let enough = |field: &str, asked: Option<Count>, have: usize| match asked {
        Some(asked) if asked.get() > have => bail!(
            "{field}: {asked} images are asked for, but {} has {have}; lower it",
            info.title
        ),
        _ => Ok(()),
    };
    enough("test_images", target.test_images, info.test)?;
    let side = info.shape[1].min(info.shape[2]);
    let crop = target.train.as_ref().map(|train| train.augment.crop);
    if let Some(crop) = crop.filter(|crop| usize::from(*crop) >= side) {
        bail!(
            "train.augment.crop: a padding of {crop} pixels is too wide for the images of {}, whose side is {side}; lower it",
            info.title
        );
    }
    if let Some(share) = target.train.as_ref().and_then(|train| train.validation) {
        let of_class = info.train as f64 / info.classes as f64;
        // A class below the average may still be too small. That is found when the images are read.
        if share.get() * of_class < 0.5 {
            let fix = match info.tracks {
                true => "write a larger one, of whole tracks".to_owned(),
                // Rounded up to four decimals, as people would write it.
                false => format!("write at least {}", (0.5 / of_class * 1e4).ceil() / 1e4),
            };
            bail!(
                "train.validation: a class of {} has {of_class:.0} images on average, and a share of {} of them rounds to 0 images; {fix}, or leave it out",
                info.title,
                plain(share.get())
            );
        }
    }
    if let Some(training) = &target.train {
        let train = target.train_images();
        enough("train.images", training.images, info.train)?;
        if let Some((asked, share)) = training.images.zip(training.validation)
            && train < asked.get()
        {
            bail!(
                "train.images: {asked} images are asked for, but {share} of the {} images of {} are held out, which leaves {train}; lower either",
                info.train,
                info.title
            );
        }
    }
    Ok(())
}

/// Checks that the generators and attacks of `target` fit its data set. `target` is one of `grid`.
///
/// # Errors
/// If the settings of a generator or an attack do not fit.
pub fn asked(target: &Target, grid: &Grid) -> anyhow::Result<()> {
    let (info, train) = (target.dataset.info(), target.train_images());
    for spec in target.generators.as_ref().unwrap_or(&grid.generators) {
        let generator = spec.generator();
        let fits = generator.fits(train, info.test);
        fits.with_context(|| format!("for {}", info.title))?;
    }
    let slice = grid.slice.as_ref().map(|slice| slice.attack.clone());
    for spec in grid.attacks().into_iter().chain(slice) {
        let fits = spec.attack().fits(train, info.shape, info.classes);
        fits.with_context(|| format!("for {}", info.title))?;
    }
    Ok(())
}
