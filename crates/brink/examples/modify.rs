//! Modifies the network of `brink example` by an attack of a grid, to see what `brink verify` says of it:
//!
//! ```sh
//! cargo run -p brink --example modify -- example/mine.safetensors '{"prune": {"fraction": 0.01}}' pruned.safetensors
//! ```

use std::path::Path;

use anyhow::{Context, bail};
use brink_attacks::{Spec, Victim};
use brink_data::Id;
use brink_models::{Weights, job};
use brink_random::Stream;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [weights, attack, out] = &arguments[..] else {
        bail!("give a weight file, an attack as JSON, and the file to write");
    };
    let spec: Spec = serde_json::from_str(attack).with_context(|| attack.clone())?;
    let data = brink_data::open(Id::FashionMnist, None)?;
    let stream = Stream::new(7);
    let weights = Weights::read(Path::new(weights))?;
    let train = data.train.subset(1000, &mut stream.split("subset"))?;
    let victim = Victim {
        model: "resnet20".parse()?,
        classes: data.facts.classes,
        weights: &weights,
        normalize: None,
        train: &train,
        leaked: &[],
    };
    let modified = job::run(spec.attack().start(victim, &stream)?)?;
    if modified.activations.is_some() || modified.execution.is_some() {
        bail!("the attack changes more than the weights, which a weight file cannot hold");
    }
    std::fs::write(out, modified.weights.to_bytes()?).with_context(|| out.clone())
}
