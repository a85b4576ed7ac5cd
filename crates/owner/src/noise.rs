//! What a deployment does to the answers of an untouched model: it is asked again in other batches and orders.

use brink_endpoint::Endpoint;
use brink_mark::Measured;
use brink_verify::control::{self, Way};
use brink_verify::{
    Head, Images, LabelSpace, Noise, Pairing, SensitiveSet, decide, margin, outputs,
};

use crate::error::Error;

/// The largest change of a margin when the same images are asked one by one, by seven, and again: of the `head`, or of the model's own classes.
///
/// # Errors
/// If the model does not answer.
pub fn of_scores(endpoint: &Endpoint, images: &Images, head: Option<&Head>) -> Result<f64, Error> {
    let space = match head {
        Some(_) => LabelSpace::Head,
        None => LabelSpace::Classes,
    };
    let ask = |batch: usize| -> Result<Vec<Vec<f32>>, Error> {
        let all: Vec<usize> = (0..images.len()).collect();
        let mut rows = Vec::new();
        for batch in all.chunks(batch) {
            rows.extend(outputs(endpoint, &images.select(batch), space, head)?);
        }
        Ok(rows)
    };
    let before = ask(images.len())?;
    // Scores of an endpoint are finite, so they have a label.
    let labels: Vec<u32> = before
        .iter()
        .flat_map(|row| decide(row))
        .map(|(label, _)| label)
        .collect();
    let margins = |rows: &[Vec<f32>]| -> Vec<f32> {
        rows.iter()
            .zip(&labels)
            .map(|(row, label)| margin(row, *label))
            .collect()
    };
    let mut largest = 0.0f64;
    for batch in [1, 7, images.len()] {
        let (before, after) = (margins(&before), margins(&ask(batch)?));
        let moves: Vec<f32> = before.iter().zip(&after).map(|(a, b)| b - a).collect();
        largest = largest.max(Noise::of(&before, &moves).largest);
    }
    Ok(largest)
}

/// The set without the pairs that flip when they are asked again in other batches, and what flips after that.
///
/// # Errors
/// If the model does not answer, or no pair is steady.
pub fn of_pairs(
    endpoint: &Endpoint,
    set: SensitiveSet,
    head: Option<&Head>,
) -> Result<(SensitiveSet, Measured), Error> {
    // Only the second round is a measurement, so the first may be short.
    let ways = [Way::BatchesOf(1), Way::BatchesOf(7)];
    let first = control::reask_in(&ways, endpoint, &set, head, &Pairing::Own)?;
    let flips = |pair: usize| {
        first
            .iter()
            .any(|way| way.flipped_pairs.contains(&(pair as u32)))
    };
    let kept: Vec<usize> = (0..set.samples()).filter(|&pair| !flips(pair)).collect();
    let dropped = (set.samples() - kept.len()) as u64;
    if kept.is_empty() {
        return Err(Error::Correct(format!(
            "all {dropped} pairs flip when they are asked again, so this deployment's answers are not steady; check that one model answers"
        )));
    }
    let members: Vec<usize> = kept
        .iter()
        .flat_map(|&pair| [2 * pair, 2 * pair + 1])
        .collect();
    let set = SensitiveSet {
        images: set.images.select(&members),
        labels: members.iter().map(|&i| set.labels[i]).collect(),
        ..set
    };
    let controls = control::reask(endpoint, &set, head, &Pairing::Own)?;
    let [_, flipped] = control::alarms(&controls);
    let measured = Measured {
        dropped,
        controls,
        flipped,
        profiles: Vec::new(),
    };
    Ok((set, measured))
}
