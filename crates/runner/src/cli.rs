//! The command line.

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use spec::Scale;

use crate::grid::key;
use crate::say::note;
use crate::{device, exit};

/// The results folder, if none is named.
const OUT: &str = "results";

/// Reproduces tables of fragile neural-network watermarks: computes what is missing of a grid, then reports.
#[derive(Parser)]
#[command(
    name = "runner",
    version,
    after_help = exit::HELP,
    arg_required_else_help = true,
    args_conflicts_with_subcommands = true
)]
pub struct Cli {
    /// What to do instead of running a grid.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The grid to run.
    #[command(flatten)]
    pub chosen: Option<Chosen>,
    /// Only steps whose name matches, e.g. --only 'cifar10-resnet18/ours/*'; and what they need.
    #[arg(long, value_name = "GLOB")]
    pub only: Option<String>,
    /// How to run it.
    #[command(flatten)]
    pub how: How,
}

/// Everything but running a grid.
#[derive(Subcommand)]
pub enum Command {
    /// List the steps of a grid, done and to do.
    Plan(Selected),
    /// Print a grid with its includes, presets, scale and --set resolved, as YAML that can be run again.
    Show {
        #[command(flatten)]
        chosen: Chosen,
        /// Say of each value where it is from.
        #[arg(long)]
        origins: bool,
    },
    /// Count what is done of a grid.
    Status(Selected),
    /// Check records, weights and samples of a grid: checksums, contradictions, and whether they belong to the grid.
    Check(Selected),
    /// Make the tables of a grid out of its records; nothing is computed.
    Table(Made),
    /// Make the figures of a grid out of its records; nothing is computed.
    Plot(Made),
    /// Make one page, report.html, of all tables and figures of a grid; nothing is computed.
    Report(Made),
    /// List or get data sets.
    Data {
        /// Which of the two.
        #[command(subcommand)]
        command: Data,
    },
    /// List what a grid file may say: models, generators, attacks, probes and reports, with every field and its default.
    List,
}

/// What can be done about data sets.
#[derive(Subcommand)]
pub enum Data {
    /// List data sets, and whether they were found.
    List(Folder),
    /// Download a data set into the data folder.
    Fetch {
        /// Its name.
        dataset: data::Id,
        /// Where to put it.
        #[command(flatten)]
        folder: Folder,
        /// Download from here instead.
        #[arg(long, value_name = "URL")]
        url: Option<String>,
    },
}

/// The data folder.
#[derive(Args)]
pub struct Folder {
    /// The folder that holds data sets and weight files; else that of BRINK_DATA.
    // Not clap's `env`, to which an empty variable is an error.
    #[arg(long = "data", value_name = "DIR")]
    named: Option<PathBuf>,
}

impl Folder {
    /// The data folder, if there is one.
    pub fn path(&self) -> Option<PathBuf> {
        data_folder(self.named.as_ref())
    }
}

/// The folder that is named, else that of the environment.
fn data_folder(named: Option<&PathBuf>) -> Option<PathBuf> {
    let usual = || std::env::var_os("BRINK_DATA").filter(|folder| !folder.is_empty());
    named.cloned().or_else(|| usual().map(PathBuf::from))
}

/// A grid, and what its steps depend on.
#[derive(Args)]
pub struct Chosen {
    /// The grid file.
    #[arg(value_name = "CONFIG.yaml")]
    pub config: PathBuf,
    /// `desk` (minutes), `paper` (the paper's own numbers) or a scale of the grid's own [default: desk].
    #[arg(long)]
    pub scale: Option<Scale>,
    /// Change a field of the grid, e.g. --set generators.ours.samples=60; may be repeated.
    #[arg(long, value_name = "PATH=VALUE")]
    pub set: Vec<String>,
    /// The folder that holds data sets and weight files; else that of BRINK_DATA.
    // Not clap's `env`: a grid's option that is always there would forbid all other commands. Not `Folder` either: clap would not see a grid
    // where a part of it is flattened into it.
    #[arg(long = "data", value_name = "DIR")]
    named_data: Option<PathBuf>,
    /// The results folder.
    #[arg(long, value_name = "DIR", default_value = OUT)]
    pub out: PathBuf,
    /// Where to compute.
    #[arg(long, value_enum, default_value_t)]
    pub device: device::Choice,
    /// A file with the owner's secret key as hexadecimal digits; else BRINK_KEY; else the grid's own key.
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
}

impl Cli {
    /// Reads the command line. One that is wrong ends the program.
    pub fn read() -> Self {
        Self::try_parse().unwrap_or_else(|error| {
            let secrets: Vec<String> = std::env::args()
                .skip(1)
                .filter(|argument| key::may_tell(argument))
                .collect();
            if !error.use_stderr() || secrets.is_empty() {
                error.exit()
            }
            // The message quotes arguments.
            let mut message = error.to_string();
            for secret in secrets {
                let (_, value) = secret.split_once('=').unwrap_or(("", &secret));
                message = message.replace(&secret, "***").replace(value, "***");
            }
            note!("{}", message.trim_end());
            std::process::exit(2)
        })
    }
}

impl Chosen {
    /// The command that runs the grid with the same choices; `DIR` stands for a data folder that was not named, `KEY` for a key that was.
    pub fn command(&self) -> String {
        let mut words = vec!["runner".to_owned(), self.config.display().to_string()];
        let mut option = |name: &str, value: String| words.extend([name.to_owned(), value]);
        if let Some(scale) = self.scale.filter(|scale| *scale != Scale::default()) {
            option("--scale", scale.to_string());
        }
        for change in &self.set {
            option("--set", key::without_secret(change));
        }
        let data = self.data().unwrap_or_else(|| "DIR".into());
        option("--data", data.display().to_string());
        if self.out != Path::new(OUT) {
            option("--out", self.out.display().to_string());
        }
        if let Some(device) = self.device.to_possible_value()
            && self.device != device::Choice::default()
        {
            option("--device", device.get_name().to_owned());
        }
        if let Some(file) = &self.key_file {
            option("--key-file", file.display().to_string());
        }
        // Only a NUL cannot be quoted, and no argument has one.
        shlex::try_join(words.iter().map(String::as_str)).unwrap_or_else(|_| words.join(" "))
    }

    /// The data folder, if there is one.
    pub fn data(&self) -> Option<PathBuf> {
        data_folder(self.named_data.as_ref())
    }
}

/// A grid, to make something of its records.
#[derive(Args)]
pub struct Made {
    #[command(flatten)]
    pub chosen: Chosen,
    #[command(flatten)]
    pub overwrite: Overwrite,
}

/// What becomes of tables that are there already.
#[derive(Args)]
pub struct Overwrite {
    /// Write over tables, figures and pages that show steps which the new ones do not: of another grid, key or scale.
    #[arg(long)]
    pub force: bool,
}

/// A grid, or the part of it that a pattern selects.
#[derive(Args)]
pub struct Selected {
    #[command(flatten)]
    pub chosen: Chosen,
    /// Only steps whose name matches, e.g. --only 'cifar10-resnet18/ours/*'; and what they need.
    #[arg(long, value_name = "GLOB")]
    pub only: Option<String>,
}

/// How a grid is run.
#[derive(Args)]
pub struct How {
    /// List the steps; compute and write nothing.
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub overwrite: Overwrite,
    /// The instruction set of the processor to compute with: portable, avx2 or avx512; results have the same bits. The best there
    /// is, if absent.
    #[arg(long, value_name = "SET")]
    pub isa: Option<ops::kernel::Isa>,
    /// For tests: save the state of a step after so many of its iterations rather than by the clock.
    #[arg(long, hide = true, value_name = "N")]
    pub save_every: Option<usize>,
    /// For tests: bytes that must be free on the disk of the results folder.
    #[arg(long, hide = true, value_name = "BYTES")]
    pub require_free: Option<u64>,
}
