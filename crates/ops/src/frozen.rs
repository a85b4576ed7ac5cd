//! A unit of a frozen network in one pass: convolution (or linear layer), batch normalisation or bias, residual sum and ReLU.
//!
//! Weights are packed once, only the gradients of the activations exist, and the epilogue runs while a tile is in cache.
//! The weights themselves are used raw, not folded into the normalisation, so that a change of one of their last bits stays a change.

use crate::activation::masked;
use crate::batch_norm::{affine, rows};
use crate::conv::{pack_forward, sizes};
use crate::gemm::{Epilogue, Packed, planned};
use crate::input_gradient;
use crate::kernel::Element;
use crate::plan::{Plan, Window};
use crate::tensor::{View, elements, result};
use candle_core::{CpuStorage, CustomOp1, CustomOp2, DType, Layout, Result, Shape, Tensor, bail};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// One frozen unit: `act(affine(conv(x)) + residual)`.
#[derive(Clone)]
pub struct Frozen(Body);

#[derive(Clone)]
enum Body {
    F32(Arc<Unit<f32>>),
    F64(Arc<Unit<f64>>),
    /// On a device other than the CPU.
    Composed {
        weight: Tensor,
        scale: Option<Tensor>,
        shift: Option<Tensor>,
        window: Window,
    },
}

impl Frozen {
    /// A convolution with `weight (o, c, kh, kw)`, followed by the batch normalisation `(gamma, beta, mean, variance)`, each (o), in
    /// evaluation mode.
    ///
    /// # Errors
    /// If the shapes do not fit or the type is neither f32 nor f64.
    pub fn conv_bn(
        weight: &Tensor,
        [gamma, beta, mean, variance]: [&Tensor; 4],
        eps: f64,
        window: Window,
    ) -> Result<Self> {
        fn vectors<T: Element>(tensors: [&Tensor; 4], eps: f64) -> Result<(Vec<T>, Vec<T>)> {
            let [gamma, beta, mean, variance] = tensors.map(Tensor::to_vec1::<T>);
            Ok(affine(&gamma?, &beta?, &mean?, &variance?, eps))
        }
        let tensors = [gamma, beta, mean, variance];
        if !weight.device().is_cpu() {
            let scale = (gamma / (variance + eps)?.sqrt()?)?;
            let shift = (beta - (mean * &scale)?)?;
            return Ok(Self(Body::Composed {
                weight: weight.clone(),
                scale: Some(scale),
                shift: Some(shift),
                window,
            }));
        }
        Ok(Self(match weight.dtype() {
            DType::F32 => {
                let (scale, shift) = vectors::<f32>(tensors, eps)?;
                Body::F32(Arc::new(Unit::new(
                    weight,
                    Some(scale),
                    Some(shift),
                    window,
                )?))
            }
            _ => {
                let (scale, shift) = vectors::<f64>(tensors, eps)?;
                Body::F64(Arc::new(Unit::new(
                    weight,
                    Some(scale),
                    Some(shift),
                    window,
                )?))
            }
        }))
    }

    /// A convolution with `weight (o, c, kh, kw)` and `bias (o)`.
    ///
    /// # Errors
    /// If the shapes do not fit or the type is neither f32 nor f64.
    pub fn conv_bias(weight: &Tensor, bias: &Tensor, window: Window) -> Result<Self> {
        if !weight.device().is_cpu() {
            return Ok(Self(Body::Composed {
                weight: weight.clone(),
                scale: None,
                shift: Some(bias.clone()),
                window,
            }));
        }
        Ok(Self(match weight.dtype() {
            DType::F32 => Body::F32(Arc::new(Unit::new(
                weight,
                None,
                Some(bias.to_vec1()?),
                window,
            )?)),
            _ => Body::F64(Arc::new(Unit::new(
                weight,
                None,
                Some(bias.to_vec1()?),
                window,
            )?)),
        }))
    }

    /// A linear layer with `weight (o, i)` and `bias (o)`, for [`Frozen::forward`] on `(n, i)`.
    ///
    /// # Errors
    /// If the shapes do not fit or the type is neither f32 nor f64.
    pub fn linear(weight: &Tensor, bias: &Tensor) -> Result<Self> {
        let (o, i) = weight.dims2()?;
        Self::conv_bias(
            &weight.reshape((o, i, 1, 1))?,
            bias,
            Window::square(1, 1, 0),
        )
    }

    /// `act(affine(conv(x)) + residual)` for `x (n, h, w, c)`, or `(n, i)` for a linear layer, with ReLU as `act` if `relu`.
    ///
    /// # Errors
    /// If the shapes or types do not fit.
    pub fn forward(&self, x: &Tensor, residual: Option<&Tensor>, relu: bool) -> Result<Tensor> {
        if let &[n, i] = x.dims() {
            let y = self.forward(&x.reshape((n, 1, 1, i))?, residual, relu)?;
            return y.flatten_from(1);
        }
        match &self.0 {
            Body::F32(unit) => Unit::forward(unit, x, residual, relu),
            Body::F64(unit) => Unit::forward(unit, x, residual, relu),
            Body::Composed { .. } => self.finish(&self.convolve(x)?, residual, relu),
        }
    }
}

impl Frozen {
    /// The first half of [`Frozen::forward`]: the convolution alone, for who wants to see its output.
    ///
    /// # Errors
    /// If the shapes or types do not fit.
    pub fn convolve(&self, x: &Tensor) -> Result<Tensor> {
        match &self.0 {
            Body::F32(unit) => x.contiguous()?.apply_op1(Convolve(unit.clone())),
            Body::F64(unit) => x.contiguous()?.apply_op1(Convolve(unit.clone())),
            Body::Composed { weight, window, .. } => crate::portable::conv2d(x, weight, *window),
        }
    }

    /// The second half: `act(affine(a) + residual)`. Both halves give the bits of the whole.
    ///
    /// # Errors
    /// If the shapes or types do not fit.
    pub fn finish(&self, a: &Tensor, residual: Option<&Tensor>, relu: bool) -> Result<Tensor> {
        let relu_here = relu && residual.is_none();
        let y = match &self.0 {
            Body::F32(unit) => a.apply_op1(Affine {
                unit: unit.clone(),
                relu: relu_here,
            })?,
            Body::F64(unit) => a.apply_op1(Affine {
                unit: unit.clone(),
                relu: relu_here,
            })?,
            Body::Composed { scale, shift, .. } => {
                crate::portable::affine(a, scale.as_ref(), shift.as_ref(), relu_here)?
            }
        };
        match residual {
            None => Ok(y),
            Some(residual) if relu => crate::add_relu(&y, residual),
            Some(residual) => y + residual,
        }
    }
}

/// Forward and backward plans by map size.
type Plans = HashMap<(usize, usize), Arc<[Plan; 2]>>;

struct Unit<T> {
    /// torchvision's layout, (o, c, kh, kw): the backward panels are packed from it when first asked for.
    weight: Vec<T>,
    shape: Shape,
    forward: Packed<T>,
    /// With the scale of the normalisation in it.
    backward: OnceLock<Packed<T>>,
    /// Without, for [`Convolve`].
    raw_backward: OnceLock<Packed<T>>,
    scale: Option<Vec<T>>,
    shift: Option<Vec<T>>,
    window: Window,
    plans: Mutex<Plans>,
}

impl<T: Element> Unit<T> {
    fn new(
        weight: &Tensor,
        scale: Option<Vec<T>>,
        shift: Option<Vec<T>>,
        window: Window,
    ) -> Result<Self> {
        let (o, c, kh, kw) = weight.dims4()?;
        let fits = |v: &Option<Vec<T>>| v.as_ref().is_none_or(|v| v.len() == o);
        if (kh, kw) != window.kernel || window.stride == 0 || !fits(&scale) || !fits(&shift) {
            bail!(
                "frozen unit: weight {:?} does not fit {window:?} or its vectors",
                weight.shape()
            );
        }
        let shape = weight.shape().clone();
        let weight: Vec<T> = weight.flatten_all()?.to_vec1()?;
        let forward = pack_forward(&weight, o, c, kh * kw);
        Ok(Self {
            weight,
            shape,
            forward,
            backward: OnceLock::new(),
            raw_backward: OnceLock::new(),
            scale,
            shift,
            window,
            plans: Mutex::default(),
        })
    }

    /// Panels of the input gradient. The scale of the normalisation goes into them: one pass less.
    fn backward_panels(&self) -> &Packed<T> {
        self.backward
            .get_or_init(|| self.pack_backward(self.scale.as_deref()))
    }

    fn pack_backward(&self, scale: Option<&[T]>) -> Packed<T> {
        let (o, c) = (self.shape.dims()[0], self.shape.dims()[1]);
        input_gradient::pack(&self.weight, scale, o, c, self.window)
    }

    fn plans(&self, map: (usize, usize)) -> Result<Arc<[Plan; 2]>> {
        // A plan is inserted whole, so a panic elsewhere cannot have left half of one.
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plans) = plans.get(&map) {
            return Ok(plans.clone());
        }
        let channels = (self.shape.dims()[1], self.shape.dims()[0]);
        let Some((forward, backward)) = Plan::forward(self.window, map, channels)
            .zip(input_gradient::plan(self.window, map, channels))
        else {
            bail!("the {map:?} map is smaller than {:?}", self.window);
        };
        let both = Arc::new([forward, backward]);
        plans.insert(map, both.clone());
        Ok(both)
    }

    fn forward(
        unit: &Arc<Self>,
        x: &Tensor,
        residual: Option<&Tensor>,
        relu: bool,
    ) -> Result<Tensor> {
        let op = Op {
            unit: unit.clone(),
            relu,
        };
        let x = x.contiguous()?;
        match residual {
            None => x.apply_op1(op),
            Some(residual) => x.apply_op2(&residual.contiguous()?, op),
        }
    }
}

struct Op<T> {
    unit: Arc<Unit<T>>,
    relu: bool,
}

impl<T: Element> Op<T> {
    fn run(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        residual: Option<(&CpuStorage, &Layout)>,
    ) -> Result<(CpuStorage, Shape)> {
        let unit = &*self.unit;
        let sizes = sizes(lx.shape(), &unit.shape, unit.window)?;
        let plans = unit.plans(sizes.map)?;
        let shape = Shape::from((
            sizes.images,
            sizes.output.0,
            sizes.output.1,
            sizes.channels.1,
        ));
        let residual = match residual {
            Some((_, layout)) if *layout.shape() != shape => {
                bail!("residual {:?} is not {shape:?}", layout.shape())
            }
            Some((storage, layout)) => Some(elements::<T>(storage, layout)?),
            None => None,
        };
        let epilogue = Epilogue {
            scale: unit.scale.as_deref(),
            shift: unit.shift.as_deref(),
            residual,
            relu: self.relu,
        };
        result(
            planned(
                &plans[0],
                sizes.images,
                elements::<T>(x, lx)?,
                &unit.forward,
                epilogue,
            ),
            shape,
        )
    }

    /// The gradient before the activation, which is also the residual's, and the input's.
    fn gradients(&self, x: &Tensor, y: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Tensor)> {
        let (n, h, w, c) = x.dims4()?;
        let grad = if self.relu {
            masked(y, grad)?
        } else {
            grad.contiguous()?
        };
        let dx = if x.track_op() {
            let plans = self.unit.plans((h, w))?;
            let dy = View::of(&grad);
            let dx = input_gradient::run(
                &plans[1],
                self.unit.backward_panels(),
                self.unit.window,
                (n, (h, w), c),
                dy.elements::<T>()?,
            );
            Some(Tensor::from_vec(dx, x.shape(), x.device())?)
        } else {
            None
        };
        Ok((dx, grad))
    }
}

impl<T: Element> CustomOp1 for Op<T> {
    fn name(&self) -> &'static str {
        "frozen-unit"
    }

    fn cpu_fwd(&self, x: &CpuStorage, lx: &Layout) -> Result<(CpuStorage, Shape)> {
        self.run(x, lx, None)
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        Ok(self.gradients(x, y, grad)?.0)
    }
}

impl<T: Element> CustomOp2 for Op<T> {
    fn name(&self) -> &'static str {
        "frozen-unit-with-residual"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        r: &CpuStorage,
        lr: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.run(x, lx, Some((r, lr)))
    }

    fn bwd(
        &self,
        x: &Tensor,
        residual: &Tensor,
        y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (dx, dr) = self.gradients(x, y, grad)?;
        Ok((dx, residual.track_op().then_some(dr)))
    }
}

/// The convolution of a unit alone.
struct Convolve<T>(Arc<Unit<T>>);

impl<T: Element> CustomOp1 for Convolve<T> {
    fn name(&self) -> &'static str {
        "frozen-convolution"
    }

    fn cpu_fwd(&self, x: &CpuStorage, lx: &Layout) -> Result<(CpuStorage, Shape)> {
        let sizes = sizes(lx.shape(), &self.0.shape, self.0.window)?;
        let plans = self.0.plans(sizes.map)?;
        let y = planned(
            &plans[0],
            sizes.images,
            elements::<T>(x, lx)?,
            &self.0.forward,
            Epilogue::default(),
        );
        result(
            y,
            (
                sizes.images,
                sizes.output.0,
                sizes.output.1,
                sizes.channels.1,
            ),
        )
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let (n, h, w, c) = x.dims4()?;
        let plans = self.0.plans((h, w))?;
        let panels = self
            .0
            .raw_backward
            .get_or_init(|| self.0.pack_backward(None));
        let grad = grad.contiguous()?;
        let dx = input_gradient::run(
            &plans[1],
            panels,
            self.0.window,
            (n, (h, w), c),
            View::of(&grad).elements::<T>()?,
        );
        Tensor::from_vec(dx, x.shape(), x.device()).map(Some)
    }
}

/// The affine map of a unit, and its ReLU.
struct Affine<T> {
    unit: Arc<Unit<T>>,
    relu: bool,
}

impl<T: Element> CustomOp1 for Affine<T> {
    fn name(&self) -> &'static str {
        "frozen-affine"
    }

    fn cpu_fwd(&self, a: &CpuStorage, la: &Layout) -> Result<(CpuStorage, Shape)> {
        let channels = self.unit.shape.dims()[0];
        let epilogue = Epilogue {
            scale: self.unit.scale.as_deref(),
            shift: self.unit.shift.as_deref(),
            residual: None,
            relu: self.relu,
        };
        let y = rows(elements::<T>(a, la)?, channels, |a, y| {
            epilogue.store(a, 0, 0, y);
        });
        result(y, la.shape())
    }

    fn bwd(&self, _: &Tensor, y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let grad = if self.relu {
            masked(y, grad)?
        } else {
            grad.contiguous()?
        };
        let Some(scale) = &self.unit.scale else {
            return Ok(Some(grad));
        };
        let da = rows(View::of(&grad).elements::<T>()?, scale.len(), |g, da| {
            for ((da, &g), &scale) in da.iter_mut().zip(g).zip(scale) {
                *da = g * scale;
            }
        });
        Tensor::from_vec(da, y.shape(), y.device()).map(Some)
    }
}
