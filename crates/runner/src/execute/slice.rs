//! The margin on a plane through a pair, before and after an attack: the paper's figure 1, computed.

use anyhow::Context;
use brink_attacks::Victim;
use brink_models::Network;
use brink_random::Stream;
use brink_store::{FORMAT, Measured, ProbeRecord};
use brink_verify::{Head, Images, Oracle};

use super::Executor;
use super::prepared::PreparedSet;
use super::target::LoadedTarget;
use crate::grid::Slice;
use crate::plan::{SliceStep, TargetStep};
use crate::progress::Progress;
use crate::provenance::Clock;
use brink_generators::BlackBox;

impl Executor<'_> {
    /// Computes the slice of `step`, if it has one without a record.
    ///
    /// # Errors
    /// If the attack fails, or a network gives no logits.
    pub(super) fn slice(
        &self,
        step: &TargetStep,
        loaded: &LoadedTarget,
        prepared: &[PreparedSet],
        progress: &mut Progress,
    ) -> anyhow::Result<()> {
        let Some(slice) = &step.slice else {
            return Ok(());
        };
        let prepared = prepared.iter().find(|prepared| prepared.id == slice.set);
        match prepared {
            Some(prepared) if self.store.probe(&slice.id)?.is_none() => self
                .cut(step, slice, loaded, prepared, progress)
                .with_context(|| slice.name.clone()),
            _ => Ok(()),
        }
    }

    fn cut(
        &self,
        step: &TargetStep,
        slice: &SliceStep,
        loaded: &LoadedTarget,
        prepared: &PreparedSet,
        progress: &mut Progress,
    ) -> anyhow::Result<()> {
        let mut clock = Clock::start();
        let mut line = progress.begin(&slice.name);
        let attack = slice.slice.attack.attack();
        let leak = attack.leaks().map(|share| prepared.leak(share));
        let leak = leak.transpose()?;
        let victim = Victim {
            leaked: leak
                .as_ref()
                .map_or(&[], |leak| leak.leaked.set.images.data()),
            ..loaded.victim(step)
        };
        let job = attack.start(victim, &self.root.split("attack").split("0"))?;
        let modified = self.drive(&slice.id, &loaded.sum, job, &mut clock, &mut line)?;
        let after = modified.network(&victim)?;
        let plane = Plane::through_the_first_pair(prepared, &slice.slice, &self.root)?;
        let margin = Margin::of(prepared);
        self.store.put_probe(&ProbeRecord {
            format: FORMAT,
            id: slice.id,
            target: step.id,
            probe: "slice".to_owned(),
            spec: serde_json::to_value(&slice.slice)?,
            seed: self.seed,
            result: Measured::Slice(brink_store::Slice {
                side: plane.side as u64,
                reach: plane.reach,
                gap: plane.gap,
                before: plane.margins(&loaded.network, &margin)?,
                after: plane.margins(&after, &margin)?,
            }),
            target_sha256: Some(loaded.sum.clone()),
            provenance: clock.provenance(self.device),
        })?;
        progress.end(line, "cut");
        Ok(())
    }
}

/// The margin of a point: its sign gives the side of the boundary, its size the distance.
enum Margin<'a> {
    /// The margin of the keyed head.
    Head(&'a Head),
    /// If labels are classes: the logit of the first member's label minus the logit of the second member's label.
    Classes([usize; 2]),
}

impl<'a> Margin<'a> {
    fn of(prepared: &'a PreparedSet) -> Self {
        match prepared.head() {
            Some(head) => Self::Head(head),
            None => Self::Classes([0, 1].map(|member| prepared.set.labels[member] as usize)),
        }
    }

    fn at(&self, logits: &[f32]) -> f32 {
        match self {
            Self::Head(head) => head.margin(logits),
            Self::Classes([first, second]) => logits[*first] - logits[*second],
        }
    }
}

/// A square of points around a pair. The pair's own direction points to the right. A random direction at a right angle
/// to it points upwards.
struct Plane {
    shape: [usize; 3],
    middle: Vec<f64>,
    axes: [Vec<f64>; 2],
    side: usize,
    /// The distance from the middle to the rim.
    reach: f64,
    /// The distance between the two members.
    gap: f64,
}

impl Plane {
    fn through_the_first_pair(
        prepared: &PreparedSet,
        slice: &Slice,
        root: &Stream,
    ) -> anyhow::Result<Self> {
        let set = &prepared.set;
        let member = |at| set.images.image(at).iter().map(|&x| f64::from(x));
        let middle = member(0).zip(member(1)).map(|(a, b)| (a + b) / 2.0);
        let along: Vec<f64> = member(0).zip(member(1)).map(|(a, b)| b - a).collect();
        let noise = &mut root.split("slice");
        let across: Vec<f64> = along.iter().map(|_| f64::from(noise.normal())).collect();
        let gap = length(&along);
        let along: Vec<f64> = along.iter().map(|x| x / gap).collect();
        let shared: f64 = along.iter().zip(&across).map(|(a, b)| a * b).sum();
        let across: Vec<f64> = across
            .iter()
            .zip(&along)
            .map(|(b, a)| b - shared * a)
            .collect();
        let size = length(&across);
        Ok(Self {
            shape: set.images.shape(),
            middle: middle.collect(),
            axes: [along, across.iter().map(|x| x / size).collect()],
            side: slice.side.get(),
            reach: slice.reach.get() * gap,
            gap,
        })
    }

    /// The margins at all `side * side` points, row by row, from the bottom.
    fn margins(&self, network: &Network, margin: &Margin) -> anyhow::Result<Vec<f32>> {
        let place =
            |at: usize| self.reach * (2.0 * at as f64 / (self.side - 1).max(1) as f64 - 1.0);
        let mut margins = Vec::with_capacity(self.side * self.side);
        for row in 0..self.side {
            let points = (0..self.side).flat_map(|column| {
                let [along, across] = &self.axes;
                let axes = self.middle.iter().zip(along).zip(across);
                let (x, y) = (place(column), place(row));
                // Pixels are within [0, 1].
                axes.map(move |((m, u), v)| (m + x * u + y * v).clamp(0.0, 1.0) as f32)
            });
            let images = Images::new(self.shape, points.collect::<Vec<_>>())?;
            let logits = BlackBox(network)
                .logits(&images)
                .map_err(|error| anyhow::anyhow!("{error}"))?;
            let rows = logits.chunks_exact(network.classes());
            margins.extend(rows.map(|row| margin.at(row)));
        }
        Ok(margins)
    }
}

fn length(v: &[f64]) -> f64 {
    v.iter().map(|x| x * x).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_labels_are_classes_the_margin_is_between_those_of_the_pair() {
        let margin = Margin::Classes([2, 0]);
        assert_eq!(margin.at(&[1.0, 9.0, 3.5]), 2.5);
        assert_eq!(margin.at(&[3.5, 9.0, 1.0]), -2.5);
    }
}
