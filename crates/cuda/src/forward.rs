//! The steps of a program in order: one launch each, or a few.

use crate::arguments::{average, blocks, int, shortcut, width, window};
use crate::error::Result;
use crate::kernels::*;
use crate::launches::{launch, term};
use crate::memory::Buffer;
use crate::program::{Constants, ProductStep, Program};
use crate::session::Session;
use brink_ops::trace::{Map, Step, Work};
use std::sync::Arc;

/// Columns of a packed panel.
pub(crate) const PANEL: usize = 16;

/// The maps of a pass, as far as they are kept.
pub(crate) struct Maps {
    pub maps: Vec<Option<Arc<Buffer>>>,
    /// What else each step keeps for the way back: the signs of a term, a bit a unit; a mask; or the vectors of a normalisation.
    pub kept: Vec<Vec<Buffer>>,
    /// Mean and variance of each batch that was normalised with its own, in f64, and the channels.
    pub statistics: Vec<(Buffer, usize)>,
}

/// What a pass starts from. A session that only counts needs no values.
#[derive(Clone, Copy, Default)]
pub(crate) struct Start<'a> {
    pub images: usize,
    pub pixels: &'a [f32],
    /// The parameters in their order.
    pub parameters: &'a [Arc<Buffer>],
    /// The mask of each dropout.
    pub masks: &'a [Vec<f32>],
}

impl<'a> Start<'a> {
    /// Images of a frozen network.
    pub fn of(pixels: &'a [f32], images: usize) -> Self {
        Self {
            images,
            pixels,
            ..Self::default()
        }
    }
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

/// The values on the device, or room for so many if there are none.
fn given(session: &Session<'_>, values: &[f32], count: usize) -> Result<Buffer> {
    match values.is_empty() {
        true => session.buffer(count, 4),
        false => session.upload(values),
    }
}

/// Runs all steps. Maps that no later step reads are dropped, unless the pass is `recording`.
pub(crate) fn forward(
    program: &Program,
    session: &Session<'_>,
    start: Start<'_>,
    recording: bool,
) -> Result<Maps> {
    let (trace, images) = (&program.trace, start.images);
    let mut maps = Maps {
        maps: trace.maps.iter().map(|_| None).collect(),
        kept: Vec::with_capacity(trace.steps.len()),
        statistics: Vec::new(),
    };
    let pixels = given(session, start.pixels, images * trace.maps[0].elements())?;
    maps.maps[0] = Some(Arc::new(pixels));
    for at in 0..trace.parameters {
        let parameter = match start.parameters.get(at) {
            Some(parameter) => parameter.clone(),
            None => Arc::new(session.buffer(0, 4)?),
        };
        maps.maps[1 + at] = Some(parameter);
    }
    let mut masks = start.masks.iter();
    for (at, step) in trace.steps.iter().enumerate() {
        let run = Run {
            program,
            session,
            maps: &maps,
            images,
            at,
            step,
        };
        let made = match step.work {
            Work::Dropout => {
                let mask = masks.next().map_or(&[][..], Vec::as_slice);
                run.dropout(given(
                    session,
                    mask,
                    images * run.map(step.output).elements(),
                )?)?
            }
            _ => run.step(recording)?,
        };
        maps.maps[step.output] = Some(Arc::new(made.output));
        maps.statistics.extend(made.statistics);
        if let (Some((map, _)), Some(term)) = (step.term, made.term) {
            maps.maps[map] = Some(Arc::new(term));
        }
        maps.kept.push(made.kept);
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
pub(crate) struct Made {
    pub output: Buffer,
    pub term: Option<Buffer>,
    pub kept: Vec<Buffer>,
    pub statistics: Option<(Buffer, usize)>,
}

impl From<Buffer> for Made {
    fn from(output: Buffer) -> Self {
        Self {
            output,
            term: None,
            kept: Vec::new(),
            statistics: None,
        }
    }
}

/// A step about to run.
pub(crate) struct Run<'a, 's> {
    pub program: &'a Program,
    pub session: &'a Session<'s>,
    pub maps: &'a Maps,
    pub images: usize,
    pub at: usize,
    pub step: &'a Step,
}

impl Run<'_, '_> {
    pub fn map(&self, map: usize) -> &Map {
        &self.program.trace.maps[map]
    }

    /// The address of an input.
    pub fn input(&self, at: usize) -> u64 {
        self.maps.of(self.step.inputs[at]).address()
    }

    /// The address of the residual, or 0.
    pub fn residual(&self) -> u64 {
        match self.step.inputs.get(1) {
            Some(&map) => self.maps.of(map).address(),
            None => 0,
        }
    }

    fn step(&self, recording: bool) -> Result<Made> {
        let (x, y) = (self.map(self.step.inputs[0]), self.map(self.step.output));
        let elements = y.count(self.images);
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
            (Work::Convolution(sizes), Constants::Trained(tables)) => {
                return self.convolution(*sizes, &tables.forward, output);
            }
            (Work::DepthwiseConvolution(geometry), _) => {
                return self.depthwise(*geometry, output);
            }
            (Work::BatchNorm { eps, .. }, _) => return self.batch_norm(*eps, output),
            (Work::Fold { bins, map }, _) => self.fold(*bins, *map, &output)?,
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
            (Work::Product(_) | Work::Convolution(_), _) => {
                unreachable!("a product has its constants")
            }
            (Work::Dropout, _) => unreachable!("it has a mask"),
        }
        Ok(output.into())
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
            return Ok(output.into());
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
            term: Some(made),
            kept: Vec::from_iter(recording.then_some(signs)),
            ..output.into()
        })
    }
}
