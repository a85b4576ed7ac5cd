//! Adds pairs to a mark, e.g. because most of its pairs were shown.

use brink_data::Split;
use brink_endpoint::Endpoint;
use brink_generators::Bracketed;
use brink_mark::{About, Mark, Measured};
use brink_verify::{Images, Pairing, SensitiveSet, control};

use crate::error::Error;
use crate::noise;
use crate::protect::{Pairs, Protected, Step, pairs_of};

/// The mark with more pairs, placed as its own are. The old pairs keep their positions. `tell` hears of each step.
///
/// # Errors
/// If the model is not the protected one any more, the photographs or `pairs` must be corrected, or the model does not answer.
pub fn more(
    endpoint: &Endpoint,
    photographs: &Split,
    mark: &Mark,
    pairs: usize,
    seed: u64,
    tell: &mut dyn FnMut(Step),
) -> Result<Protected, Error> {
    let (head, about) = (mark.head(), &mark.about);
    if photographs.shape() != mark.set.images.shape() {
        let (given, needed) = (photographs.shape(), mark.set.images.shape());
        return Err(Error::Correct(format!(
            "images: they have the shape {given:?}, and the pairs {needed:?}"
        )));
    }
    let mut controls = control::reask(endpoint, &mark.set, head.as_ref(), &Pairing::Own)?;
    let [_, flipped] = control::alarms(&controls);
    if flipped.hits() > about.measured.flipped.hits() {
        let (now, then) = (flipped.hits(), about.measured.flipped.hits());
        return Err(Error::Correct(format!(
            "{now} of {} pairs flipped, and {then} when the model was protected; add pairs where the protected model answers as it did",
            flipped.of()
        )));
    }
    let settings = Bracketed {
        samples: pairs_of(pairs)?,
        ..serde_json::from_value(about.settings.clone())
            .map_err(|e| Error::Correct(format!("the settings of the mark: {e}")))?
    };
    let fresh = Pairs {
        endpoint,
        photographs,
        settings: &settings,
        user: &mark.set.model_id,
        key: mark.key.as_ref(),
        seed,
    };
    let (fresh, left_out) = fresh.make(tell)?;
    let (fresh, found) = noise::of_pairs(endpoint, fresh, head.as_ref())?;
    let old = mark.set.samples() as u32;
    for (all, new) in controls.iter_mut().zip(found.controls) {
        all.single = all.single + new.single;
        all.pair = all.pair + new.pair;
        all.flipped.extend(new.flipped.iter().map(|i| i + 2 * old));
        let pairs = new.flipped_pairs.iter().map(|i| i + old);
        all.flipped_pairs.extend(pairs);
    }
    let set = joined(&mark.set, &fresh)?;
    let measured = Measured {
        dropped: about.measured.dropped + found.dropped,
        flipped: flipped + found.flipped,
        controls,
        profiles: about.measured.profiles.clone(),
    };
    about.promise.risks(measured.flipped)?;
    let about = About {
        created: brink_store::now(),
        names: endpoint.names(),
        queries: about.queries + endpoint.asked(),
        measured,
        ..about.clone()
    };
    let mark = Mark {
        set,
        about,
        ..mark.clone()
    };
    Ok(Protected { mark, left_out })
}

/// The pairs of both sets, those of `old` first.
fn joined(old: &SensitiveSet, fresh: &SensitiveSet) -> Result<SensitiveSet, Error> {
    let pixels = [old.images.data(), fresh.images.data()].concat();
    Ok(SensitiveSet {
        images: Images::new(old.images.shape(), pixels)?,
        labels: [&old.labels[..], &fresh.labels].concat(),
        ..old.clone()
    })
}
