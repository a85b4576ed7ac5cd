//! The steps of a program in order: one launch each, or a few.

use crate::error::Result;
use crate::kernels::*;
use crate::memory::Buffer;
use crate::program::{Constants, ProductStep, Program};
use crate::session::Session;
use crate::tables::Table;
use brink_ops::Window as Geometry;
use brink_ops::trace::{Map, Step, Work};
use std::sync::Arc;

/// Columns of a packed panel, elements of a stretch of a sum, and lanes of a stretch.
pub(crate) const PANEL: usize = 16;
const STRETCH: usize = 256;
const LANES: usize = 16;

/// The maps of a pass, as far as they are kept.
pub(crate) struct Maps {
    pub maps: Vec<Option<Arc<Buffer>>>,
    /// The signs of each step that makes a term: a bit a unit.
    pub signs: Vec<Option<Buffer>>,
}

impl Maps {
    /// A map that is kept.
    pub fn of(&self, map: usize) -> &Arc<Buffer> {
        self.maps[map]
            .as_ref()
            .expect("a map is kept while a step needs it")
    }

    /// The values of the ends.
    pub fn ends(
        &self,
        program: &Program,
        session: &Session<'_>,
        images: usize,
    ) -> Result<Vec<Vec<f32>>> {
        let ends = program.trace.ends.iter();
        let buffers: Vec<_> = ends
            .map(|&end| (&**self.of(end), images * program.trace.maps[end].elements()))
            .collect();
        session.download(&buffers)
    }
}

/// Blocks of one element a thread.
pub(crate) fn blocks(elements: usize) -> (usize, usize) {
    (elements.div_ceil(THREADS as usize), 1)
}

/// A size as a kernel's number. Sizes of one image fit, see `Table`, and parts of a batch are cut so that rows fit.
pub(crate) fn int(size: usize) -> i32 {
    i32::try_from(size).expect("sizes of a part fit 32 bits")
}

/// Bytes of an element.
pub(crate) fn width(map: &Map) -> usize {
    if map.wide { 8 } else { 4 }
}

/// The numbers of a window's kernels.
pub(crate) fn window(images: usize, x: &Map, y: &Map, geometry: Geometry) -> Window {
    let ((h, w, c), (oh, ow, o)) = (x.sizes(), y.sizes());
    Window {
        images: int(images),
        h: int(h),
        w: int(w),
        c: int(c),
        oh: int(oh),
        ow: int(ow),
        o: int(o),
        kh: int(geometry.kernel.0),
        kw: int(geometry.kernel.1),
        stride: int(geometry.stride),
        padding: int(geometry.padding),
    }
}

/// Runs all steps on `pixels`. Maps that no later step reads are dropped, unless the pass is `recording`.
pub(crate) fn forward(
    program: &Program,
    session: &Session<'_>,
    pixels: &[f32],
    images: usize,
    recording: bool,
) -> Result<Maps> {
    let trace = &program.trace;
    let mut maps = Maps {
        maps: trace.maps.iter().map(|_| None).collect(),
        signs: trace.steps.iter().map(|_| None).collect(),
    };
    let pixels = match pixels.is_empty() {
        true => session.buffer(images * trace.maps[0].elements(), 4)?,
        false => session.upload(pixels)?,
    };
    maps.maps[0] = Some(Arc::new(pixels));
    for (at, step) in trace.steps.iter().enumerate() {
        let run = Run {
            program,
            session,
            maps: &maps,
            images,
            at,
            step,
        };
        let made = run.step(recording)?;
        maps.maps[step.output] = Some(Arc::new(made.output));
        if let (Some((map, _)), Some(term)) = (step.term, made.term) {
            maps.maps[map] = Some(Arc::new(term));
        }
        maps.signs[at] = made.signs;
        if !recording {
            let ended = (0..trace.maps.len()).filter(|&map| program.last[map] <= at);
            for map in ended {
                maps.maps[map] = None;
            }
        }
    }
    Ok(maps)
}

/// What a step has made.
struct Made {
    output: Buffer,
    term: Option<Buffer>,
    signs: Option<Buffer>,
}

/// A step about to run.
struct Run<'a> {
    program: &'a Program,
    session: &'a Session<'a>,
    maps: &'a Maps,
    images: usize,
    at: usize,
    step: &'a Step,
}

impl Run<'_> {
    fn map(&self, map: usize) -> &Map {
        &self.program.trace.maps[map]
    }

    /// The address of an input.
    fn input(&self, at: usize) -> u64 {
        self.maps.of(self.step.inputs[at]).address()
    }

    /// The address of the residual, or 0.
    fn residual(&self) -> u64 {
        match self.step.inputs.get(1) {
            Some(&map) => self.maps.of(map).address(),
            None => 0,
        }
    }

    fn step(&self, recording: bool) -> Result<Made> {
        let (x, y) = (self.map(self.step.inputs[0]), self.map(self.step.output));
        let elements = self.images * y.elements();
        let output = self.session.buffer(elements, width(y))?;
        let out = output.address();
        let (session, from, count) = (self.session, self.input(0), elements as i64);
        let grid = blocks(elements);
        let constants = &self.program.constants[self.at];
        let vector = |at: usize| match constants {
            Constants::Vectors(vectors) => vectors.get(at).map_or(0, Buffer::address),
            _ => 0,
        };
        let (h, w, c) = y.sizes();
        let channels = Channels {
            x: from,
            first: vector(0),
            second: vector(1),
            out,
            count,
            channels: int(c),
            ..Channels::default()
        };
        match (&self.step.work, constants) {
            (Work::Product(_), Constants::Product(product)) => {
                return self.product(product, output, recording);
            }
            (Work::ChannelsLast, _) => {
                let arguments = Transpose {
                    x: from,
                    out,
                    count,
                    rows: int(c),
                    columns: int(h * w),
                };
                session.launch(&TRANSPOSE, grid, arguments)?;
            }
            (Work::Normalize { .. }, _) => session.launch(&NORMALIZE, grid, channels)?,
            (Work::Affine { .. }, _) => {
                let arguments = Channels {
                    residual: self.residual(),
                    relu: y.rectified.into(),
                    ..channels
                };
                session.launch(&AFFINE, grid, arguments)?;
            }
            (
                Work::Depthwise {
                    window: geometry, ..
                },
                _,
            ) => {
                let arguments = Depthwise {
                    from,
                    weights: vector(0),
                    to: out,
                    window: window(self.images, x, y, *geometry),
                };
                session.launch(&DEPTHWISE, grid, arguments)?;
            }
            (Work::Relu6, _) => {
                let arguments = Pair {
                    a: from,
                    out,
                    count,
                    ..Pair::default()
                };
                session.launch(&RELU6, grid, arguments)?;
            }
            (Work::MaxPool(geometry), _) => {
                let arguments = MaxPool {
                    x: from,
                    out,
                    window: window(self.images, x, y, *geometry),
                    ..MaxPool::default()
                };
                session.launch(&MAX_POOL, grid, arguments)?;
            }
            (Work::AveragePool(_), _) => {
                let arguments = AveragePool {
                    x: from,
                    out,
                    ..average(self.images, x, y)
                };
                session.launch(&AVERAGE_POOL, grid, arguments)?;
            }
            (Work::Shortcut { stride, before }, _) => {
                let arguments = shortcut(self.images, x, y, (*stride, *before), (from, out));
                session.launch(&SHORTCUT, grid, arguments)?;
            }
            (Work::Cast, _) => {
                let kernel = if y.wide { &WIDEN } else { &NARROW };
                let x = from;
                session.launch(kernel, grid, Cast { x, out, count })?;
            }
            (Work::Negative { share }, _) => {
                term(
                    session,
                    (from, x.wide),
                    self.images,
                    x.elements(),
                    *share,
                    true,
                    &output,
                )?;
            }
            (Work::Product(_), _) => unreachable!("a product has its constants"),
        }
        Ok(Made {
            output,
            term: None,
            signs: None,
        })
    }

    fn product(&self, product: &ProductStep, output: Buffer, recording: bool) -> Result<Made> {
        let (layer, y, session) = (&product.layer, self.map(self.step.output), self.session);
        let elements = self.images * y.elements();
        let (size, (_, _, columns)) = (width(y), y.sizes());
        let vector = |vector: &Option<Buffer>| vector.as_ref().map_or(0, Buffer::address);
        let before = match self.step.term {
            Some(_) => Some(session.buffer(elements, size)?),
            None => None,
        };
        let arguments = Product {
            a: self.input(0),
            b: layer.panels.address(),
            bias: vector(&layer.vectors.bias),
            scale: vector(&layer.vectors.scale),
            shift: vector(&layer.vectors.shift),
            residual: self.residual(),
            before: vector(&before),
            out: output.address(),
            relu: y.rectified.into(),
            ..Product::default()
        };
        let processors = self.program.gpu.processors;
        launch(
            session,
            processors,
            &product.forward,
            layer.wide,
            self.images,
            arguments,
        )?;
        let Some((before, (_, share))) = before.zip(self.step.term) else {
            return Ok(Made {
                output,
                term: None,
                signs: None,
            });
        };
        let panels = columns.div_ceil(PANEL);
        let rows = elements / columns.max(1);
        let sums = session.buffer(rows * panels, size)?;
        let signs = session.buffer(rows * panels, 2)?;
        let arguments = Note {
            x: before.address(),
            sums: sums.address(),
            signs: signs.address(),
            rows: rows as i64,
            columns: int(columns),
            panels: int(panels),
        };
        let kernel = if layer.wide { &NOTE_F64 } else { &NOTE_F32 };
        session.launch(kernel, blocks(rows * panels), arguments)?;
        drop(before);
        let made = session.buffer(self.images, size)?;
        let noted = (sums.address(), layer.wide);
        let each = rows * panels / self.images.max(1);
        term(session, noted, self.images, each, share, false, &made)?;
        Ok(Made {
            output,
            term: Some(made),
            signs: recording.then_some(signs),
        })
    }
}

/// The numbers of an average pooling's kernels.
pub(crate) fn average(images: usize, x: &Map, y: &Map) -> AveragePool {
    let ((h, w, c), (oh, ow, _)) = (x.sizes(), y.sizes());
    AveragePool {
        images: int(images),
        h: int(h),
        w: int(w),
        c: int(c),
        oh: int(oh),
        ow: int(ow),
        ..AveragePool::default()
    }
}

/// The arguments of a shortcut, or of its gradient.
pub(crate) fn shortcut(
    images: usize,
    x: &Map,
    y: &Map,
    (stride, before): (usize, usize),
    (from, to): (u64, u64),
) -> Shortcut {
    let ((h, w, c), (oh, ow, wide)) = (x.sizes(), y.sizes());
    Shortcut {
        from,
        to,
        images: int(images),
        h: int(h),
        w: int(w),
        c: int(c),
        oh: int(oh),
        ow: int(ow),
        wide: int(wide),
        before: int(before),
        stride: int(stride),
    }
}

/// The sum of each image's elements, or of their negative part, times `share`, into `out`.
fn term(
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
