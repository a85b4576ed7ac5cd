//! Moves the members of an 8-bit pair away from the boundary, for oracles that give labels only.
//!
//! A member may lie next to the boundary by chance, and its label does not tell. But if one level more in some pixel changes the label, one
//! level less moves the member away. Several such pixels move it well away, since their effects have one sign.

use super::bisect::Bracket;
use super::dial::{Change, changed, changes};
use super::queries::Queries;
use brink_models::Result;
use brink_random::Stream;
use brink_verify::Oracle;

/// Single changes that are tried for each wanted step.
const TRIALS: usize = 4;

/// Moves each member of some `pairs` by one level in up to `steps` pixels. A member that none of the tried changes brings across stays: it is far
/// from the boundary.
pub(crate) fn apart(
    queries: &mut Queries<impl Oracle>,
    brackets: &mut [Bracket],
    pairs: &[usize],
    steps: usize,
    stream: &Stream,
) -> Result<()> {
    let stream = stream.split("steps");
    let (mut tried, mut asked) = (Vec::new(), Vec::new());
    for &pair in pairs {
        for (side, end) in brackets[pair].ends.iter().enumerate() {
            let draw = &mut stream.split(&format!("{pair}/{side}"));
            // Both ways must stay in range.
            let changes = changes(end, TRIALS * steps, 1, draw).into_iter();
            let changes: Vec<Change> = changes.filter(|it| it.can_be_reversed(1, end)).collect();
            asked.extend(changes.iter().flat_map(|&it| changed(end, &[it])));
            tried.push((pair, side, changes));
        }
    }
    let mut labels = queries.labels(&asked)?.into_iter();
    for (pair, side, changes) in tried {
        let Bracket {
            ends, labels: own, ..
        } = &mut brackets[pair];
        let found = labels.by_ref().take(changes.len());
        let across = changes
            .iter()
            .zip(found)
            .filter(|(_, found)| *found != own[side]);
        let away: Vec<Change> = across.map(|(change, _)| change.reversed()).collect();
        ends[side] = changed(&ends[side], &away[..away.len().min(steps)]);
    }
    Ok(())
}
