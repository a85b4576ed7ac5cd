//! What a grid reads from the disk, checked before any work, and before its steps are listed as if they could be done.

use anyhow::{Context, bail};
use data::Presence;
use spec::Stream;

use crate::execute::initial;
use crate::plan::Plan;
use crate::session::Session;

/// Refuses images and weights of `part` that are there and cannot be used.
///
/// # Errors
/// If some cannot be used; the message names them.
pub fn check(session: &Session, part: &Plan) -> anyhow::Result<()> {
    usable_images(session, part)?;
    usable_weights(session, part)
}

/// Refuses images that are there and, as far as the first file and image show, damaged, of targets of which something is still to be made.
fn usable_images(session: &Session, part: &Plan) -> anyhow::Result<()> {
    let store = session.records()?;
    for target in &part.targets {
        if let Presence::Unusable { reason } =
            data::find(target.target.dataset, session.paths.data.as_deref())
            && target.is_open(store.as_ref())?
        {
            bail!("{}: {reason}", target.name);
        }
    }
    Ok(())
}

/// Refuses weight files that cannot be what they are named for, of targets that are still to be made.
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
