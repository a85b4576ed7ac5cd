//! Photographs of different labels, far from the boundary. They tell a changed model from a server that does not look at images.

use brink_data::Split;
use brink_endpoint::Endpoint;
use brink_verify::{Head, Images, LabelSpace};

use crate::error::Error;

/// The most anchors of a mark.
const ANCHORS: usize = 8;

/// Photographs of different labels of the `head`, or of the model's own classes: the first of each label among the first ones, as many as it
/// takes to see two labels.
///
/// # Errors
/// If the model does not answer.
pub fn anchors(
    endpoint: &Endpoint,
    photographs: &Split,
    head: Option<&Head>,
) -> Result<Images, Error> {
    let space = match head {
        Some(_) => LabelSpace::Head,
        None => LabelSpace::Classes,
    };
    let mut found: Vec<(u32, usize)> = Vec::new();
    let all: Vec<usize> = (0..photographs.len()).collect();
    for batch in all.chunks(2 * ANCHORS) {
        let images = Images::new(photographs.shape(), photographs.images(batch))?;
        let labels = brink_verify::labels(endpoint, &images, space, head)?;
        for (label, &index) in labels.into_iter().zip(batch) {
            if found.iter().all(|(known, _)| *known != label) {
                found.push((label, index));
            }
        }
        if found.len() > 1 {
            break;
        }
    }
    let which: Vec<usize> = found
        .into_iter()
        .take(ANCHORS)
        .map(|(_, index)| index)
        .collect();
    Ok(Images::new(
        photographs.shape(),
        photographs.images(&which),
    )?)
}
