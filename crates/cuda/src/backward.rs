//! The walk back through a program's steps, with the sums and masks of [`brink_ops::Tape::backward`].

use crate::arguments::{average, blocks, int, shortcut, width, window};
use crate::error::Result;
use crate::forward::{Maps, PANEL};
use crate::kernels::*;
use crate::launches::launch;
use crate::memory::Buffer;
use crate::program::{Constants, Program};
use crate::session::Session;
use crate::tables::Table;
use crate::units::Back;
use brink_ops::trace::{Geometry, Map, Step, Work};
use std::sync::Arc;

/// The gradient of each end, if it has one.
pub(crate) type Grads = [Option<Vec<f32>>];

/// The gradient of a map so far, and whether its mask was applied.
pub(crate) struct Sum {
    grad: Arc<Buffer>,
    masked: bool,
}

/// The gradients of the images, or of the parameters, by map. `None` if no end depends on a map.
pub(crate) fn backward(
    program: &Program,
    session: &Session<'_>,
    maps: &Maps,
    images: usize,
    grads: &Grads,
) -> Result<Vec<Option<Arc<Buffer>>>> {
    let mut walk = Walk {
        program,
        session,
        maps,
        images,
        sums: program.trace.maps.iter().map(|_| None).collect(),
    };
    for (&end, grad) in program.trace.ends.iter().zip(grads) {
        if let Some(grad) = grad {
            walk.add(end, Arc::new(session.upload(grad)?))?;
        }
    }
    for (at, step) in program.trace.steps.iter().enumerate().rev() {
        if let Some(grad) = walk.take(step.output)? {
            walk.step(at, step, grad)?;
        }
    }
    let sums = walk.sums.into_iter();
    Ok(sums.map(|sum| sum.map(|sum| sum.grad)).collect())
}

pub(crate) struct Walk<'a, 's> {
    pub program: &'a Program,
    pub session: &'a Session<'s>,
    pub maps: &'a Maps,
    pub images: usize,
    sums: Vec<Option<Sum>>,
}

/// The weights of an input gradient on the device, with the tables that panels need.
pub(crate) enum Weights<'a> {
    Panels(u64, &'a Table),
    Patches(u64),
}

impl Walk<'_, '_> {
    pub fn map(&self, map: usize) -> &Map {
        &self.program.trace.maps[map]
    }

    /// A gradient for `map`, not yet written.
    pub fn fresh(&self, map: usize) -> Result<(Buffer, usize)> {
        let elements = self.map(map).count(self.images);
        let buffer = self.session.buffer(elements, width(self.map(map)))?;
        Ok((buffer, elements))
    }

    fn pair(&self, kernels: [&Kernel<Pair>; 2], map: usize, a: u64, b: u64) -> Result<Arc<Buffer>> {
        let (out, elements) = self.fresh(map)?;
        let arguments = Pair {
            a,
            b,
            out: out.address(),
            count: elements as i64,
        };
        let kernel = kernels[usize::from(self.map(map).wide)];
        self.session.launch(kernel, blocks(elements), arguments)?;
        Ok(Arc::new(out))
    }

    /// Adds `grad` to the gradient of `map`.
    pub fn add(&mut self, map: usize, grad: Arc<Buffer>) -> Result<()> {
        let grad = match self.sums[map].take() {
            None => grad,
            Some(sum) => {
                let (a, b) = (sum.grad.address(), grad.address());
                self.pair([&ADD_F32, &ADD_F64], map, a, b)?
            }
        };
        let masked = false;
        self.sums[map] = Some(Sum { grad, masked });
        Ok(())
    }

    /// Replaces the gradient of `map` by one that includes it, which `make` writes: it gets the sum so far, or 0, the mask, or 0, and the
    /// buffer.
    fn fuse(
        &mut self,
        map: usize,
        make: impl FnOnce(&Self, u64, bool, &Buffer, usize) -> Result<()>,
    ) -> Result<()> {
        let so_far = self.sums[map].take();
        let address = so_far.as_ref().map_or(0, |sum| sum.grad.address());
        let masked = self.map(map).rectified;
        let (out, elements) = self.fresh(map)?;
        make(self, address, masked, &out, elements)?;
        let grad = Arc::new(out);
        self.sums[map] = Some(Sum { grad, masked });
        Ok(())
    }

    /// The whole gradient of a step's output, before its ReLU.
    fn take(&mut self, map: usize) -> Result<Option<Arc<Buffer>>> {
        let Some(sum) = self.sums[map].take() else {
            return Ok(None);
        };
        if sum.masked || !self.map(map).rectified {
            return Ok(Some(sum.grad));
        }
        let (a, b) = (sum.grad.address(), self.maps.of(map).address());
        self.pair([&MASK_F32, &MASK_F64], map, a, b).map(Some)
    }

    fn step(&mut self, at: usize, step: &Step, grad: Arc<Buffer>) -> Result<()> {
        let (input, output, images) = (step.inputs[0], step.output, self.images);
        let constants = &self.program.constants[at];
        let vector = |at: usize| match constants {
            Constants::Vectors(vectors) => vectors.get(at).map_or(0, Buffer::address),
            _ => 0,
        };
        for &residual in &step.inputs[1..] {
            if self.program.wanted[residual] {
                self.add(residual, grad.clone())?;
            }
        }
        match &step.work {
            Work::Convolution(sizes) => return self.convolution(at, step, *sizes, grad),
            Work::DepthwiseConvolution(geometry) => {
                return self.depthwise(step, *geometry, grad);
            }
            Work::BatchNorm { .. } => return self.batch_norm(at, step, grad),
            Work::Fold { bins, map } => return self.fold(step, *bins, *map, grad),
            _ if !self.program.wanted[input] => return Ok(()),
            _ => {}
        }
        let x_at = self.maps.of(input).address();
        let y_at = self.maps.of(output).address();
        let dy = grad.address();
        match &step.work {
            Work::Product(_) => return self.product(at, step, grad),
            Work::MaxPool(geometry) => {
                return self.fuse(input, |walk, so_far, masked, out, elements| {
                    let arguments = MaxPool {
                        x: x_at,
                        y: y_at,
                        dy,
                        so_far,
                        out: out.address(),
                        window: window(images, walk.map(input), walk.map(output), *geometry),
                        masked: masked.into(),
                    };
                    walk.session
                        .launch(&MAX_POOL_BACK, blocks(elements), arguments)
                });
            }
            Work::AveragePool(_) => {
                return self.fuse(input, |walk, so_far, masked, out, elements| {
                    let arguments = AveragePool {
                        x: x_at,
                        dy,
                        so_far,
                        out: out.address(),
                        masked: masked.into(),
                        ..average(images, walk.map(input), walk.map(output))
                    };
                    walk.session
                        .launch(&AVERAGE_POOL_BACK, blocks(elements), arguments)
                });
            }
            Work::Negative { share } => {
                return self.fuse(input, |walk, so_far, masked, out, elements| {
                    let arguments = NegativeBack {
                        x: x_at,
                        so_far,
                        weights: dy,
                        out: out.address(),
                        share: *share,
                        count: elements as i64,
                        image: (elements / images.max(1)) as i64,
                        masked: masked.into(),
                    };
                    walk.session
                        .launch(&NEGATIVE_BACK, blocks(elements), arguments)
                });
            }
            _ => {}
        }
        let (out, elements) = self.fresh(input)?;
        let (x, y, session) = (self.map(input), self.map(output), self.session);
        let (grid, count, to) = (blocks(elements), elements as i64, out.address());
        let (h, w, c) = y.sizes();
        let channels = |first: u64| Channels {
            x: dy,
            first,
            out: to,
            count,
            channels: int(c),
            ..Channels::default()
        };
        match &step.work {
            Work::ChannelsLast => {
                let arguments = Transpose {
                    x: dy,
                    out: to,
                    count,
                    rows: int(h * w),
                    columns: int(c),
                };
                session.launch(&TRANSPOSE, grid, arguments)?;
            }
            Work::Normalize { .. } => session.launch(&NORMALIZE, grid, channels(vector(0)))?,
            Work::Affine { .. } => session.launch(&AFFINE, grid, channels(vector(2)))?,
            Work::Depthwise {
                window: geometry, ..
            } => {
                let arguments = Depthwise {
                    from: dy,
                    weights: vector(0),
                    to,
                    window: window(images, x, y, *geometry),
                };
                session.launch(&DEPTHWISE_BACK, grid, arguments)?;
            }
            Work::Dropout => {
                let arguments = Pair {
                    a: dy,
                    b: self.maps.kept[at][0].address(),
                    out: to,
                    count,
                };
                session.launch(&MULTIPLY, grid, arguments)?;
            }
            Work::Relu6 => {
                let arguments = Pair {
                    a: dy,
                    b: y_at,
                    out: to,
                    count,
                };
                session.launch(&RELU6_BACK, grid, arguments)?;
            }
            Work::Shortcut { stride, before } => {
                let arguments = shortcut(images, x, y, (*stride, *before), (dy, to));
                session.launch(&SHORTCUT_BACK, grid, arguments)?;
            }
            Work::Cast => {
                let kernel = if x.wide { &WIDEN } else { &NARROW };
                let (x, out) = (dy, to);
                session.launch(kernel, grid, Cast { x, out, count })?;
            }
            Work::Product(_)
            | Work::MaxPool(_)
            | Work::AveragePool(_)
            | Work::Negative { .. }
            | Work::Convolution(_)
            | Work::DepthwiseConvolution(_)
            | Work::BatchNorm { .. }
            | Work::Fold { .. } => unreachable!("returned above"),
        }
        self.add(input, Arc::new(out))
    }

    fn product(&mut self, at: usize, step: &Step, grad: Arc<Buffer>) -> Result<()> {
        let Constants::Product(product) = &self.program.constants[at] else {
            unreachable!("a product has its constants");
        };
        let (images, wide) = (self.images, product.layer.wide);
        let back = product.back.as_ref().expect("the program has a way back");
        let term = step.term.and_then(|(map, share)| {
            let sum = self.sums[map].as_ref()?;
            Some((sum.grad.clone(), share))
        });
        let (grad, weights) = match (term, &back.raw) {
            (Some((weights, share)), Some(raw)) => {
                let (out, elements) = self.fresh(step.output)?;
                let (_, _, columns) = self.map(step.output).sizes();
                let scale = product.layer.vectors.scale.as_ref();
                let signs = self.maps.kept[at].first();
                let arguments = Join {
                    grad: grad.address(),
                    scale: scale.map_or(0, Buffer::address),
                    weights: weights.address(),
                    signs: signs.expect("a term has signs").address(),
                    out: out.address(),
                    share,
                    count: elements as i64,
                    image: (elements / images.max(1)) as i64,
                    columns: int(columns),
                    panels: int(columns.div_ceil(PANEL)),
                };
                let kernel = if wide { &JOIN_F64 } else { &JOIN_F32 };
                self.session.launch(kernel, blocks(elements), arguments)?;
                (Arc::new(out), raw)
            }
            _ => (grad, &back.back),
        };
        let Work::Product(unit) = &step.work else {
            unreachable!("the step is a product");
        };
        let weights = match &**weights {
            Back::Panels(panels) => Weights::Panels(panels.address(), &back.table),
            Back::Patches(weights) => Weights::Patches(weights.address()),
        };
        self.input_gradient(step, unit.geometry(), weights, grad.address())
    }

    /// Adds the gradient of a product's input; `dy` is that of the result.
    pub fn input_gradient(
        &mut self,
        step: &Step,
        sizes: Geometry,
        weights: Weights<'_>,
        dy: u64,
    ) -> Result<()> {
        let (input, images) = (step.inputs[0], self.images);
        match weights {
            Weights::Panels(panels, table) => self.fuse(input, |walk, so_far, masked, out, _| {
                let mask = match masked {
                    true => walk.maps.of(input).address(),
                    false => 0,
                };
                let arguments = Product {
                    a: dy,
                    b: panels,
                    residual: so_far,
                    mask,
                    out: out.address(),
                    ..Product::default()
                };
                let (processors, wide) = (walk.program.gpu.processors, walk.map(input).wide);
                launch(walk.session, processors, table, wide, images, arguments)
            }),
            Weights::Patches(weights) => {
                let (out, elements) = self.fresh(input)?;
                let (x, y) = (self.map(input), self.map(step.output));
                let arguments = Patches {
                    dy,
                    weights,
                    dx: out.address(),
                    window: window(images, x, y, sizes.window),
                };
                let pixels = elements / x.sizes().2.max(1);
                self.session.launch(&PATCHES, blocks(pixels), arguments)?;
                self.add(input, Arc::new(out))
            }
        }
    }
}
