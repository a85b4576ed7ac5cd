//! Checks that a grid fits its data sets, before any work.

use brink_config::checked::Count;
use brink_config::plain;
use brink_data::Facts;
use brink_models::{Error, Model, Result};
use brink_verify::Layout;

use super::needs;
use crate::grid::{Grid, Target};
use crate::plan;

/// Checks that the settings of the target `name` of `grid`, its generators and its attacks fit its data set and its network, `model`.
///
/// # Errors
/// The first setting that does not fit. The error shows its line.
pub fn check(
    name: &str,
    target: &Target,
    model: Model,
    facts: &Facts,
    grid: &Grid,
) -> anyhow::Result<()> {
    of_file(target)
        .and_then(|()| itself(target, facts))
        .map_err(|(field, problem)| grid.error(&format!("targets.{name}.{field}"), problem))?;
    generators(name, target, facts, grid)?;
    attacks(name, target, facts, grid)?;
    needs::check(name, target, model, facts, grid)
}

/// Refuses settings that a network in a file cannot have.
fn of_file(target: &Target) -> std::result::Result<(), (&'static str, String)> {
    if target.model.file().is_none() {
        return Ok(());
    }
    let given = [
        (
            "train",
            target.train.is_some(),
            "another engine runs it, so it cannot be trained",
        ),
        ("init", target.init.is_some(), "it brings its weights along"),
        (
            "width",
            target.width.is_some(),
            "its layers are in the file",
        ),
    ];
    match given.into_iter().find(|(_, given, _)| *given) {
        Some((field, _, why)) => Err((
            field,
            format!("the network of an ONNX file has no `{field}`: {why}; leave it out"),
        )),
        None => Ok(()),
    }
}

/// Checks the settings of the target itself. Returns the path of the field that does not fit, and the problem.
fn itself(target: &Target, info: &Facts) -> std::result::Result<(), (&'static str, String)> {
    let enough = |field, asked: Option<Count>, have: usize| match asked {
        Some(asked) if asked.get() > have => {
            let has = format!("but {} has {have}; lower it", info.title);
            Err((field, format!("{asked} images are asked for, {has}")))
        }
        _ => Ok(()),
    };
    enough("test_images", target.test_images, info.test)?;
    let Some(training) = &target.train else {
        return Ok(());
    };
    let (side, crop) = (info.shape[1].min(info.shape[2]), training.augment.crop);
    if usize::from(crop) >= side {
        let problem = format!(
            "a padding of {crop} pixels is too wide for the images of {}, whose side is {side}; lower it",
            info.title
        );
        return Err(("train.augment.crop", problem));
    }
    if let Some(share) = training.validation {
        let of_class = info.train as f64 / info.classes as f64;
        // A class below the average may still be too small. That is found when the images are read.
        if share.get() * of_class < 0.5 {
            let fix = match info.tracks {
                true => "write a larger one, of whole tracks".to_owned(),
                // Rounded up to four decimals, as people would write it.
                false => format!("write at least {}", (0.5 / of_class * 1e4).ceil() / 1e4),
            };
            let problem = format!(
                "a class of {} has {of_class:.0} images on average, and a share of {} of them rounds to 0 images; {fix}, or leave it out",
                info.title,
                plain(share.get())
            );
            return Err(("train.validation", problem));
        }
    }
    let train = target.train_images(info.train);
    enough("train.images", training.images, info.train)?;
    if let Some((asked, share)) = training.images.zip(training.validation)
        && train < asked.get()
    {
        let problem = format!(
            "{asked} images are asked for, but {share} of the {} images of {} are held out, which leaves {train}; lower either",
            info.train, info.title
        );
        return Err(("train.images", problem));
    }
    Ok(())
}

fn generators(name: &str, target: &Target, facts: &Facts, grid: &Grid) -> anyhow::Result<()> {
    let (list, of) = match &target.generators {
        Some(own) => (format!("targets.{name}.generators"), own),
        None => ("generators".to_owned(), &grid.generators),
    };
    let (train, test) = (target.train_images(facts.train), facts.test);
    for (nth, spec) in of.iter().enumerate() {
        let fits = spec.generator().fits(train, test);
        explain(fits, &format!("{list}.{nth}.{}", spec.name()), facts, grid)?;
    }
    Ok(())
}

fn attacks(name: &str, target: &Target, facts: &Facts, grid: &Grid) -> anyhow::Result<()> {
    let swept = grid.attacks.iter().enumerate();
    let swept = swept.flat_map(|(nth, sweep)| sweep.each().iter().map(move |spec| (nth, spec)));
    let listed = swept.map(|(nth, spec)| (format!("attacks.{nth}"), spec));
    let slice = grid.slice.iter();
    let slice = slice.map(|slice| ("slice.attack".to_owned(), &slice.attack));
    let train = target.train_images(facts.train);
    for (entry, spec) in listed.chain(slice) {
        let fits = spec.attack().fits(train, facts.shape, facts.classes);
        let entry = format!("{entry}.{}", spec.name());
        explain(fits, &entry, facts, grid)?;
        if spec.attack().leaks().is_some()
            && let Some(cannot) = without_pairs(target, grid)
        {
            let problem = format!(
                "whole pairs leak and others do not, but `{cannot}` of `{name}` does not make two pairs; leave it out, or give it a grid of its own"
            );
            return Err(grid.error(&entry, problem));
        }
    }
    Ok(())
}

/// The first generator of `target` that does not make two pairs.
fn without_pairs(target: &Target, grid: &Grid) -> Option<&'static str> {
    let mut all = target
        .generators
        .as_ref()
        .unwrap_or(&grid.generators)
        .iter();
    let cannot = all.find(|spec| {
        let lone = || plan::fields(spec).is_ok_and(|fields| fields["samples"] == 1);
        spec.generator().layout() != Layout::Pairs || lone()
    });
    cannot.map(brink_generators::Spec::name)
}

/// Adds the place to an error about the settings at `path`.
fn explain(fits: Result<()>, path: &str, facts: &Facts, grid: &Grid) -> anyhow::Result<()> {
    let Err(error) = fits else {
        return Ok(());
    };
    let field = match &error {
        Error::DoesNotFit { field, .. } => format!(".{field}"),
        _ => String::new(),
    };
    let title = &facts.title;
    Err(grid.error(&format!("{path}{field}"), format!("for {title}: {error}")))
}
