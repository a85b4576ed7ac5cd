//! Kernels that are launched in more than one place, or in rounds: products, and sums over pixels.

use crate::arguments::{blocks, int, size_of_element};
use crate::error::Result;
use crate::kernels::*;
use crate::memory::Buffer;
use crate::session::Session;
use crate::tables::{GradientTable, Table};

/// Rows of a chain of a weight gradient, and bytes of the chains of a round, unless one block has more.
const ROWS: usize = 128;
const ROUND: usize = 64 << 20;

/// Rows of a block of a channel's sum, and channels that a thread block sums.
const COLUMN_ROWS: usize = 512;
const SLICE: usize = 8;

/// Elements of a stretch of a sum, and lanes of a stretch.
const STRETCH: usize = 256;
const LANES: usize = 16;

/// The sum of each image's elements, or of their negative part, times `share`, into `out`.
pub(crate) fn term(
    session: &Session<'_>,
    (x, wide): (u64, bool),
    images: usize,
    image: usize,
    share: f64,
    negative: bool,
    out: &Buffer,
) -> Result<()> {
    let stretches = image.div_ceil(STRETCH);
    let sums = session.buffer(images * stretches, 8)?;
    let arguments = Stretches {
        x,
        sums: sums.address(),
        image: image as i64,
        stretches: stretches as i64,
        images: int(images),
        negative: negative.into(),
    };
    let kernel = if wide { &STRETCHES_F64 } else { &STRETCHES_F32 };
    let blocks = (images * stretches).div_ceil(THREADS as usize / LANES);
    session.launch(kernel, (blocks, 1), arguments)?;
    let arguments = Term {
        sums: sums.address(),
        out: out.address(),
        stretches: stretches as i64,
        share,
        wide: wide.into(),
    };
    session.launch(&TERM, (images, 1), arguments)
}

/// Launches a product with the tile that fills the GPU best. No bit depends on it.
pub(crate) fn launch(
    session: &Session<'_>,
    processors: usize,
    table: &Table,
    wide: bool,
    images: usize,
    arguments: Product,
) -> Result<()> {
    let arguments = Product {
        classes: table.classes.address(),
        places: table.places.address(),
        steps: table.steps.address(),
        images: int(images),
        a_image: int(table.image.0),
        o_image: int(table.image.1),
        columns: int(table.right.1),
        depth: int(table.right.0),
        ..arguments
    };
    let grid = |tile: usize| {
        let tiles = |&positions: &usize| (images * positions).div_ceil(tile);
        let rows: usize = table.positions.iter().map(tiles).sum();
        (rows, table.right.1.div_ceil(tile))
    };
    let (rows, columns) = grid(64);
    // A half of a large tile would be empty, or there would be too few of them.
    let large = !wide && table.right.1 > 32 && rows * columns >= 2 * processors;
    let kernel = match (wide, large, table.fours) {
        (true, _, true) => &PRODUCT_F64_32_4,
        (true, _, false) => &PRODUCT_F64_32_1,
        (_, true, true) => &PRODUCT_F32_64_4,
        (_, true, false) => &PRODUCT_F32_64_1,
        (_, false, true) => &PRODUCT_F32_32_4,
        (_, false, false) => &PRODUCT_F32_32_1,
    };
    session.launch(kernel, grid(if large { 64 } else { 32 }), arguments)
}

/// The gradient `(o, c, kh, kw)` of a product's weights, from its left operand `a` and the gradient `dy` of its result.
pub(crate) fn weight_gradient(
    session: &Session<'_>,
    table: &GradientTable,
    (channels, wide): (usize, bool),
    images: usize,
    (a, dy): (u64, u64),
) -> Result<Buffer> {
    let ((depth, columns), size) = (table.right, size_of_element(wide));
    let out = session.buffer(depth * columns, size)?;
    let chains = |&positions: &usize| (images * positions).div_ceil(ROWS);
    let all: usize = table.positions.iter().map(chains).sum();
    // A grid has up to 65,535 rows.
    let round = (ROUND / (depth * columns * size).max(1)).clamp(1, all.clamp(1, 65535));
    let chains = session.buffer(round * depth * columns, size)?;
    let (outer, tile, sum) = match wide {
        true => (&OUTER_F64_32, 32, &OUTER_SUM_F64),
        false if columns > 32 => (&OUTER_F32_64, 64, &OUTER_SUM_F32),
        false => (&OUTER_F32_32, 32, &OUTER_SUM_F32),
    };
    for first in (0..all).step_by(round) {
        let end = all.min(first + round);
        let arguments = Outer {
            a,
            dy,
            chains: chains.address(),
            classes: table.classes.address(),
            places: table.places.address(),
            offsets: table.offsets.address(),
            images: int(images),
            a_image: int(table.image.0),
            dy_image: int(table.image.1),
            columns: int(columns),
            depth: int(depth),
            first: int(first),
        };
        let tiles = depth.div_ceil(tile) * columns.div_ceil(tile);
        session.launch(outer, (tiles, end - first), arguments)?;
        let arguments = OuterSum {
            chains: chains.address(),
            out: out.address(),
            classes: table.classes.address(),
            offsets: table.offsets.address(),
            all: int(table.positions.len()),
            images: int(images),
            columns: int(columns),
            depth: int(depth),
            channels: int(channels),
            taps: int(depth / channels.max(1)),
            first: int(first),
            end: int(end),
        };
        session.launch(sum, blocks(depth * columns), arguments)?;
    }
    Ok(out)
}

/// So many sums of each channel over all `rows` of a map, block by block.
pub(crate) fn columns(
    session: &Session<'_>,
    (kernel, sums): (&Kernel<Columns>, usize),
    (rows, channels): (usize, usize),
    arguments: Columns,
) -> Result<Blocks> {
    let made = Blocks::new(session, rows, sums * channels)?;
    let arguments = Columns {
        blocks: made.buffer.address(),
        rows: rows as i64,
        channels: int(channels),
        ..arguments
    };
    session.launch(kernel, made.grid(1, channels), arguments)?;
    Ok(made)
}

/// The sums of blocks of rows, which another kernel adds up.
pub(crate) struct Blocks {
    pub buffer: Buffer,
    pub count: usize,
}

impl Blocks {
    /// Room for so many `numbers` of each block.
    pub fn new(session: &Session<'_>, rows: usize, numbers: usize) -> Result<Self> {
        let count = rows.div_ceil(COLUMN_ROWS);
        let buffer = session.buffer(count * numbers, 8)?;
        Ok(Self { buffer, count })
    }

    /// The thread blocks for so many maps.
    pub fn grid(&self, maps: usize, channels: usize) -> (usize, usize) {
        (self.count, maps * channels.div_ceil(SLICE))
    }
}
