//! What the user can type.

use super::stream::StreamKind;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Accuracy, data volume and bit flips of CNN accelerators whose memories may err.
#[derive(Debug, Parser)]
#[command(name = "approxmem", version, propagate_version = true)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Say more on standard error: the spans of trials and layers with their times, what was struck, where passes restart.
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub verbose: bool,
    /// Say nothing on standard error but errors.
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run one experiment: accuracy, data volume and bit flips.
    Run {
        /// The experiment.
        config: PathBuf,
        /// Run each stop alone, too, to split the accuracy loss.
        #[arg(long)]
        attribute: bool,
        #[command(flatten)]
        overrides: Overrides,
        #[command(flatten)]
        output: Output,
    },
    /// Run an experiment at every point of a grid; all points share their faults.
    Sweep {
        /// The experiment.
        config: PathBuf,
        /// An axis of the grid: KEY=0..8 (inclusive integers), KEY=a..b/n (n points), KEY=1e-8..1e-1*10 (geometric) or
        /// KEY=[x, y] (list). Repeat it for more axes.
        #[arg(long, value_name = "KEY=VALUES", required = true)]
        over: Vec<String>,
        #[command(flatten)]
        overrides: Overrides,
        #[command(flatten)]
        output: Output,
    },
    /// Run several experiments and show them side by side: which is better on what, and whether that survives halving and
    /// doubling every constant that is not a found one.
    Compare {
        /// The experiments.
        #[arg(required = true, num_args = 2..)]
        configs: Vec<PathBuf>,
        /// Trials of a design whose bit error rate a halved or doubled constant changes, at most its own number.
        #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
        variation_trials: u64,
        #[command(flatten)]
        overrides: Overrides,
        #[command(flatten)]
        output: Output,
    },
    /// Find which data of a network may lose bits or err, how much, and what that buys: the narrowest words of each data subset
    /// alone and of all together, the largest tolerable error rates, what must be protected, and the operating points, traffic,
    /// cycles and energy that meet the floor.
    Resilience(Evaluating),
    /// Show a network's layers, shapes, multiply-accumulates and data subsets with their share of the volume.
    Inspect {
        /// The network definition.
        network: PathBuf,
        /// Trained weights, to check that they fit the definition and to show their ranges.
        #[arg(long, value_name = "FILE")]
        weights: Option<PathBuf>,
        /// Print JSON alone on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Show the permanent faults of one device, and export them as a map that can be imported (`error.map`).
    Map {
        /// The experiment.
        config: PathBuf,
        /// This memory alone.
        #[arg(long, value_name = "NAME")]
        memory: Option<String>,
        /// The device: trials are numbered from 0.
        #[arg(long, value_name = "N", default_value_t = 0)]
        trial: u64,
        /// Write the weak cells to this file: memory, bank, row, column, bit, direction.
        #[arg(long, value_name = "FILE")]
        export: Option<PathBuf>,
        #[command(flatten)]
        overrides: Overrides,
        /// Print JSON alone on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Check an experiment without running it: volumes, bits at risk, expected flips, memory, work.
    Check {
        /// The experiment.
        config: PathBuf,
        #[command(flatten)]
        overrides: Overrides,
        /// Print JSON alone on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Show what every layer does on the accelerator: cycles, traffic and energy per operand and memory.
    Trace(Tracing),
    /// The tables and figures of the paper that this program follows, ours beside its: networks are measured as far as their
    /// weights and images are there.
    Reproduce(Reproducing),
    /// Show error rate, energy and power of a memory at its operating points, without any network.
    Memory {
        /// A preset of errors, one of energy, or both, of one technology: see `approxmem presets`. With --stream also a
        /// configuration file of `DRAMsim3`, `FILE.ini`.
        #[arg(required = true, value_name = "PRESET")]
        presets: Vec<String>,
        /// Move a stream of bursts through a DRAM, in closed form and command by command: time, bandwidth, what limits it, and
        /// energy by command. Further keys: `address_map` (two letters per field, most significant first: `rochrabacobg`),
        /// `channels`, `ranks`, `queue_depth`, `outstanding`, `command_queue`, `write_threshold` and `queue_structure`.
        #[arg(long, value_name = "KIND", requires = "bytes")]
        stream: Option<StreamKind>,
        /// Bytes of the stream.
        #[arg(long, value_name = "N", requires = "stream")]
        bytes: Option<u64>,
        /// Write the bursts of the stream into FILE, as an address trace that `DRAMsim3` reads.
        #[arg(long, value_name = "FILE", requires = "stream", conflicts_with = "over")]
        export: Option<PathBuf>,
        /// An axis of the grid: KEY=0..8 (inclusive integers), KEY=a..b/n (n points), KEY=1e-8..1e-1*10 (geometric) or
        /// KEY=[x, y] (list), as in --over v=0.75..1.0/11; `bit_error_rate=[1e-4, 1e-3]` looks for the voltage or the refresh
        /// interval. Repeat it for more axes.
        #[arg(long, value_name = "KEY=VALUES")]
        over: Vec<String>,
        /// Set a key of the memory, as in `--set temp_c=70`; keys need not name their table.
        #[arg(long, value_name = "KEY=VALUE")]
        set: Vec<String>,
        /// Print CSV alone on standard output.
        #[arg(long, conflicts_with = "json")]
        csv: bool,
        /// Print JSON alone on standard output.
        #[arg(long)]
        json: bool,
    },
    /// List the presets of memories, or show one.
    #[command(args_conflicts_with_subcommands = true)]
    Presets {
        #[command(subcommand)]
        command: Option<PresetsCommand>,
        /// Print JSON alone on standard output.
        #[arg(long)]
        json: bool,
    },
}

/// What `presets` shows.
#[derive(Debug, Subcommand)]
pub enum PresetsCommand {
    /// Show every constant of a preset with its unit, its source and how it is known.
    Show {
        /// The preset.
        name: String,
        /// Print JSON alone on standard output.
        #[arg(long)]
        json: bool,
    },
}

/// Keys of the configuration changed on the command line.
#[derive(Debug, Default, Args)]
pub struct Overrides {
    /// Set a key of the configuration, as in --set memories.dram.ber=1e-4; quote names that hold a dot or a slash.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Seed of every random draw (experiment.seed).
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Number of trials (experiment.trials).
    #[arg(long, value_name = "N")]
    pub trials: Option<u64>,
    /// Number of evaluation images (experiment.images).
    #[arg(long, value_name = "N")]
    pub images: Option<u64>,
}

impl Overrides {
    /// All overrides as the option typed and `key=value`, in the order in which they apply.
    pub fn assignments(&self) -> Vec<(&'static str, String)> {
        let set = self.set.iter().map(|assignment| ("--set", assignment.clone()));
        let named = [
            ("--seed", "seed", self.seed),
            ("--trials", "trials", self.trials),
            ("--images", "images", self.images),
        ];
        let named = named
            .into_iter()
            .filter_map(|(option, key, value)| Some((option, format!("experiment.{key}={}", value?))));
        set.chain(named).collect()
    }
}

/// What is evaluated, and how thoroughly.
#[derive(Debug, Args)]
pub struct Evaluating {
    /// The network with its images, the floor, and maybe an accelerator with its memories.
    pub config: PathBuf,
    /// Narrow the N largest data subsets (resilience.subsets) [default: 5].
    #[arg(long, value_name = "N", conflicts_with = "cover", value_parser = clap::value_parser!(u64).range(1..))]
    pub subsets: Option<u64>,
    /// Narrow the largest data subsets that make up this share of the data volume, above 0 up to 1 (resilience.cover).
    #[arg(long, value_name = "SHARE")]
    pub cover: Option<f64>,
    /// Measure everything: all subsets, all widths, all words, every error rate with every number of protected bits, the
    /// refined error rates, the Pareto front, the cheapest design. It takes long.
    #[arg(long)]
    pub full: bool,
    /// Look for the cheapest design over operating points, protection and widths.
    #[arg(long, value_name = "FIGURE")]
    pub optimise: Option<Figure>,
    #[command(flatten)]
    pub overrides: Overrides,
    #[command(flatten)]
    pub output: Output,
}

/// What the cheapest design has least of, per inference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Figure {
    /// Energy of memories and operations.
    Energy,
    /// Bytes moved from and to off-chip memory.
    Traffic,
    /// Cycles of the accelerator.
    Cycles,
}

/// What is traced, and what is told of it.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option that is there or not")]
pub struct Tracing {
    /// A configuration with a table `accelerator`, whose network is traced; or, with --on, a topology of SCALE-Sim (CSV).
    #[arg(value_name = "CONFIG|TOPOLOGY")]
    pub source: PathBuf,
    /// The configuration whose memories and accelerator the layers of a topology run on.
    #[arg(long, value_name = "CONFIG")]
    pub on: Option<PathBuf>,
    /// Trace this network definition in place of that of the configuration (network.definition).
    #[arg(long, value_name = "FILE", conflicts_with = "on")]
    pub network: Option<PathBuf>,
    /// Set a key of the configuration, as in --set accelerator.rows=32; quote names that hold a dot or a slash.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Show MACs per byte, attainable and achieved MACs per cycle, and what binds.
    #[arg(long, conflicts_with = "scalesim")]
    pub roofline: bool,
    /// Show what SCALE-Sim shows: whole layers through the array, without tiles and without waiting.
    #[arg(long)]
    pub scalesim: bool,
    /// Write the layers as a topology of SCALE-Sim.
    #[arg(long, value_name = "FILE")]
    pub export_topology: Option<PathBuf>,
    /// Write the bursts to and from DRAM as an address trace of DRAMsim3.
    #[arg(long, value_name = "FILE")]
    pub export_dram: Option<PathBuf>,
    /// Folder for the result files [default: none].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print CSV alone on standard output: one row per layer.
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
    /// Print JSON alone on standard output.
    #[arg(long)]
    pub json: bool,
}

/// What of the paper is reproduced, and on which networks.
#[derive(Debug, Args)]
pub struct Reproducing {
    /// The table or figure.
    #[arg(value_enum, default_value_t = ReproductionPart::All)]
    pub part: ReproductionPart,
    /// These networks alone, separated by commas: `lenet5`, `cifar10_full`, `alexnet` and `vgg16` of a checkout; `lenet5_fyh620`,
    /// `cifar10_full_caffe`, `squeezenet_v1.1` and `bvlc_googlenet` of --data [default: all that are there].
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub networks: Vec<String>,
    /// Folder with the networks and images that are not part of this project: `models/`, `mnist/`, `cifar10/`, `imagenet/`.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Weights (caffemodel) of a network that has none here, as in --weights alexnet=FILE; its pictures are those of --data.
    #[arg(long, value_name = "NETWORK=FILE")]
    pub weights: Vec<String>,
    /// Bit-widths of table 4 as the paper prints them, largest subset first, as in --paper-widths lenet5=3,3,4,4,4.
    #[arg(long, value_name = "NETWORK=BITS")]
    pub paper_widths: Vec<String>,
    /// Measure nothing: show the measurements saved in this folder.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["trials", "images", "weights"])]
    pub from: Option<PathBuf>,
    /// A checkout of this project, with `models/` and `data/`.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub checkout: PathBuf,
    /// Folder of `reproduction.md` and `reproduction/`: measurements (reused for networks that are not measured again), tables and
    /// charts; for one table or figure, of its JSON and charts [default: `results/reproduction`; for one table and with --json:
    /// none].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Trials after which a point of random errors is left undecided [default: by network, 30 to 200].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(3..=1_000_000))]
    pub trials: Option<u64>,
    /// Number of evaluation images [default: all].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub images: Option<u64>,
    /// Seed of every random draw.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub seed: u64,
    /// Number of threads [default: all]. It changes no result.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
    /// Print JSON alone on standard output.
    #[arg(long)]
    pub json: bool,
}

/// A table or figure of the paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReproductionPart {
    /// The networks.
    Table1,
    /// Their dominant data subsets.
    Table2,
    /// Bit-widths of single data.
    Table3,
    /// Bit-widths of all together, and eq. (1).
    Table4,
    /// Accuracy over the bit-width of single data.
    Figure4,
    /// The joint scheme datum by datum.
    Figure5,
    /// Accuracy over data volume.
    Figure6,
    /// Accuracy over the bit error rate.
    Figure7,
    /// Accuracy over the number of protected bits.
    Figure8,
    /// Everything, as a document.
    All,
}

impl ReproductionPart {
    /// As it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Table1 => "table1",
            Self::Table2 => "table2",
            Self::Table3 => "table3",
            Self::Table4 => "table4",
            Self::Figure4 => "figure4",
            Self::Figure5 => "figure5",
            Self::Figure6 => "figure6",
            Self::Figure7 => "figure7",
            Self::Figure8 => "figure8",
            Self::All => "all",
        }
    }

    /// Number of the figure, if it is one.
    pub fn figure(self) -> Option<u32> {
        self.name().strip_prefix("figure").and_then(|number| number.parse().ok())
    }

    /// Whether it is a table.
    pub fn is_table(self) -> bool {
        self.name().starts_with("table")
    }
}

/// Where results go.
#[derive(Debug, Default, Args)]
pub struct Output {
    /// Folder of the result files [default: results/NAME of the configuration; with --json: none].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print the result as JSON alone on standard output.
    #[arg(long)]
    pub json: bool,
    /// Number of threads [default: all]. It changes no result.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
}
