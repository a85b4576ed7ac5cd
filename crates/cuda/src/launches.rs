//! Kernels that are launched in more than one place: products, and the sums of activation terms.

use crate::arguments::int;
use crate::error::Result;
use crate::kernels::*;
use crate::memory::Buffer;
use crate::session::Session;
use crate::tables::Table;

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
