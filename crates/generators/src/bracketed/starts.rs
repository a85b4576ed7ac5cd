//! Pairs of images with different labels.

use super::Bracketed;
use super::bisect::Bracket;
use super::queries::Queries;
use crate::Start;
use brink_data::Split;
use brink_models::{Error, Result};
use brink_random::Stream;
use brink_verify::Oracle;

/// Images asked for each pair that is wanted. More are asked only if all of them have one label.
const POOL: usize = 4;

/// What pairs start from.
pub(crate) struct Source<'a> {
    pub images: &'a Split,
    pub stream: Stream,
}

/// As many brackets as `settings` wants, each between two images of different label.
///
/// The first image of each pair is the next one of a random order. The second one is drawn from all images of another label.
pub(crate) fn brackets(
    settings: &Bracketed,
    source: &Source<'_>,
    queries: &mut Queries<impl Oracle>,
) -> Result<Vec<Bracket>> {
    let wanted = settings.samples.get();
    let each = queries.pixels();
    let (mut pool, mut labels) = (Vec::new(), Vec::new());
    // Nearly always, the first images have several labels.
    for count in [POOL * wanted, usize::MAX] {
        pool = images(settings, source, count, each);
        labels = queries.labels(&pool)?;
        if labels.iter().any(|label| *label != labels[0]) || settings.start != Start::Natural {
            break;
        }
    }
    let count = labels.len();
    if labels.iter().all(|label| *label == labels[0]) {
        let label = labels[0];
        let problem = format!(
            "the target gives all of {count} starting images the label {label}, so no boundary lies between them; use another `start` or `label_space`"
        );
        return Err(Error::CannotCreate(problem));
    }
    let image = |i: usize| pool[i * each..][..each].to_vec();
    let draw = &mut source.stream.split("partners");
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

/// `count` starting images of `each` pixels, or all there are if they are fewer, with values that pixels may have.
fn images(settings: &Bracketed, source: &Source<'_>, count: usize, each: usize) -> Vec<f32> {
    let mut pixels: Vec<f32> = match settings.start {
        Start::Natural => {
            let have = source.images.len();
            let order = source.stream.split("starts").choose(have, have.min(count));
            source.images.images(&order)
        }
        noise => noise.noise(count * each, &source.stream),
    };
    for pixel in &mut pixels {
        *pixel = settings.pixels.nearest(pixel.clamp(0.0, 1.0));
    }
    pixels
}
