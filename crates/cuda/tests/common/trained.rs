//! A training on the stand-in and on the CPU: the same bits of logits, statistics, parameters and moments after every step.

#![allow(dead_code)] // each test file uses its own part

use std::sync::Arc;

use brink_cuda::{Gpu, Trainer};
use brink_ops::{AdamStep, BatchStatistics, SgdStep, Tape, Update};
use candle_core::{Result, Tensor, Var};

use super::compare::{Draw, differing, values};

/// An update rule.
#[derive(Clone, Copy, Debug)]
pub enum Rule {
    Sgd(f64),
    Momentum(f64, bool),
    Adam(f64),
}

pub const RULES: [Rule; 6] = [
    Rule::Sgd(0.0),
    Rule::Sgd(0.01),
    Rule::Momentum(0.0, false),
    Rule::Momentum(0.01, true),
    Rule::Adam(0.0),
    Rule::Adam(0.01),
];

impl Rule {
    fn moments(self) -> usize {
        match self {
            Self::Sgd(_) => 0,
            Self::Momentum(..) => 1,
            Self::Adam(_) => 2,
        }
    }

    fn step(self, step: usize) -> Update {
        let lr = 0.03;
        match self {
            Self::Sgd(weight_decay) => Update::Sgd(SgdStep {
                lr,
                momentum: 0.0,
                nesterov: false,
                weight_decay,
                first: step == 0,
            }),
            Self::Momentum(weight_decay, nesterov) => Update::Sgd(SgdStep {
                lr,
                momentum: 0.9,
                nesterov,
                weight_decay,
                first: step == 0,
            }),
            Self::Adam(weight_decay) => Update::Adam(AdamStep {
                lr,
                betas: (0.9, 0.999),
                eps: 1e-8,
                weight_decay,
                step: step as u64 + 1,
            }),
        }
    }
}

/// What a network makes of some images.
pub struct Made {
    pub end: Tensor,
    /// Of each normalisation by the batch.
    pub statistics: Vec<BatchStatistics>,
}

impl From<Tensor> for Made {
    fn from(end: Tensor) -> Self {
        let statistics = Vec::new();
        Self { end, statistics }
    }
}

/// One step on each batch. `record` gets the images and the masks of their dropouts, which `masks` are for the largest batch. `size` is that
/// of the gradients.
pub fn same_steps(
    gpu: &Arc<Gpu>,
    parameters: &[Var],
    (batches, masks): (&[Tensor], &[Tensor]),
    rule: Rule,
    size: f64,
    record: impl Fn(&mut Tape, &Tensor, &[Tensor]) -> Result<Made>,
) {
    let mut draw = Draw(77);
    let recorded = |images: &Tensor| {
        let n = images.dim(0).unwrap();
        let part = |mask: &Tensor| mask.narrow(0, 0, n).unwrap().contiguous().unwrap();
        let masks: Vec<Tensor> = masks.iter().map(part).collect();
        let mut tape = Tape::recording();
        tape.watch(images);
        let made = record(&mut tape, images, &masks).unwrap();
        let masks: Vec<Vec<f32>> = masks.iter().map(values).collect();
        (tape, made, masks)
    };
    let zeros = |var: &Var| Var::zeros(var.shape(), var.dtype(), var.device()).unwrap();
    let moments: Vec<Vec<Var>> = parameters
        .iter()
        .map(|var| (0..rule.moments()).map(|_| zeros(var)).collect())
        .collect();
    let all = |at: usize| {
        let vars = [&parameters[at]].into_iter().chain(&moments[at]);
        vars.map(|var| values(var)).collect::<Vec<_>>()
    };

    let one = batches[0].narrow(0, 0, 1).unwrap().contiguous().unwrap();
    let (tape, made, _) = recorded(&one);
    let tensors: Vec<&Tensor> = parameters.iter().map(|var| var.as_tensor()).collect();
    let trace = tape.trace(&one, &tensors, &[&made.end]).unwrap();
    let trace = trace.expect("every operation has a form");
    let trainer = Trainer::new(gpu, trace, (0..parameters.len()).map(|at| Ok(all(at)))).unwrap();
    for (step, images) in batches.iter().enumerate() {
        let n = images.dim(0).unwrap();
        assert!(trainer.fits(n).unwrap());
        let (tape, made, masks) = recorded(images);
        let batch = trainer.record(&values(images), n, &masks).unwrap();
        let wanted = values(&made.end);
        assert_eq!(differing(&wanted, batch.logits()), 0, "step {step}: ends");
        assert_eq!(made.statistics.len(), batch.statistics().len());
        for (wanted, found) in made.statistics.iter().zip(batch.statistics()) {
            let bits = |s: &BatchStatistics| {
                let both = s.mean.iter().chain(&s.variance);
                both.map(|x| x.to_bits()).collect::<Vec<_>>()
            };
            assert_eq!(bits(wanted), bits(found), "step {step}: statistics");
            assert_eq!(wanted.count, found.count);
        }
        let grad = (draw.tensor(made.end.shape().clone()) * size).unwrap();
        let grads = tape.backward([(&made.end, grad.clone())]).unwrap();
        let update = rule.step(step);
        for (at, (weight, moments)) in parameters.iter().zip(&moments).enumerate() {
            let grad = grads.get(weight).unwrap_or_else(|| panic!("gradient {at}"));
            match update {
                Update::Sgd(step) => brink_ops::sgd(weight, moments.first(), grad, step),
                Update::Adam(step) => brink_ops::adam(weight, &moments[0], &moments[1], grad, step),
            }
            .unwrap();
        }
        trainer.update(&batch, values(&grad), update).unwrap();
        for at in 0..parameters.len() {
            let (wanted, found) = (all(at), trainer.parameter(at).unwrap());
            assert_eq!(wanted.len(), found.len());
            for (which, (wanted, found)) in wanted.iter().zip(&found).enumerate() {
                let of = wanted.len();
                let differ = differing(wanted, found);
                assert_eq!(
                    differ, 0,
                    "step {step}: {which} of parameter {at}, {of} elements"
                );
            }
        }
    }
}
