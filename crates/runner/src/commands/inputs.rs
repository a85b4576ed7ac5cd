//! Checks images and weight files before any work, and before a plan is listed.

use anyhow::{Context, bail};
use brink_data::Presence;
use brink_random::Stream;

use crate::execute::initial;
use crate::grid::ImageSet;
use crate::plan::Plan;
use crate::session::Session;

/// Refuses images and weight files of `part` that exist but cannot be used.
///
/// # Errors
/// If a file cannot be used. The message names it.
pub fn check(session: &Session, part: &Plan) -> anyhow::Result<()> {
    usable_images(session, part)?;
    usable_weights(session, part)
}

/// Refuses damaged images of targets with open steps. It looks only at the first file and the first image.
fn usable_images(session: &Session, part: &Plan) -> anyhow::Result<()> {
    let store = session.records()?;
    for target in &part.targets {
        // Images of one's own were read when the steps were planned.
        if let ImageSet::Registered(dataset) = target.target.dataset
            && let Presence::Unusable { reason } =
                brink_data::find(dataset, session.paths.data.as_deref())
            && target.is_open(store.as_ref())?
        {
            bail!("{}: {reason}", target.name);
        }
    }
    Ok(())
}

/// Refuses weight files that do not fit their targets. Finished targets do not need their files.
fn usable_weights(session: &Session, part: &Plan) -> anyhow::Result<()> {
    let store = session.records()?;
    for target in &part.targets {
        let made = store.as_ref().map(|store| store.target(&target.id));
        let made = made.transpose()?.flatten().is_some();
        let file = target.weights.as_ref();
        let there = file.is_some_and(|file| file.path.is_file());
        if there && !made {
            initial(target, &Stream::new(session.grid.seed))
                .with_context(|| target.name.clone())?;
        }
    }
    Ok(())
}
