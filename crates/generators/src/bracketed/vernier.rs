//! Places the members of an 8-bit pair close to the boundary but not next to it, for oracles that give labels only.
//!
//! One level of most pixels moves the margin much. But some pixel changes the label only after several levels, so each of these levels moves the
//! margin little: it is a finer scale, a vernier. On this scale, the members are the same number of levels away from the boundary.

use super::bisect::Bracket;
use super::dial::{Change, changes};
use super::queries::Queries;
use super::steps;
use brink_models::Result;
use brink_random::Stream;
use brink_verify::Oracle;

/// Pixels that are tried for a pair.
const PIXELS: usize = 16;
/// The most levels that are tried: a power of two. Over more levels a network is not linear, and its steps are no finer.
pub(crate) const LEVELS: u32 = 8;
/// Pairs of a round.
const PAIRS: usize = 16;
/// The steps that move the members of other pairs away from the boundary.
const STEPS: usize = 3;

/// The levels between each member and the boundary, and the number of pairs that are placed.
pub(crate) struct Vernier {
    levels: u32,
    pub placed: usize,
}

impl Vernier {
    /// With `levels` levels, at most [`LEVELS`], between each member and the boundary, after `placed` pairs.
    pub fn new(levels: u32, placed: usize) -> Self {
        Self { levels, placed }
    }

    /// Places the next pairs. Where no pixel gives a scale, the members move apart by steps. Returns whether all pairs are placed.
    pub fn round(
        &mut self,
        queries: &mut Queries<impl Oracle>,
        brackets: &mut [Bracket],
        stream: &Stream,
    ) -> Result<bool> {
        let draws = stream.split("vernier");
        let pairs = self.placed..self.placed.saturating_add(PAIRS).min(brackets.len());
        let searches = pairs
            .clone()
            .map(|pair| Search::new(&brackets[pair], self.levels, draws.split(&pair.to_string())));
        let searches = slowest(queries, searches.collect())?;
        let found: Vec<Option<[Vec<f32>; 3]>> = searches
            .iter()
            .map(|search| search.images(self.levels))
            .collect();
        let asked: Vec<f32> = found
            .iter()
            .flatten()
            .flatten()
            .flatten()
            .copied()
            .collect();
        let mut labels = queries.labels(&asked)?.into_iter();
        let mut others = Vec::new();
        for (pair, images) in pairs.clone().zip(found) {
            let bracket = &mut brackets[pair];
            let placed = images.and_then(|[near, _, far]| {
                let [own, across, beyond] = [labels.next()?, labels.next()?, labels.next()?];
                // A third label has a boundary of its own, at an unknown distance.
                let two = own == bracket.labels[0] && across != own && beyond == across;
                two.then_some(([near, far], [own, beyond]))
            });
            match placed {
                Some((ends, labels)) => {
                    bracket.ends = ends;
                    bracket.labels = labels;
                }
                None => others.push(pair),
            }
        }
        steps::apart(queries, brackets, &others, STEPS, stream)?;
        self.placed = pairs.end;
        Ok(self.placed == brackets.len())
    }
}

/// The pixels of a first member that need the most levels to change its label.
struct Search<'a> {
    image: &'a [f32],
    label: u32,
    changes: Vec<Change>,
    /// The most levels that do not change the label in any of these pixels. One more does in each.
    below: u32,
}

impl<'a> Search<'a> {
    /// Random pixels with room for the levels both ways.
    fn new(bracket: &'a Bracket, levels: u32, mut draw: Stream) -> Self {
        let image = &bracket.ends[0];
        let changes = changes(image, PIXELS, LEVELS + levels, &mut draw).into_iter();
        Self {
            image,
            label: bracket.labels[0],
            changes: changes
                .filter(|change| change.can_be_reversed(levels, image))
                .collect(),
            below: 0,
        }
    }

    /// Those of the changes whose label is the image's own, or is not.
    fn with(&self, own: bool, labels: &[u32]) -> Vec<Change> {
        let labelled = self.changes.iter().zip(labels);
        let those = labelled.filter(|(_, label)| (**label == self.label) == own);
        those.map(|(change, _)| *change).collect()
    }

    /// The member on this side, the first image across the boundary, and the member there; `None` if no pixel changes the label.
    fn images(&self, levels: u32) -> Option<[Vec<f32>; 3]> {
        let change = self.changes.first()?;
        let (below, levels) = (self.below as i32, levels as i32);
        let at = [below - levels, below + 1, below + 1 + levels];
        Some(at.map(|by| change.by(by, self.image)))
    }
}

/// Leaves in each search the changes that need the most levels, up to [`LEVELS`]; none if no change suffices.
fn slowest<'a>(
    queries: &mut Queries<impl Oracle>,
    mut searches: Vec<Search<'a>>,
) -> Result<Vec<Search<'a>>> {
    let labels = labels(queries, &searches, LEVELS)?;
    for (search, labels) in searches.iter_mut().zip(labels) {
        search.changes = search.with(false, &labels);
    }
    let mut width = LEVELS;
    while width > 1 {
        width /= 2;
        let labels = self::labels(queries, &searches, width)?;
        for (search, labels) in searches.iter_mut().zip(labels) {
            let slower = search.with(true, &labels);
            if !slower.is_empty() {
                search.changes = slower;
                search.below += width;
            }
        }
    }
    Ok(searches)
}

/// The labels after the changes of each search, by `more` levels than its `below`.
fn labels(
    queries: &mut Queries<impl Oracle>,
    searches: &[Search<'_>],
    more: u32,
) -> Result<Vec<Vec<u32>>> {
    let changed = searches.iter().flat_map(|search| {
        let by = (search.below + more) as i32;
        let changes = search.changes.iter();
        changes.map(move |change| change.by(by, search.image))
    });
    let asked: Vec<f32> = changed.flatten().collect();
    let mut labels = queries.labels(&asked)?.into_iter();
    let of_each = searches
        .iter()
        .map(|search| labels.by_ref().take(search.changes.len()).collect());
    Ok(of_each.collect())
}
