//! A secret head behind the scores of a served model. At its boundary each pair reacts to all classes, and without the key nobody can tell
//! where that boundary is.

use brink_endpoint::Endpoint;
use brink_random::Stream;
use brink_verify::{Images, LabelSpace, SecretKey, outputs};

use crate::error::Error;

/// Keys tried.
const TRIES: usize = 64;
/// The share of images that the rarer label should have, so that pairs start from many images.
const BALANCED: f64 = 0.25;

/// A key whose head gives `images` two labels, as balanced as some random keys allow. `user` is the id of the model.
///
/// # Errors
/// If the model does not answer, or no key gives two labels.
pub fn key(
    endpoint: &Endpoint,
    images: &Images,
    user: &str,
    stream: &mut Stream,
) -> Result<SecretKey, Error> {
    let rows = outputs(endpoint, images, LabelSpace::Classes, None)?;
    let (mut best, mut most) = (None, 0.0);
    for _ in 0..TRIES {
        let digits: String = (0..4)
            .map(|_| format!("{:016x}", stream.next_u64()))
            .collect();
        let key = SecretKey::from_hex(&digits)?;
        let head = key.head(user, rows[0].len());
        let first = rows.iter().filter(|row| head.margin(row) >= 0.0).count();
        let share = first.min(rows.len() - first) as f64 / rows.len() as f64;
        if share > most {
            (best, most) = (Some(key), share);
        }
        if most >= BALANCED {
            break;
        }
    }
    best.ok_or_else(|| {
        let n = rows.len();
        Error::Correct(format!("images: the model gives {n} photographs nearly the same scores; give photographs of several classes, or correct the order of pixels or the normalisation"))
    })
}
