//! `brink serve`: weights of Brink's networks behind the second protocol of KServe.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, anyhow};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use brink_endpoint::{Answer, Deployed, Own};
use brink_models::Model;
use brink_verify::{Images, decide};
use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};
use tiny_http::{Header, Method, Request, Response, Server};

use crate::address;
use crate::computing::Computing;
use crate::deployment::{Answers, Constants};
use crate::photographs::Shape;
use crate::say::say;

/// The longest request, in bytes.
const LONGEST: usize = 256 << 20;

/// `brink serve`.
#[derive(Args)]
pub struct Serve {
    /// The file with the weights.
    #[arg(long, value_name = "FILE")]
    weights: PathBuf,
    /// The network of the weights, e.g. resnet20; `brink inspect FILE` names those that fit.
    #[arg(long)]
    model: Model,
    /// The constants by which it normalises pixels.
    #[arg(long, value_enum, default_value = "none")]
    normalize: Constants,
    /// The images that it takes, e.g. 3x32x32.
    #[arg(long)]
    shape: Shape,
    /// What it answers with.
    #[arg(long, value_enum, default_value = "logits")]
    answers: Answers,
    /// The name of the model in the address.
    #[arg(long, default_value = "mine", value_parser = name)]
    name: String,
    /// The address to listen at; port 0 takes any free one.
    #[arg(long, default_value = "127.0.0.1:8080", value_parser = address::parse)]
    bind: SocketAddr,
    #[command(flatten)]
    computing: Computing,
}

/// A name that an address can hold.
fn name(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    match !text.is_empty() && text.chars().all(fits) {
        true => Ok(text.to_owned()),
        false => Err("use letters, digits, `-`, `_` and `.`".to_owned()),
    }
}

/// A request about images.
#[derive(Deserialize)]
struct Infer {
    inputs: Vec<Input>,
}

#[derive(Deserialize)]
struct Input {
    shape: Vec<usize>,
    datatype: String,
    data: Value,
}

impl Serve {
    /// Serves until the process is ended.
    ///
    /// # Errors
    /// If the device or the weights cannot be used, or the address cannot be listened at.
    pub fn run(&self) -> anyhow::Result<()> {
        self.computing.open()?;
        let own = Own::read(&self.weights, self.model, self.normalize.into())?;
        let server = Server::http(self.bind).map_err(|e| anyhow!("--bind {}: {e}", self.bind))?;
        let (model, classes, address) = (self.model, own.classes(), server.server_addr());
        say!(
            "{model} of {classes} classes at http://{address}/v2/models/{}/infer",
            self.name
        );
        for mut request in server.incoming_requests() {
            let (status, answer) = match self.answer(&own, &mut request) {
                Ok(answer) => (200, answer),
                Err(Refused(status, error)) => (status, json!({"error": error})),
            };
            let kind = Header::from_bytes("Content-Type", "application/json");
            let mut response = Response::from_string(answer.to_string()).with_status_code(status);
            if let Ok(kind) = kind {
                response.add_header(kind);
            }
            // A client that went away is its own loss.
            let _ = request.respond(response);
        }
        Ok(())
    }

    fn answer(&self, own: &Own, request: &mut Request) -> Result<Value, Refused> {
        let model = format!("/v2/models/{}", self.name);
        let path = request.url().to_owned();
        match (request.method(), path.strip_prefix(&model)) {
            (Method::Get, _) if path == "/v2/health/ready" => Ok(json!({"ready": true})),
            (Method::Get, Some("" | "/ready")) => {
                let Shape([c, h, w]) = self.shape;
                Ok(json!({
                    "name": self.name,
                    "platform": "brink",
                    "inputs": [{"name": "input", "datatype": "FP32", "shape": [-1, c, h, w]}],
                }))
            }
            (Method::Post, Some("/infer")) => self.infer(own, request),
            _ => Err(Refused(404, format!("ask at {model}/infer"))),
        }
    }

    fn infer(&self, own: &Own, request: &mut Request) -> Result<Value, Refused> {
        let refused = |error: anyhow::Error| Refused(400, format!("{error:#}"));
        if request.body_length().is_none_or(|length| length > LONGEST) {
            return Err(Refused(
                413,
                format!("a request takes up to {LONGEST} bytes, with their number"),
            ));
        }
        let json: Infer = serde_json::from_reader(request.as_reader())
            .context("the request")
            .map_err(refused)?;
        let images = self.images(&json).map_err(refused)?;
        let answers = own.ask(&images).map_err(|e| Refused(500, e.to_string()))?;
        self.outputs(&answers).map_err(refused)
    }

    fn images(&self, request: &Infer) -> anyhow::Result<Images> {
        let Shape(shape) = self.shape;
        let [input] = &request.inputs[..] else {
            return Err(anyhow!("{} inputs; give one", request.inputs.len()));
        };
        let pixels: Vec<f32> = match input.datatype.as_str() {
            "FP32" if input.shape.get(1..) == Some(&shape[..]) => {
                serde_json::from_value(input.data.clone())
                    .context("`data` is no flat array of numbers")?
            }
            "BYTES" => {
                let files: Vec<String> = serde_json::from_value(input.data.clone())
                    .context("`data` is no array of base64")?;
                let files = files.iter().map(|file| decoded(file, shape));
                files.collect::<anyhow::Result<Vec<_>>>()?.concat()
            }
            other => {
                return Err(anyhow!(
                    "images are FP32 of shape [n, {shape:?}] or BYTES with PNG, not {other} of shape {:?}",
                    input.shape
                ));
            }
        };
        let images = Images::new(shape, pixels)?;
        match input.shape.first() {
            Some(&n) if n == images.len() && n > 0 => Ok(images),
            _ => Err(anyhow!(
                "{} images of shape {:?}",
                images.len(),
                input.shape
            )),
        }
    }

    /// The answers as the one output of the protocol.
    fn outputs(&self, answers: &[Answer]) -> anyhow::Result<Value> {
        let rows: Vec<&[f32]> = answers
            .iter()
            .filter_map(|answer| match answer {
                Answer::Scores(scores) => Some(&scores[..]),
                Answer::Label(_) | Answer::Name(_) => None,
            })
            .collect();
        let (n, classes) = (rows.len(), rows.first().map_or(0, |row| row.len()));
        let output = match self.answers {
            Answers::Labels => {
                let labels = rows.iter().map(|row| decide(row).map(|(label, _)| label));
                let labels: Result<Vec<u32>, usize> = labels.collect();
                let labels = labels.map_err(|at| anyhow!("logit {at} is NaN"))?;
                json!({"name": "label", "datatype": "INT64", "shape": [n], "data": labels})
            }
            Answers::Logits => {
                json!({"name": "logits", "datatype": "FP32", "shape": [n, classes], "data": rows.concat()})
            }
            Answers::Probabilities => {
                let shares: Vec<f32> = rows.iter().flat_map(|row| softmax(row)).collect();
                json!({"name": "shares", "datatype": "FP32", "shape": [n, classes], "data": shares})
            }
        };
        Ok(json!({"model_name": self.name, "outputs": [output]}))
    }
}

/// A request that cannot be answered: status and reason.
struct Refused(u16, String);

/// The pixels of a PNG in base64, (c, h, w).
fn decoded(file: &str, [channels, height, width]: [usize; 3]) -> anyhow::Result<Vec<f32>> {
    let bytes = STANDARD.decode(file).context("an image is no base64")?;
    let image = image::load_from_memory_with_format(&bytes, image::ImageFormat::Png);
    let image = image.context("an image is no PNG")?;
    let found = [image.height() as usize, image.width() as usize];
    if found != [height, width] {
        return Err(anyhow!(
            "an image has {found:?} pixels instead of {:?}",
            [height, width]
        ));
    }
    let unit = |level: u8| f32::from(level) / 255.0;
    if channels == 1 {
        return Ok(image
            .into_luma8()
            .into_raw()
            .into_iter()
            .map(unit)
            .collect());
    }
    let image = image.into_rgb8();
    let planes = (0..channels).flat_map(|c| image.pixels().map(move |pixel| unit(pixel[c])));
    Ok(planes.collect())
}

/// Probabilities from logits.
fn softmax(logits: &[f32]) -> Vec<f32> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f32> = logits.iter().map(|logit| (logit - largest).exp()).collect();
    let sum: f32 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}
