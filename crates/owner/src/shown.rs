//! Which pairs of a mark were shown already, in a journal beside it. Whoever runs the model sees the questions, and may keep them.

use std::collections::BTreeSet;
use std::path::Path;

use brink_random::Stream;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::journal::Journal;

/// The pairs that were shown.
pub struct Shown {
    journal: Journal,
    mark: String,
    pairs: BTreeSet<usize>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    /// The id of the mark.
    mark: String,
    at: String,
    pairs: Vec<usize>,
}

impl Shown {
    /// What was shown of the mark `id` in the file `path`: the journal is `path` and `.shown`.
    ///
    /// # Errors
    /// If the journal is damaged.
    pub fn beside(path: &Path, id: &str) -> Result<Self, Error> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".shown");
        let journal = Journal::at(&path.with_file_name(name));
        let lines: Vec<Line> = journal.read()?;
        let own = lines.into_iter().filter(|line| line.mark == id);
        Ok(Self {
            pairs: own.flat_map(|line| line.pairs).collect(),
            journal,
            mark: id.to_owned(),
        })
    }

    /// All pairs in random order, but those first that nobody has seen; or only these.
    pub fn order(&self, pairs: usize, only_fresh: bool, stream: &mut Stream) -> Vec<usize> {
        let order = stream.permutation(pairs);
        let (seen, mut fresh): (Vec<usize>, Vec<usize>) = order
            .into_iter()
            .partition(|pair| self.pairs.contains(pair));
        if !only_fresh {
            fresh.extend(seen);
        }
        fresh
    }

    /// How many of `pairs` pairs nobody has seen.
    pub fn fresh(&self, pairs: usize) -> usize {
        (0..pairs).filter(|pair| !self.pairs.contains(pair)).count()
    }

    /// The pairs that were shown, in ascending order.
    pub fn pairs(&self) -> Vec<usize> {
        self.pairs.iter().copied().collect()
    }

    /// Remembers pairs.
    ///
    /// # Errors
    /// If the journal cannot be written.
    pub fn add(&mut self, pairs: &[usize]) -> Result<(), Error> {
        self.pairs.extend(pairs);
        self.journal.add(&Line {
            mark: self.mark.clone(),
            at: brink_store::now(),
            pairs: pairs.to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fresh_pairs_come_first_and_are_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.brink");
        let mut stream = Stream::new(1);
        let mut shown = Shown::beside(&path, "a").unwrap();
        shown.add(&[0, 3, 4]).unwrap();
        let again = Shown::beside(&path, "a").unwrap();
        let order = again.order(6, false, &mut stream);
        assert_eq!(order.len(), 6);
        assert!(
            order[..3].iter().all(|pair| [1, 2, 5].contains(pair)),
            "{order:?}"
        );
        assert_eq!(again.order(6, true, &mut stream).len(), 3);
        assert_eq!(again.fresh(6), 3);
        // Another mark under the same name was shown to nobody.
        assert_eq!(Shown::beside(&path, "b").unwrap().fresh(6), 6);
    }
}
