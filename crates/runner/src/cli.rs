//! The command line.

mod implied;
mod suggest;

use std::num::NonZero;
use std::path::{Path, PathBuf};

use brink_config::Scale;
use brink_models::device::{Budget, Choice};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::grid::key;
use crate::say::{Loudness, note};
use crate::{exit, terminal};

/// The default results folder.
const OUT: &str = "results";

/// The seconds of silence after which a worker is taken for dead.
const EXPIRY: NonZero<u64> = NonZero::new(brink_store::worker::EXPIRY.as_secs()).unwrap();

/// Reproduces tables of fragile neural-network watermarks: computes the missing steps of a grid, then makes its tables and figures.
#[derive(Parser)]
#[command(
    name = "runner",
    version,
    after_help = exit::HELP,
    override_usage = "runner CONFIG.yaml [OPTIONS]\n       runner COMMAND [OPTIONS]",
    arg_required_else_help = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// How to say it.
    #[command(flatten)]
    pub manner: Manner,
}

/// The commands.
#[derive(Subcommand)]
pub enum Command {
    /// Compute the missing steps of a grid, then make its tables and figures; `runner CONFIG.yaml` is the same.
    Run {
        #[command(flatten)]
        selected: Selected,
        #[command(flatten)]
        how: How,
    },
    /// List the steps of a grid, done and to do, and estimate the time and memory of what is to do.
    Plan(Listed),
    /// Print a grid with its includes, presets, scale and --set resolved, as YAML that can be run again.
    Show {
        #[command(flatten)]
        chosen: Chosen,
        /// Show where each value comes from.
        #[arg(long)]
        origins: bool,
    },
    /// Count the steps of a grid that are done, running, waiting and failed, and list its workers.
    Status(Counted),
    /// Compute missing steps of a grid together with other workers, on any machines that share the results folder.
    Work {
        #[command(flatten)]
        selected: Selected,
        #[command(flatten)]
        working: Working,
    },
    /// Compute a grid by a job array of workers, then make its tables and figures: writes a script and runs it.
    Submit(Submitted),
    /// Check records, weights and samples of a grid: checksums, contradictions, and whether they belong to the grid.
    Check(Selected),
    /// Make the tables of a grid from its records; nothing is computed.
    Table(Made),
    /// Make the figures of a grid from its records; nothing is computed.
    Plot(Made),
    /// Make one page, report.html, with all tables and figures of a grid; nothing is computed.
    Report(Made),
    /// List or download data sets.
    Data {
        /// List or download.
        #[command(subcommand)]
        command: Data,
    },
    /// Describe a weight file: container, tensors, claimed accuracy, hash, and the networks that it fits.
    Inspect {
        /// The file, of safetensors or torch.save.
        file: PathBuf,
    },
    /// List what a grid file may hold: models, generators, attacks, probes and reports, with every field and its default.
    List {
        /// Show only this one, with an example to paste into a grid.
        name: Option<String>,
        #[command(flatten)]
        format: Format,
    },
    /// Delete what the results folder no longer needs: saved states, what failed steps left, and records that no grid names.
    Clean(Clean),
    /// Print the completions of a shell, e.g. runner completions bash > /etc/bash_completion.d/runner.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page, e.g. runner man > runner.1.
    Man,
}

/// How much is said, and in which form.
#[derive(Args)]
pub struct Manner {
    /// Say only errors and warnings, and what a listing command lists.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Say more: every finished step, all tables with their notes, and every file.
    #[arg(short, long, global = true)]
    verbose: bool,
    /// When to use colours; NO_COLOR turns `auto` off.
    #[arg(long, value_enum, value_name = "WHEN", default_value_t, global = true)]
    pub color: terminal::Color,
}

impl Manner {
    /// How much is said.
    pub fn loudness(&self) -> Loudness {
        match (self.quiet, self.verbose) {
            (true, _) => Loudness::Quiet,
            (_, true) => Loudness::Verbose,
            _ => Loudness::Usual,
        }
    }
}

/// The form of a list.
#[derive(Args)]
pub struct Format {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// The commands of `data`.
#[derive(Subcommand)]
pub enum Data {
    /// List all data sets, and whether each was found.
    List {
        /// Where to look.
        #[command(flatten)]
        folder: Folder,
        #[command(flatten)]
        format: Format,
    },
    /// Download a data set into the data folder.
    Fetch {
        /// The name of the data set.
        dataset: brink_data::Id,
        /// The folder to put it into.
        #[command(flatten)]
        folder: Folder,
        /// Download from this address instead.
        #[arg(long, value_name = "URL")]
        url: Option<String>,
    },
}

/// The data folder.
#[derive(Clone, Args)]
pub struct Folder {
    /// The folder of data sets and weight files [default: the variable BRINK_DATA].
    // Not clap's `env`, because that refuses an empty variable.
    #[arg(long = "data", value_name = "DIR")]
    named: Option<PathBuf>,
}

impl Folder {
    /// The folder `--data`, else the one in `BRINK_DATA`.
    pub fn path(&self) -> Option<PathBuf> {
        let usual = || std::env::var_os("BRINK_DATA").filter(|folder| !folder.is_empty());
        self.named.clone().or_else(|| usual().map(PathBuf::from))
    }
}

/// A grid and the options that its steps depend on.
#[derive(Args)]
pub struct Chosen {
    /// The grid file.
    #[arg(value_name = "CONFIG.yaml")]
    pub config: PathBuf,
    /// `desk` (minutes), `paper` (the paper's own numbers) or a custom scale of the grid [default: desk].
    #[arg(long)]
    pub scale: Option<Scale>,
    /// Change a field of the grid, e.g. --set generators.ours.samples=60; may be repeated.
    #[arg(long, value_name = "PATH=VALUE")]
    pub set: Vec<String>,
    #[command(flatten)]
    pub folder: Folder,
    /// The results folder.
    #[arg(long, value_name = "DIR", default_value = OUT)]
    pub out: PathBuf,
    /// Where to compute: auto, auto:N, cpu, cuda or cuda:N. With --workers, auto takes all GPUs in turn. No bit of a result depends on it.
    #[arg(long, value_name = "DEVICE", default_value_t)]
    pub device: Choice,
    /// A file with the owner's secret key as hexadecimal digits [default: the variable BRINK_KEY, else the key of the grid].
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
}

impl Cli {
    /// Reads the command line. Ends the program if the command line is wrong.
    pub fn read() -> Self {
        // `std::env::args` would panic if an argument is not UTF-8.
        let arguments = std::env::args_os().skip(1);
        let arguments = arguments.map(|argument| argument.to_string_lossy().into_owned());
        let arguments: Vec<String> = arguments.collect();
        let parsed = match implied::arguments(std::env::args_os()) {
            Ok(all) => Self::try_parse_from(all),
            Err(mistyped) => Err(mistyped),
        };
        parsed.unwrap_or_else(|mut error| {
            suggest::name_commands_of_option(&mut error);
            let secrets: Vec<String> = arguments
                .into_iter()
                .filter(|argument| key::may_tell(argument))
                .collect();
            if !error.use_stderr() || secrets.is_empty() {
                error.exit()
            }
            // The message quotes arguments, which may hold the key.
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
    /// The command that runs the grid with the same options. `DIR` stands for a missing data folder, and `KEY` for a key
    /// given with `--set`.
    pub fn command(&self) -> String {
        let set = self.set.iter().map(|change| key::without_secret(change));
        let data = self.data().unwrap_or_else(|| "DIR".into());
        let words = [
            vec!["runner".to_owned()],
            self.words(set.collect(), Some(data)),
        ]
        .concat();
        // Quoting fails only for NUL, and no argument holds a NUL.
        shlex::try_join(words.iter().map(String::as_str)).unwrap_or_else(|_| words.join(" "))
    }

    /// The grid file and the options, with these values of `--set` and this data folder.
    pub fn words(&self, set: Vec<String>, data: Option<PathBuf>) -> Vec<String> {
        let mut words = vec![self.config.display().to_string()];
        let mut option = |name: &str, value: String| words.extend([name.to_owned(), value]);
        if let Some(scale) = self.scale.filter(|scale| *scale != Scale::default()) {
            option("--scale", scale.to_string());
        }
        for change in set {
            option("--set", change);
        }
        if let Some(data) = data {
            option("--data", data.display().to_string());
        }
        if self.out != Path::new(OUT) {
            option("--out", self.out.display().to_string());
        }
        if self.device != Choice::default() {
            option("--device", self.device.to_string());
        }
        if let Some(file) = &self.key_file {
            option("--key-file", file.display().to_string());
        }
        words
    }

    /// The data folder, if one is given.
    pub fn data(&self) -> Option<PathBuf> {
        self.folder.path()
    }
}

/// A grid whose records become tables and figures.
#[derive(Args)]
pub struct Made {
    #[command(flatten)]
    pub chosen: Chosen,
    #[command(flatten)]
    pub overwrite: Overwrite,
}

/// Whether to overwrite existing tables.
#[derive(Args)]
pub struct Overwrite {
    /// Overwrite tables, figures and pages even if they show steps that the new ones do not: of another grid, key or scale.
    #[arg(long)]
    pub force: bool,
}

/// A grid, or the part that patterns select.
#[derive(Args)]
pub struct Selected {
    #[command(flatten)]
    pub chosen: Chosen,
    /// Only the steps whose names match, and the steps that they need, e.g. --only 'cifar10-resnet18/ours/*'; may be repeated.
    #[arg(long, value_name = "GLOB")]
    pub only: Vec<String>,
}

impl Selected {
    /// The words of a command that selects the same part of the same grid.
    pub fn words(&self) -> Vec<String> {
        let chosen = &self.chosen;
        let mut words = chosen.words(chosen.set.clone(), chosen.data());
        for pattern in &self.only {
            words.extend(["--only".to_owned(), pattern.clone()]);
        }
        words
    }
}

/// A part of a grid that is listed.
#[derive(Args)]
pub struct Listed {
    #[command(flatten)]
    pub selected: Selected,
    #[command(flatten)]
    pub format: Format,
}

/// What `clean` deletes.
#[derive(Args)]
pub struct Clean {
    /// The grids whose records are kept, at each of their scales.
    #[arg(value_name = "CONFIG.yaml", required = true)]
    pub grids: Vec<PathBuf>,
    /// What to delete.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Waste::States, Waste::Failed, Waste::Unnamed])]
    pub what: Vec<Waste>,
    /// List what would be deleted; delete nothing.
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub folder: Folder,
    /// The results folder.
    #[arg(long, value_name = "DIR", default_value = OUT)]
    pub out: PathBuf,
    /// Where the steps were computed. No id depends on it.
    #[arg(long, value_name = "DEVICE", default_value_t)]
    pub device: Choice,
    /// A file with the owner's secret key as hexadecimal digits [default: the variable BRINK_KEY, else the keys of the grids].
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
}

/// What a results folder may hold in vain.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Waste {
    /// The saved states of steps that are not finished. Such a step begins anew.
    States,
    /// Weights and samples without a record, which failed steps left.
    Failed,
    /// Records that none of the grids names, with their weights and samples.
    Unnamed,
}

/// Options of a run.
#[derive(Args)]
pub struct How {
    /// List the steps; compute and write nothing.
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub overwrite: Overwrite,
    /// Compute by so many processes on this machine, which share its cores and its GPUs.
    #[arg(long, value_name = "N", default_value = "1")]
    pub workers: NonZero<usize>,
    #[command(flatten)]
    pub computing: Computing,
}

/// How steps are computed.
#[derive(Args)]
pub struct Computing {
    /// The instruction set of the processor: portable, avx2 or avx512; results have the same bits [default: the best available].
    #[arg(long, value_name = "SET")]
    pub isa: Option<brink_ops::kernel::Isa>,
    /// The GPU memory of each process: a share of what is free, e.g. 50%, or a size, e.g. 20GiB [default: 90%, divided among workers].
    #[arg(long, value_name = "SHARE|SIZE")]
    pub gpu_memory: Option<Budget>,
    /// For tests: save the state of a step every N iterations, not by the clock.
    #[arg(long, hide = true, value_name = "N")]
    pub save_every: Option<usize>,
    /// For tests: the bytes that must be free on the disk of the results folder.
    #[arg(long, hide = true, value_name = "BYTES")]
    pub require_free: Option<u64>,
}

impl Computing {
    /// The words of a command that computes in the same way.
    pub fn words(&self) -> Vec<String> {
        let options = [
            ("--isa", self.isa.map(|isa| isa.to_string())),
            ("--gpu-memory", self.gpu_memory.map(|gpu| gpu.to_string())),
            ("--save-every", self.save_every.map(|n| n.to_string())),
            ("--require-free", self.require_free.map(|n| n.to_string())),
        ];
        let given = options.into_iter();
        let given = given.filter_map(|(name, value)| Some([name.to_owned(), value?]));
        given.flatten().collect()
    }
}

/// Options of a worker.
#[derive(Args)]
pub struct Working {
    /// Stay while other workers compute, for what then becomes possible and for what they leave.
    #[arg(long)]
    pub wait: bool,
    /// Take over the step of a worker that has been silent for so many seconds; the same for all workers of a folder.
    #[arg(long, value_name = "SECONDS", default_value_t = EXPIRY)]
    pub expire: NonZero<u64>,
    /// Refuse to work unless the results folder has this name, as in its file store/folder.
    #[arg(long, value_name = "NAME")]
    pub folder: Option<String>,
    /// End when standard input ends, as it does when the process that started this one dies.
    #[arg(long, hide = true)]
    pub attended: bool,
    #[command(flatten)]
    pub computing: Computing,
}

/// A grid to compute by a job array.
#[derive(Args)]
pub struct Submitted {
    #[command(flatten)]
    pub selected: Selected,
    /// The most tasks of the array; each is a worker.
    #[arg(long, value_name = "N", default_value = "20")]
    pub array_limit: NonZero<usize>,
    /// The script that submits: slurm, pbs or a file with other words for {{ worker }}, {{ tables }} and the rest.
    #[arg(long, value_name = "FILE", default_value = "slurm")]
    pub template: String,
    /// Print the script; submit and write nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Options of the scheduler for both jobs, e.g. -- --partition=long --time=24:00:00.
    #[arg(last = true, value_name = "OPTIONS")]
    pub options: Vec<String>,
}

/// What is counted, and how often.
#[derive(Args)]
pub struct Counted {
    #[command(flatten)]
    pub listed: Listed,
    /// Count again every two seconds, until all is done or has failed.
    #[arg(long)]
    pub watch: bool,
}
