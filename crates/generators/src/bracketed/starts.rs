//! Pairs of images with different labels.

use super::Bracketed;
use super::bisect::Bracket;
use super::queries::Queries;
use crate::{Context, Start};
use brink_models::{Error, Result};
use brink_verify::Oracle;

/// Images asked for each pair that is wanted. More are asked only if all of them have one label.
const POOL: usize = 4;

/// As many brackets as `settings` wants, each between two images of different label.
///
/// The first image of each pair is the next one of a random order. The second one is drawn from all images of another label.
pub(crate) fn brackets(
    settings: &Bracketed,
    context: &Context<'_>,
    queries: &mut Queries<impl Oracle>,
) -> Result<Vec<Bracket>> {
    let wanted = settings.samples.get();
    let each = queries.pixels();
    let mut pool: Vec<f32> = match settings.start {
        Start::Natural => {
            let have = context.held_out.len();
            let order = context
                .stream
                .split("starts")
                .choose(have, have.min(POOL * wanted));
            context.held_out.images(&order)
        }
        Start::Normal | Start::Uniform => {
            let images = settings.start.images(POOL * wanted, context)?;
            images.flatten_all()?.to_vec1()?
        }
    };
    for pixel in &mut pool {
        *pixel = settings.pixels.nearest(pixel.clamp(0.0, 1.0));
    }
    let labels = queries.labels(&pool)?;
    let count = labels.len();
    if labels.iter().all(|label| *label == labels[0]) {
        let label = labels[0];
        let problem = format!(
            "the target gives all of {count} starting images the label {label}, so no boundary lies between them; use another `start` or `label_space`"
        );
        return Err(Error::CannotCreate(problem));
    }
    let image = |i: usize| pool[i * each..][..each].to_vec();
    let draw = &mut context.stream.split("partners");
    let pairs = (0..wanted).map(|pair| {
        let first = pair % count;
        let others: Vec<usize> = (0..count).filter(|&i| labels[i] != labels[first]).collect();
        let second = others[draw.below(others.len())];
        Bracket::new(
            [image(first), image(second)],
            [labels[first], labels[second]],
        )
    });
    Ok(pairs.collect())
}
