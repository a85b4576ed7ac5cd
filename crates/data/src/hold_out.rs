//! Splits a validation set off the training images, by whole groups: near-duplicates on both sides would make it worthless.

use std::collections::{BTreeMap, HashMap};

use brink_config::checked::Minority;
use brink_random::Stream;

use crate::Split;

impl Split {
    /// Holds out a random `share` of every class. Returns the remaining images and the held-out ones, both in their old order.
    ///
    /// Groups stay whole, so the number held out of a class is off by at most half of its largest group. Without groups every
    /// image is a group of its own. A group with several classes counts for the class of its first image.
    pub fn hold_out(&self, share: Minority, stream: &mut Stream) -> (Self, Self) {
        let mut held: Vec<usize> = Vec::new();
        for mut groups in self.groups_of_classes() {
            stream.shuffle(&mut groups);
            let target = share.get() * groups.iter().map(Vec::len).sum::<usize>() as f64;
            let mut taken = 0;
            for group in groups {
                if taken as f64 + group.len() as f64 / 2.0 > target {
                    break;
                }
                taken += group.len();
                held.extend(group);
            }
        }
        held.sort_unstable();
        let rest: Vec<usize> = (0..self.len())
            .filter(|index| held.binary_search(index).is_err())
            .collect();
        (self.select(&rest), self.select(&held))
    }

    /// For every class present, the image indices of each group. Groups are in the order of their first images.
    fn groups_of_classes(&self) -> Vec<Vec<Vec<usize>>> {
        let mut groups: Vec<Vec<usize>> = Vec::new();
        let mut known = HashMap::new();
        for index in 0..self.len() {
            let next = groups.len();
            let place = self
                .group(index)
                .map_or(next, |group| *known.entry(group).or_insert(next));
            if place == next {
                groups.push(Vec::new());
            }
            groups[place].push(index);
        }
        let mut of_class = BTreeMap::<u32, Vec<Vec<usize>>>::new();
        for group in groups {
            let class = self.label(group[0]);
            of_class.entry(class).or_default().push(group);
        }
        of_class.into_values().collect()
    }
}
