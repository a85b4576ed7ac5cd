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
