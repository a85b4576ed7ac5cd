//! The tables of a plan, as whole numbers for a kernel.

use crate::plan::{Plan, Window};
use crate::scatter::CHANNELS;

/// The sizes of a product: a convolution, or a linear layer, whose window is as large as its maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Geometry {
    /// Kernel, stride and padding.
    pub window: Window,
    /// Height and width of the maps that it reads.
    pub map: (usize, usize),
    /// Input and output channels.
    pub channels: (usize, usize),
}

impl Geometry {
    /// The tables of one direction. `None` if an offset does not fit 32 bits, or the maps are smaller than the window.
    pub fn table(&self, direction: Direction) -> Option<Table> {
        let (window, map, channels) = (self.window, self.map, self.channels);
        match direction {
            Direction::Forward => Table::of(&Plan::forward(window, map, channels)?, channels.0),
            Direction::Backward => Table::of(&Plan::backward(window, map, channels)?, channels.1),
        }
    }

    /// Whether its input gradient is made of patches: each output pixel adds to the pixels that it reads. So it is with up to three input
    /// channels.
    pub fn scatters(&self) -> bool {
        self.channels.0 <= CHANNELS
    }

    /// The tables of its weights' gradient. `None` as for [`Geometry::table`].
    pub fn gradient(&self) -> Option<GradientTable> {
        GradientTable::of(&Plan::forward(self.window, self.map, self.channels)?)
    }
}

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
        let mut table = Self {
            classes: Vec::new(),
            places: Vec::new(),
            steps: Vec::new(),
            image: plan.image,
            right: plan.right,
            channels,
        };
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

/// Marks a row of the right operand that a class does not read.
pub const ABSENT: i32 = i32::MIN;

/// The gradient of a product's right operand: a sum over the forward product's rows, class by class, image by image and position by
/// position. It is cut into blocks of 128 rows of a class; each is a chain of fused multiply-adds from 0, and the blocks are added in order.
#[derive(Clone, Debug)]
pub struct GradientTable {
    /// Output positions with the same taps, in the order of the sum: positions, first position.
    pub classes: Vec<[i32; 2]>,
    /// Of each position: where it reads the left operand, and where the gradient of the result, from the image's start.
    pub places: Vec<[i32; 2]>,
    /// Of each class and row of the right operand: the offset of the left operand past the position's, or [`ABSENT`].
    pub offsets: Vec<i32>,
    /// Elements of one image of the left operand and of the result.
    pub image: (usize, usize),
    /// Rows and columns of the right operand.
    pub right: (usize, usize),
}

impl GradientTable {
    fn of(plan: &Plan) -> Option<Self> {
        let depth = plan.right.0;
        let (mut classes, mut places) = (Vec::new(), Vec::new());
        let mut offsets = vec![ABSENT; plan.classes.len() * depth];
        for (class, offsets) in plan.classes.iter().zip(offsets.chunks_mut(depth.max(1))) {
            classes.push([whole(class.positions.len())?, whole(places.len())?]);
            for place in &class.positions {
                places.push([i32::try_from(place.a).ok()?, whole(place.out)?]);
            }
            for run in &class.runs {
                for i in 0..run.len {
                    offsets[run.b + i] = i32::try_from(run.a).ok()?.checked_add(whole(i)?)?;
                }
            }
        }
        whole(plan.image.0.max(plan.image.1))?;
        Some(Self {
            classes,
            places,
            offsets,
            image: plan.image,
            right: plan.right,
        })
    }
}

fn whole(x: usize) -> Option<i32> {
    i32::try_from(x).ok()
}
