//! The tables of a plan, as whole numbers for a kernel.

use crate::plan::Plan;

/// The direction of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The layer.
    Forward,
    /// The gradient of its input.
    Backward,
}

/// One direction of a product for one map size. Offsets are in elements.
#[derive(Clone, Debug)]
pub struct Table {
    /// Output positions with the same taps: positions, steps, first position, first step. The class with most positions comes first.
    pub classes: Vec<[i32; 4]>,
    /// Of each position: where it reads, and where it writes, from the image's start.
    pub places: Vec<[i32; 2]>,
    /// Of each step of a class's sum: the offset of the left operand past the position's, and the row of the right operand.
    pub steps: Vec<[i32; 2]>,
    /// Elements of one image of the left operand and of the result.
    pub image: (usize, usize),
    /// Rows and columns of the right operand.
    pub right: (usize, usize),
    /// Channels of the left operand: so many steps follow each other in memory.
    pub channels: usize,
}

impl Table {
    /// `None` if an offset does not fit 32 bits.
    pub(crate) fn of(plan: &Plan, channels: usize) -> Option<Self> {
        let (mut table, whole) = (
            Self {
                classes: Vec::new(),
                places: Vec::new(),
                steps: Vec::new(),
                image: plan.image,
                right: plan.right,
                channels,
            },
            |x: usize| i32::try_from(x).ok(),
        );
        let mut classes: Vec<_> = plan.classes.iter().collect();
        classes.sort_by_key(|class| std::cmp::Reverse(class.positions.len()));
        for class in classes {
            let first = [table.places.len(), table.steps.len()];
            for place in &class.positions {
                let a = i32::try_from(place.a).ok()?;
                table.places.push([a, whole(place.out)?]);
            }
            for run in &class.runs {
                for i in 0..run.len {
                    let a = i32::try_from(run.a).ok()?.checked_add(whole(i)?)?;
                    table.steps.push([a, whole(run.b + i)?]);
                }
            }
            table.classes.push([
                whole(class.positions.len())?,
                whole(table.steps.len() - first[1])?,
                whole(first[0])?,
                whole(first[1])?,
            ]);
        }
        (plan.image.0.max(plan.image.1) <= i32::MAX as usize).then_some(table)
    }
}
