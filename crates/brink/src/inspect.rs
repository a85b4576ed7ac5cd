//! `brink inspect`: what a file holds.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::Context;
use brink_owner::{Shown, promised};
use brink_verify::Pixels;

use crate::say::say;

/// What a mark begins with.
const MARK: &[u8] = b"brink mark ";

/// Says what `path` holds.
///
/// # Errors
/// If it cannot be read, or is neither a mark nor weights.
pub fn run(path: &Path) -> anyhow::Result<()> {
    let mut begin = Vec::new();
    let file = File::open(path).with_context(|| path.display().to_string())?;
    file.take(MARK.len() as u64)
        .read_to_end(&mut begin)
        .with_context(|| path.display().to_string())?;
    match begin == MARK {
        true => mark(path),
        false => {
            say!(
                "{}: weights\n{}",
                path.display(),
                brink_models::inspect(path)?
            );
            Ok(())
        }
    }
}

fn mark(path: &Path) -> anyhow::Result<()> {
    let signed = brink_owner::read(path)?;
    let (set, about) = (&signed.mark.set, &signed.mark.about);
    let [c, h, w] = set.images.shape();
    let pixels = Pixels::of(set);
    say!("{}: a mark, signed by {}", path.display(), signed.by);
    say!("  of user {}, made at {}", about.user, about.created);
    say!(
        "  {} pairs of {c}x{h}x{w} for a model of {} classes",
        set.samples(),
        set.classes
    );
    say!(
        "  by `{}` {} from answers with {}",
        set.generator,
        about.settings,
        about.answers
    );
    if let Some(pairs) = pixels.pairs {
        say!(
            "  members of a pair differ by up to {:.2e} in {:.2} % of their pixels",
            pairs.largest,
            100.0 * pairs.share
        );
    }
    if signed.mark.key.is_some() {
        say!("  labels of a secret head, whose key is in the file");
    }
    say!("  untouched, {} pairs flipped", about.measured.flipped);
    for profile in &about.measured.profiles {
        let share = 100.0 * brink_owner::profiles::flips(set, profile);
        say!("  with {}, {share:.0} % flipped", profile.name);
    }
    say!("  promised: {}", promised(about.promise.false_alarm));
    let fresh = Shown::beside(path, &signed.id)?.fresh(set.samples());
    say!("  {fresh} pairs were never shown");
    Ok(())
}
