//! The driver of the microkernels: a planned product over all images, in parallel, with an epilogue.

use crate::kernel::{Element, Epilogue, Finish, Isa, Kernels, MAX_ROWS, PANEL, Run, Tile, WIDE};
use crate::packed::Packed;
use crate::parallel::{Shared, filled, for_each, prefetch};
use crate::plan::{Class, Plan};
use std::mem::MaybeUninit;

/// The product of `plan` for `images` images: one sum over a position's runs for each output position and column.
///
/// `a` holds `images * plan.image.0` elements; the result `images * plan.image.1`.
pub(crate) fn planned<T: Element>(
    plan: &Plan,
    images: usize,
    a: &[T],
    b: &Packed<T>,
    epilogue: Epilogue<'_, T>,
) -> Vec<T> {
    assert_eq!(
        a.len(),
        images * plan.image.0,
        "the left operand has the plan's shape"
    );
    assert_eq!(
        (b.depth, b.columns),
        plan.right,
        "the right operand has the plan's shape"
    );
    for map in [epilogue.residual, epilogue.mask].into_iter().flatten() {
        assert_eq!(
            map.len(),
            images * plan.image.1,
            "the epilogue has the result's shape"
        );
    }
    for vector in [epilogue.bias, epilogue.scale, epilogue.shift]
        .into_iter()
        .flatten()
    {
        assert_eq!(vector.len(), b.columns, "one element for each column");
    }
    if let Some(noted) = epilogue.negatives {
        let panels = images * plan.image.1 / b.columns * b.columns.div_ceil(PANEL);
        assert_eq!(
            [noted.channels, noted.sums.len(), noted.signs.len()],
            [b.columns, panels, panels],
            "there is a place for each panel"
        );
    }
    let kernels = T::kernels(Isa::current());
    let tiles: Vec<usize> = plan
        .classes
        .iter()
        .map(|class| (images * class.positions.len()).div_ceil(kernels.rows))
        .collect();
    let total: usize = tiles.iter().sum();
    let groups = b.columns.div_ceil(kernels.cols);
    // A block of tiles walks all panels while its input is in cache. With few tiles, tasks also split the panels.
    let tasks = 8 * rayon::current_num_threads();
    let block = total.div_ceil(tasks).clamp(1, 8);
    let blocks = total.div_ceil(block);
    let splits = tasks.div_ceil(blocks.max(1)).clamp(1, groups.max(1));

    let work = |task: usize, out: &Shared<'_, MaybeUninit<T>>| {
        let (at, split) = (task / splits, task % splits);
        let mut cursor = Cursor::new(&plan.classes, &tiles, at * block);
        let rows: Vec<Rows<'_, T>> = std::iter::from_fn(|| cursor.next())
            .take(block.min(total - at * block))
            .map(|(class, tile)| {
                Rows::new(plan, &plan.classes[class], images, tile, kernels.rows, a)
            })
            .collect();
        let mut sums = Tile::new();
        for group in split * groups / splits..(split + 1) * groups / splits {
            for rows in &rows {
                one_tile(&kernels, rows, group, b, &epilogue, &mut sums, out);
            }
        }
    };
    // SAFETY: a plan's classes hold every position of the result, and the groups hold every column.
    unsafe {
        filled(images * plan.image.1, |out| {
            for_each(blocks * splits, |task| work(task, out));
        })
    }
}

/// Walks the tiles of all classes, starting with tile `skip`.
struct Cursor<'a> {
    classes: &'a [Class],
    tiles: &'a [usize],
    class: usize,
    tile: usize,
}

impl<'a> Cursor<'a> {
    fn new(classes: &'a [Class], tiles: &'a [usize], skip: usize) -> Self {
        let (mut class, mut tile) = (0, skip);
        while class < tiles.len() && tile >= tiles[class] {
            tile -= tiles[class];
            class += 1;
        }
        Self {
            classes,
            tiles,
            class,
            tile,
        }
    }

    fn next(&mut self) -> Option<(usize, usize)> {
        while self.class < self.classes.len() && self.tile >= self.tiles[self.class] {
            self.tile = 0;
            self.class += 1;
        }
        (self.class < self.classes.len()).then(|| {
            self.tile += 1;
            (self.class, self.tile - 1)
        })
    }
}

/// The rows of one tile.
struct Rows<'a, T> {
    count: usize,
    /// The start of each row, in the left operand or in a copy.
    from: [*const T; MAX_ROWS],
    runs: &'a [Run],
    /// The offset of each row's results.
    to: [usize; MAX_ROWS],
    /// Owns the copy that `from` points to, if there is one.
    _copy: Vec<T>,
}

impl<'a, T: Element> Rows<'a, T> {
    /// The rows of tile `tile` of `class`. A full tile has `height` rows.
    fn new(
        plan: &Plan,
        class: &'a Class,
        images: usize,
        tile: usize,
        height: usize,
        a: &[T],
    ) -> Self {
        let positions = class.positions.len();
        let first = tile * height;
        let count = height.min(images * positions - first);
        let (mut starts, mut to) = ([0; MAX_ROWS], [0; MAX_ROWS]);
        let (mut image, mut at) = (first / positions, first % positions);
        for r in 0..count {
            let position = class.positions[at];
            starts[r] = (image * plan.image.0) as isize + position.a;
            to[r] = image * plan.image.1 + position.out;
            at += 1;
            if at == positions {
                (image, at) = (image + 1, 0);
            }
        }
        let starts = &starts[..count];
        let mut rows = Self {
            count,
            from: [a.as_ptr(); MAX_ROWS],
            runs: &class.runs,
            to,
            _copy: Vec::new(),
        };
        if crowded::<T>(starts) {
            rows.copy(class, starts, a);
        } else {
            for (from, &start) in rows.from.iter_mut().zip(starts) {
                *from = a.as_ptr().wrapping_offset(start);
            }
        }
        rows
    }

    /// Copies the rows to addresses at which they do not evict each other.
    fn copy(&mut self, class: &'a Class, starts: &[isize], a: &[T]) {
        let depth: usize = class.runs.iter().map(|run| run.len).sum();
        // An odd number of cache lines spreads the rows over all sets.
        let line = LINE / size_of::<T>();
        let stride = (depth.div_ceil(line) | 1) * line;
        let mut copy = Vec::with_capacity(starts.len() * stride);
        for (r, &start) in starts.iter().enumerate() {
            for run in &class.runs {
                copy.extend_from_slice(&a[(start + run.a) as usize..][..run.len]);
            }
            copy.resize((r + 1) * stride, T::ZERO);
        }
        for (from, row) in self.from.iter_mut().zip(copy.chunks_exact(stride)) {
            *from = row.as_ptr();
        }
        (self.runs, self._copy) = (&class.copied, copy);
    }
}

/// Bytes of a cache line, and the number of sets of a first-level cache.
const LINE: usize = 64;
const SETS: usize = 64;

/// Whether rows at these offsets share so few sets of the first-level cache that they evict each other. Pixels with a power of two of
/// channels do.
fn crowded<T>(starts: &[isize]) -> bool {
    let mut sets = [0u8; SETS];
    for start in starts {
        sets[(start * size_of::<T>() as isize / LINE as isize) as usize % SETS] += 1;
    }
    sets.into_iter().any(|rows| rows > MANY)
}

/// Rows per set, beside the right operand.
const MANY: u8 = 7;

#[inline]
fn one_tile<T: Element>(
    kernels: &Kernels<T>,
    rows: &Rows<'_, T>,
    group: usize,
    b: &Packed<T>,
    epilogue: &Epilogue<'_, T>,
    sums: &mut Tile<T>,
    out: &Shared<'_, MaybeUninit<T>>,
) {
    let column = group * kernels.cols;
    let width = kernels.cols.min(b.columns - column);
    let panels = width.div_ceil(PANEL);
    let panel = b.data[column * b.depth..].as_ptr();
    // The data of the epilogue arrives while the product runs.
    for &start in &rows.to[..rows.count] {
        for at in (start + column..start + column + width).step_by(LINE / size_of::<T>()) {
            out.prefetch(at);
            for map in [epilogue.residual, epilogue.mask].into_iter().flatten() {
                prefetch(&map[at]);
            }
        }
    }
    let whole = width == panels * PANEL;
    let at = |map: &[T]| map[column..].as_ptr();
    let to = &rows.to[..rows.count];
    let noted: [usize; MAX_ROWS];
    let finish = if whole {
        let negatives = match epilogue.negatives {
            Some(all) => {
                noted = rows.to.map(|start| all.panel(start + column, column));
                Some(all.of_tile(&noted[..rows.count]))
            }
            None => None,
        };
        Finish {
            bias: epilogue.bias.map(at),
            negatives,
            scale: epilogue.scale.map(at),
            shift: epilogue.shift.map(at),
            residual: epilogue.residual.map(at),
            relu: epilogue.relu,
            mask: epilogue.mask.map(at),
            out: out.pointer(column).cast(),
            to,
        }
    } else {
        Finish::plain(sums)
    };
    // SAFETY: a plan's runs stay inside an image for every position of their class, and inside the packed depth. The assertion on `a` and
    // `Packed::new` make both readable. Each position has its own range of the result, with one element per column, and each task has its
    // own tiles and columns. Residual and mask are as long as the result, and `negatives` has a place for each panel.
    unsafe {
        kernels.tile(
            &rows.from[..rows.count],
            rows.runs,
            panel,
            panels,
            b.depth * PANEL,
            &Finish {
                to: &finish.to[..rows.count],
                ..finish
            },
        );
    };
    if !whole {
        for (sums, &start) in sums.0.chunks_exact_mut(WIDE).zip(to) {
            let sums = &mut sums[..width];
            epilogue.apply(sums, column, start + column);
            // SAFETY: as above.
            unsafe { out.slice(start + column, width) }.write_copy_of_slice(sums);
        }
    }
}
