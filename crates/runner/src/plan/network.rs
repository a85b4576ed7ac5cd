//! The network of a target, opened before there is any work.

use anyhow::{Context, bail};
use brink_data::Facts;
use brink_endpoint::onnx_network;
use brink_models::Model;

use super::WeightFile;
use super::absent::Paths;
use crate::grid::{Network, Sha256, Target};

/// The network of `target` for images as in `facts`, and its file if it is in one.
///
/// # Errors
/// If the file cannot be read, or does not hold a network for such images.
pub fn open(
    target: &Target,
    facts: &Facts,
    paths: &Paths,
) -> anyhow::Result<(Model, Option<WeightFile>)> {
    let file = match &target.model {
        Network::Registered(model) => return Ok((target.as_wide(*model), None)),
        Network::File(file) => file,
    };
    let path = file.path(paths.data.as_deref());
    if !path.is_file() {
        bail!(
            "there is no file {} (a relative path is looked up in the data folder, --data)",
            path.display()
        );
    }
    let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
    let model = onnx_network(&path, &bytes, facts.shape, facts.classes)?;
    let sum = Sha256::of(&bytes);
    Ok((model, Some(WeightFile { path, sum })))
}
