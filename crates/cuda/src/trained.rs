//! The steps whose weights are parameters: forward, and back to the gradients of the parameters.

use crate::arguments::{blocks, int, size_of_element, window};
use crate::backward::{Walk, Weights};
use crate::error::Result;
use crate::forward::{Made, PANEL, Run};
use crate::gpu::Gpu;
use crate::kernels::*;
use crate::launches::{Blocks, columns, launch, weight_gradient};
use crate::memory::Buffer;
use crate::program::Constants;
use crate::session::Session;
use crate::tables::{GradientTable, Table};
use brink_ops::Window as Sizes;
use brink_ops::trace::{Direction, Geometry, Step};
use std::sync::Arc;

/// The tables of a convolution or linear layer.
pub(crate) struct TrainedStep {
    pub forward: Arc<Table>,
    /// If its input has a gradient.
    pub back: Option<Arc<Table>>,
    pub gradient: Arc<GradientTable>,
}

impl TrainedStep {
    pub fn new(gpu: &Gpu, sizes: Geometry, back: bool) -> Result<Self> {
        let table = |direction| gpu.tables.product(gpu, sizes, direction);
        Ok(Self {
            forward: table(Direction::Forward)?,
            back: back.then(|| table(Direction::Backward)).transpose()?,
            gradient: gpu.tables.gradient(gpu, sizes)?,
        })
    }
}

/// How a weight `(o, c, kh, kw)` is packed.
enum Form {
    /// Panels of output channels, for the layer.
    Forward,
    /// Panels of input channels, for the input gradient.
    Backward,
    /// `(kh * kw, o, c)`, for patches.
    ByTap,
}

/// The packed weight at `weight`.
fn pack(
    session: &Session<'_>,
    weight: u64,
    (o, c, taps): (usize, usize, usize),
    form: &Form,
    wide: bool,
) -> Result<Buffer> {
    let (channels, columns, width) = match form {
        Form::Forward => (c, o, PANEL),
        Form::Backward => (o, c, PANEL),
        Form::ByTap => (o, c, c),
    };
    let (of_column, of_channel) = match form {
        Form::Forward => (c * taps, taps),
        Form::Backward | Form::ByTap => (taps, c * taps),
    };
    let depth = taps * channels;
    let count = columns.next_multiple_of(width) * depth;
    let packed = session.buffer(count, size_of_element(wide))?;
    let arguments = Pack {
        weight,
        packed: packed.address(),
        count: count as i64,
        depth: int(depth),
        channels: int(channels),
        columns: int(columns),
        width: int(width),
        taps: int(taps),
        of_column: int(of_column),
        of_channel: int(of_channel),
        reversed: matches!(form, Form::Backward).into(),
    };
    let kernel = if wide { &PACK_F64 } else { &PACK_F32 };
    session.launch(kernel, blocks(count), arguments)?;
    Ok(packed)
}

/// Output and input channels, and taps.
fn shape(sizes: Geometry) -> (usize, usize, usize) {
    let ((c, o), (kh, kw)) = (sizes.channels, sizes.window.kernel);
    (o, c, kh * kw)
}

impl Run<'_, '_> {
    /// The address of a parameter of the step, or 0.
    fn parameter(&self, at: usize) -> u64 {
        match self.step.parameters.get(at) {
            Some(&map) => self.maps.of(map).address(),
            None => 0,
        }
    }

    pub fn convolution(&self, sizes: Geometry, table: &Table, output: Buffer) -> Result<Made> {
        let (session, y) = (self.session, self.map(self.step.output));
        let weight = self.parameter(0);
        let panels = pack(session, weight, shape(sizes), &Form::Forward, y.wide)?;
        let arguments = Product {
            a: self.input(0),
            b: panels.address(),
            bias: self.parameter(1),
            out: output.address(),
            relu: y.rectified.into(),
            ..Product::default()
        };
        let processors = self.program.gpu.processors;
        launch(session, processors, table, y.wide, self.images, arguments)?;
        Ok(output.into())
    }

    pub fn depthwise(&self, geometry: Sizes, output: Buffer) -> Result<Made> {
        let (x, y) = (self.map(self.step.inputs[0]), self.map(self.step.output));
        let shape = (x.sizes().2, 1, geometry.kernel.0 * geometry.kernel.1);
        let weights = pack(self.session, self.parameter(0), shape, &Form::ByTap, false)?;
        let arguments = Depthwise {
            from: self.input(0),
            weights: weights.address(),
            to: output.address(),
            window: window(self.images, x, y, geometry),
        };
        let grid = blocks(y.count(self.images));
        self.session.launch(&DEPTHWISE, grid, arguments)?;
        Ok(output.into())
    }

    /// Keeps the vectors of the normalisation, and the statistics if they are the batch's.
    pub fn batch_norm(&self, eps: f64, output: Buffer) -> Result<Made> {
        let (session, y) = (self.session, self.map(self.step.output));
        let (elements, (_, _, c)) = (y.count(self.images), y.sizes());
        let (statistics, batch) = match self.program.running(self.at) {
            Some(running) => (running.address(), None),
            None => {
                let (wide, narrow) = self.measured(elements / c.max(1), c)?;
                (narrow.address(), Some((wide, narrow)))
            }
        };
        let vectors = session.buffer(4 * c, 4)?;
        let arguments = Normalisation {
            gamma: self.parameter(0),
            beta: self.parameter(1),
            statistics,
            vectors: vectors.address(),
            channels: int(c),
            eps: eps as f32,
        };
        session.launch(&NORMALISATION, blocks(c), arguments)?;
        let arguments = Channels {
            x: self.input(0),
            first: vector(&vectors, 0, c),
            second: vector(&vectors, 1, c),
            residual: self.residual(),
            out: output.address(),
            count: elements as i64,
            channels: int(c),
            relu: y.rectified.into(),
        };
        session.launch(&AFFINE, blocks(elements), arguments)?;
        let (wide, narrow) = batch.unzip();
        Ok(Made {
            kept: [vectors].into_iter().chain(narrow).collect(),
            statistics: wide.map(|wide| (wide, c)),
            ..output.into()
        })
    }

    /// Mean and variance of the batch, in f64 and in f32.
    fn measured(&self, rows: usize, c: usize) -> Result<(Buffer, Buffer)> {
        let (session, x) = (self.session, self.input(0));
        let (wide, narrow) = (session.buffer(2 * c, 8)?, session.buffer(2 * c, 4)?);
        let arguments = |sums: &Blocks| Statistics {
            blocks: sums.buffer.address(),
            wide: wide.address(),
            narrow: narrow.address(),
            count: sums.count as i64,
            rows: rows as i64,
            channels: int(c),
        };
        let of = Columns {
            x,
            mean: narrow.address(),
            ..Columns::default()
        };
        let sums = columns(session, (&COLUMN_SUMS_F32, 1), (rows, c), of)?;
        session.launch(&BATCH_MEAN, blocks(c), arguments(&sums))?;
        let sums = columns(session, (&COLUMN_DEVIATIONS, 2), (rows, c), of)?;
        session.launch(&BATCH_VARIANCE, blocks(c), arguments(&sums))?;
        Ok((wide, narrow))
    }

    pub fn fold(&self, bins: (usize, usize), map: (usize, usize), output: &Buffer) -> Result<()> {
        let count = self.map(self.step.output).count(self.images);
        let arguments = folding(self.input(0), output, count, bins, map);
        self.session.launch(&FOLD, blocks(count), arguments)
    }

    /// Keeps the mask.
    pub fn dropout(&self, mask: Buffer) -> Result<Made> {
        let count = self.map(self.step.output).count(self.images);
        let output = self.session.buffer(count, 4)?;
        let arguments = Pair {
            a: self.input(0),
            b: mask.address(),
            out: output.address(),
            count: count as i64,
        };
        self.session.launch(&MULTIPLY, blocks(count), arguments)?;
        Ok(Made {
            kept: vec![mask],
            ..output.into()
        })
    }
}

/// The address of vector `at` of several, each with an f32 a channel.
fn vector(vectors: &Buffer, at: usize, channels: usize) -> u64 {
    vectors.address() + (4 * at * channels) as u64
}

fn folding(
    from: u64,
    to: &Buffer,
    count: usize,
    bins: (usize, usize),
    map: (usize, usize),
) -> Fold {
    Fold {
        from,
        to: to.address(),
        count: count as i64,
        bh: int(bins.0),
        bw: int(bins.1),
        h: int(map.0),
        w: int(map.1),
    }
}

impl Walk<'_, '_> {
    /// The sums of blocks as the gradient of a vector, or of a weight `(c, 1, kh, kw)` with so many taps.
    fn total(&mut self, map: usize, sums: &Blocks, taps: usize) -> Result<()> {
        let (out, elements) = self.fresh(map)?;
        let arguments = Totals {
            blocks: sums.buffer.address(),
            out: out.address(),
            count: sums.count as i64,
            channels: int(elements / taps),
            taps: int(taps),
        };
        let wide = self.map(map).wide;
        let kernel = if wide { &TOTALS_F64 } else { &TOTALS_F32 };
        self.session.launch(kernel, blocks(elements), arguments)?;
        self.add(map, Arc::new(out))
    }

    pub fn convolution(
        &mut self,
        at: usize,
        step: &Step,
        sizes: Geometry,
        grad: Arc<Buffer>,
    ) -> Result<()> {
        let (session, input, dy) = (self.session, step.inputs[0], grad.address());
        let (y, weight) = (self.map(step.output), step.parameters[0]);
        let (wide, rows) = (y.wide, y.count(self.images) / sizes.channels.1.max(1));
        let Constants::Trained(tables) = &self.program.constants[at] else {
            unreachable!("a convolution has its tables");
        };
        if let Some(table) = &tables.back {
            let from = self.maps.of(weight).address();
            let scatters = sizes.scatters();
            let form = if scatters {
                Form::ByTap
            } else {
                Form::Backward
            };
            let packed = pack(session, from, shape(sizes), &form, wide)?;
            let weights = match scatters {
                true => Weights::Patches(packed.address()),
                false => Weights::Panels(packed.address(), table),
            };
            self.input_gradient(step, sizes, weights, dy)?;
        }
        let operands = (self.maps.of(input).address(), dy);
        let kind = (sizes.channels.0, wide);
        let own = weight_gradient(session, &tables.gradient, kind, self.images, operands)?;
        self.add(weight, Arc::new(own))?;
        for &bias in &step.parameters[1..] {
            let kernel = if wide {
                &COLUMN_SUMS_F64
            } else {
                &COLUMN_SUMS_F32
            };
            let of = Columns {
                x: dy,
                ..Columns::default()
            };
            let sums = columns(session, (kernel, 1), (rows, sizes.channels.1), of)?;
            self.total(bias, &sums, 1)?;
        }
        Ok(())
    }

    pub fn depthwise(&mut self, step: &Step, geometry: Sizes, grad: Arc<Buffer>) -> Result<()> {
        let (session, input, weight) = (self.session, step.inputs[0], step.parameters[0]);
        let (x, y) = (self.map(input), self.map(step.output));
        let (c, taps) = (x.sizes().2, geometry.kernel.0 * geometry.kernel.1);
        let rows = y.count(self.images) / c.max(1);
        let numbers = window(self.images, x, y, geometry);
        if self.program.wanted[input] {
            let from = self.maps.of(weight).address();
            let weights = pack(session, from, (c, 1, taps), &Form::ByTap, false)?;
            let (out, elements) = self.fresh(input)?;
            let arguments = Depthwise {
                from: grad.address(),
                weights: weights.address(),
                to: out.address(),
                window: numbers,
            };
            session.launch(&DEPTHWISE_BACK, blocks(elements), arguments)?;
            self.add(input, Arc::new(out))?;
        }
        let sums = Blocks::new(session, rows, taps * c)?;
        let arguments = DepthwiseColumns {
            x: self.maps.of(input).address(),
            dy: grad.address(),
            blocks: sums.buffer.address(),
            window: numbers,
        };
        session.launch(&DEPTHWISE_COLUMNS, sums.grid(taps, c), arguments)?;
        self.total(weight, &sums, taps)
    }

    pub fn batch_norm(&mut self, at: usize, step: &Step, grad: Arc<Buffer>) -> Result<()> {
        let (session, input) = (self.session, step.inputs[0]);
        let (elements, (_, _, c)) = {
            let y = self.map(step.output);
            (y.count(self.images), y.sizes())
        };
        let rows = elements / c.max(1);
        let (kept, x) = (&self.maps.kept[at], self.maps.of(input).address());
        let (vectors, running) = (&kept[0], self.program.running(at));
        let mean = running.unwrap_or_else(|| &kept[1]).address();
        let of = Columns {
            x,
            g: grad.address(),
            mean,
            ..Columns::default()
        };
        let sums = columns(session, (&COLUMN_SLOPES, 2), (rows, c), of)?;
        let [gamma, beta] = [session.buffer(c, 4)?, session.buffer(c, 4)?];
        let means = session.buffer(2 * c, 4)?;
        let arguments = NormalisationBack {
            blocks: sums.buffer.address(),
            inverse: vector(vectors, 2, c),
            gamma: gamma.address(),
            beta: beta.address(),
            batch: means.address(),
            count: sums.count as i64,
            rows: rows as i64,
            channels: int(c),
        };
        session.launch(&NORMALISATION_BACK, blocks(c), arguments)?;
        if self.program.wanted[input] {
            let (out, elements) = self.fresh(input)?;
            let (count, scale) = (elements as i64, vector(vectors, 3, c));
            match running {
                None => {
                    let arguments = BatchNormBack {
                        g: grad.address(),
                        x,
                        mean,
                        scale,
                        batch: means.address(),
                        out: out.address(),
                        count,
                        channels: int(c),
                    };
                    session.launch(&BATCH_NORM_BACK, blocks(elements), arguments)?;
                }
                Some(_) => {
                    let arguments = Channels {
                        x: grad.address(),
                        first: scale,
                        out: out.address(),
                        count,
                        channels: int(c),
                        ..Channels::default()
                    };
                    session.launch(&AFFINE, blocks(elements), arguments)?;
                }
            }
            self.add(input, Arc::new(out))?;
        }
        self.add(step.parameters[0], Arc::new(gamma))?;
        self.add(step.parameters[1], Arc::new(beta))
    }

    pub fn fold(
        &mut self,
        step: &Step,
        bins: (usize, usize),
        map: (usize, usize),
        grad: Arc<Buffer>,
    ) -> Result<()> {
        let (out, elements) = self.fresh(step.inputs[0])?;
        let arguments = folding(grad.address(), &out, elements, bins, map);
        self.session
            .launch(&FOLD_BACK, blocks(elements), arguments)?;
        self.add(step.inputs[0], Arc::new(out))
    }
}
