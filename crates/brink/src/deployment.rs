//! The served model on the command line.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use brink_endpoint::{
    Deployed, Encoding, Endpoint, Expected, Http, Kind, Onnx, Own, Process, Protocol, Settings,
    Token,
};
use brink_mark::About;
use brink_models::{Model, Normalize};
use brink_verify::Images;
use clap::{Args, ValueEnum};

use crate::computing::Computing;

/// Where the model is.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct Place {
    /// The address that answers, e.g. http://localhost:8080/v2/models/mine/infer.
    #[arg(long)]
    url: Option<String>,
    /// A command that reads {"images": [...]} lines and writes {"answers": [...]} lines.
    #[arg(long, value_name = "COMMAND")]
    program: Option<String>,
    /// A file with weights of one of Brink's networks.
    #[arg(long, value_name = "FILE", requires = "model")]
    weights: Option<PathBuf>,
    /// An ONNX file with the images as its only input and the scores as its first output.
    #[arg(long, value_name = "FILE")]
    onnx: Option<PathBuf>,
}

/// Where the model is, and how to ask it.
#[derive(Args)]
pub struct Deployment {
    #[command(flatten)]
    place: Place,
    /// The network of the weights, e.g. resnet20; `brink inspect FILE` names those that fit.
    #[arg(long)]
    model: Option<Model>,
    /// The constants by which pixels are normalised before the network of the weights or of the ONNX file.
    #[arg(long, value_enum, conflicts_with_all = ["url", "program"], default_value = "none")]
    normalize: Constants,
    #[command(flatten)]
    computing: Computing,
    /// What the server is [default: the one of the mark, else kserve].
    #[arg(long, value_enum)]
    api: Option<Api>,
    /// The name of the model's input, for kserve.
    #[arg(long, value_name = "NAME", default_value = "input")]
    input: String,
    /// A file with the request as JSON, with "$images" or "$image" where the images stand, for custom.
    #[arg(long, value_name = "FILE", required_if_eq("api", "custom"))]
    template: Option<PathBuf>,
    /// A JSON pointer to the answers, e.g. /predictions, for custom.
    #[arg(long, value_name = "POINTER", required_if_eq("api", "custom"))]
    answer: Option<String>,
    /// How pixels travel [default: as in the mark, else what the server usually takes].
    #[arg(long, value_enum)]
    pixels: Option<Pixels>,
    /// What the answers are [default: as in the mark, else found from the first answers].
    #[arg(long, value_enum)]
    answers: Option<Answers>,
    /// The number of classes, where the model answers with labels only.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(2..))]
    classes: Option<u16>,
    /// The most images of a request.
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..))]
    batch: u16,
    /// The longest wait for an answer, e.g. 30s.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    timeout: Duration,
    /// How often a request goes out again if the server is busy or away.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(..=10))]
    retries: u32,
    /// The most requests in a second.
    #[arg(long, value_name = "N")]
    rate: Option<f64>,
    /// The variable with the server's bearer token.
    #[arg(long, value_name = "NAME", conflicts_with = "token_file")]
    token_env: Option<String>,
    /// The file with the server's bearer token.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Api {
    Kserve,
    Tensorflow,
    Torchserve,
    Mlflow,
    Huggingface,
    Custom,
}

#[derive(Clone, Copy, ValueEnum)]
enum Pixels {
    /// Numbers, channel by channel.
    ChannelsFirst,
    /// Numbers, pixel by pixel.
    ChannelsLast,
    /// PNG of 8 bits.
    Png,
}

/// The constants by which a network normalises pixels.
#[derive(Clone, Copy, ValueEnum)]
pub enum Constants {
    /// None: pixels in [0, 1].
    None,
    /// ImageNet's mean and standard deviation.
    Imagenet,
}

impl From<Constants> for Option<Normalize> {
    fn from(constants: Constants) -> Self {
        match constants {
            Constants::None => None,
            Constants::Imagenet => Some(Normalize::IMAGENET),
        }
    }
}

/// What a model answers with.
#[derive(Clone, Copy, ValueEnum)]
pub enum Answers {
    Logits,
    Probabilities,
    Labels,
}

impl From<Answers> for Kind {
    fn from(answers: Answers) -> Self {
        match answers {
            Answers::Logits => Self::Logits,
            Answers::Probabilities => Self::Probabilities,
            Answers::Labels => Self::Labels,
        }
    }
}

/// How a model is asked: what a mark remembers of a deployment.
#[derive(Clone, Debug, PartialEq)]
pub struct How {
    /// How pixels travel.
    pub pixels: Encoding,
    /// What requests look like, if a server answers.
    pub protocol: Option<Protocol>,
}

impl Deployment {
    /// The most images of a request.
    pub fn batch(&self) -> usize {
        self.batch.into()
    }

    /// How the model is asked: as the command line says, else as in a mark, else as usual.
    ///
    /// # Errors
    /// If options do not fit together, or the template cannot be read.
    pub fn how(&self, mark: Option<&About>) -> anyhow::Result<How> {
        let custom = self.template.is_some() || self.answer.is_some();
        if custom && !matches!(self.api, Some(Api::Custom)) {
            bail!(
                "--template and --answer are for a server of your own; add --api custom, or leave them out"
            );
        }
        if self.place.weights.is_none() && !self.computing.is_default() {
            bail!("--device and --gpu-memory are for the network of --weights; leave them out");
        }
        let known = mark.and_then(|about| about.protocol.clone());
        let protocol = match (&self.place.url, self.api, known) {
            (None, ..) => None,
            (_, None, Some(known)) => Some(known),
            (_, api, _) => Some(self.protocol(api.unwrap_or(Api::Kserve))?),
        };
        let usual = || match &protocol {
            Some(protocol) if protocol.is_png_only() => Encoding::Png,
            Some(Protocol::TensorFlow) => Encoding::ChannelsLast,
            _ => Encoding::ChannelsFirst,
        };
        let pixels = match (self.pixels, mark) {
            (Some(Pixels::ChannelsFirst), _) => Encoding::ChannelsFirst,
            (Some(Pixels::ChannelsLast), _) => Encoding::ChannelsLast,
            (Some(Pixels::Png), _) => Encoding::Png,
            (None, Some(about)) => about.pixels,
            (None, None) => usual(),
        };
        Ok(How { pixels, protocol })
    }

    fn protocol(&self, api: Api) -> anyhow::Result<Protocol> {
        Ok(match api {
            Api::Kserve => Protocol::KServe {
                input: self.input.clone(),
            },
            Api::Tensorflow => Protocol::TensorFlow,
            Api::Torchserve => Protocol::TorchServe,
            Api::Mlflow => Protocol::MlFlow,
            Api::Huggingface => Protocol::HuggingFace,
            Api::Custom => {
                // The command line requires both.
                let path = self.template.clone().unwrap_or_default();
                let template = fs::read_to_string(&path);
                Protocol::Custom {
                    template: template.with_context(|| format!("--template {}", path.display()))?,
                    answer: self.answer.clone().unwrap_or_default(),
                }
            }
        })
    }

    /// The model. `images` are the first that it may be asked about, to find what neither the command line nor a mark says.
    ///
    /// # Errors
    /// If a setting or the device cannot be used, or the model does not answer.
    pub fn open(
        &self,
        how: &How,
        mark: Option<(&About, usize)>,
        images: &Images,
    ) -> anyhow::Result<Endpoint> {
        if let (Some(asked), Some((_, classes))) = (self.classes, mark)
            && usize::from(asked) != classes
        {
            bail!("--classes {asked}: the mark is of a model of {classes} classes; leave it out");
        }
        let known = mark.map(|(about, _)| about);
        let expected = Expected {
            kind: self
                .answers
                .map(Kind::from)
                .or(known.map(|about| about.answers)),
            classes: mark
                .map(|(_, classes)| classes)
                .or(self.classes.map(usize::from)),
            names: known.map(|about| about.names.clone()).unwrap_or_default(),
        };
        let batch = usize::from(self.batch);
        Ok(Endpoint::open(
            self.deployed(how)?,
            expected,
            images,
            batch,
        )?)
    }

    fn deployed(&self, how: &How) -> anyhow::Result<Box<dyn Deployed>> {
        if let (Some(path), Some(model)) = (&self.place.weights, self.model) {
            self.computing.open()?;
            return Ok(Box::new(Own::read(path, model, self.normalize.into())?));
        }
        if let Some(path) = &self.place.onnx {
            let onnx = Onnx::read(path, how.pixels, self.normalize.into())?;
            return Ok(Box::new(onnx));
        }
        if let Some(command) = &self.place.program {
            return Ok(Box::new(Process::start(command, how.pixels)?));
        }
        let (Some(url), Some(protocol)) = (&self.place.url, &how.protocol) else {
            bail!("give --url, --program, --onnx, or --weights with --model");
        };
        let settings = Settings {
            encoding: how.pixels,
            timeout: self.timeout,
            retries: self.retries,
            rate: self.rate,
            token: self.token()?,
            ..Settings::default()
        };
        Ok(Box::new(Http::new(url, protocol, settings)?))
    }

    fn token(&self) -> anyhow::Result<Option<Token>> {
        if let Some(path) = &self.token_file {
            return Ok(Some(Token::read(path)?));
        }
        let Some(name) = &self.token_env else {
            return Ok(None);
        };
        let value = std::env::var(name).map(zeroize::Zeroizing::new);
        let value = value.with_context(|| format!("--token-env: the variable {name}"))?;
        Ok(Some(Token::new(&value, "--token-env")?))
    }
}
