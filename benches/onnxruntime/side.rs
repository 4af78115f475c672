//! Our side of the comparison with onnxruntime: a child process of `compare.py`.
//!
//! ```text
//! side DEFINITION WEIGHTS BATCH THREADS INPUT OUTPUT
//! ```
//!
//! loads and packs the network, evaluates the BATCH images of INPUT once, writes the logits and then the outputs of all images
//! to OUTPUT, and prints one line of JSON: what the network consists of, how long each step of the start took, and the largest
//! resident set until then. INPUT and OUTPUT hold little-endian binary32, image after image in the order channel, row, column.
//! Then, for each line `N` on standard input, the batch is evaluated once untimed and N times timed, and the N times are
//! printed in seconds on one line. Timed is everything from the batch as a plain array to the outputs as a plain array:
//! blocking of the images, forward pass, unblocking of the outputs.

use approxmem::inference::{Activations, Engine, NoHook, Start, Weights};
use approxmem::network::{self, BlobId, LayerId, Network, Parameter};
use rayon::ThreadPoolBuilder;
use serde::Serialize;
use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::io::{self, BufRead, Write};
use std::path::Path;
use std::time::Instant;

/// The allocator of the `approxmem` binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str =
    "started by benches/onnxruntime/compare.py as: DEFINITION WEIGHTS BATCH THREADS INPUT OUTPUT";

/// What is printed before the first round.
#[derive(Serialize)]
struct Ready {
    instruction_set: String,
    /// Multiply-accumulates of one image.
    macs_per_image: u64,
    /// Words of all weights and biases.
    parameter_words: usize,
    /// Words of all blobs for one image: what the activations would take if none shared storage.
    blob_words_per_image: usize,
    logits_per_image: usize,
    outputs_per_image: usize,
    load_seconds: f64,
    compile_and_pack_seconds: f64,
    first_pass_seconds: f64,
    /// Where the system tells it.
    peak_resident_bytes: Option<u64>,
}

/// A network ready to evaluate one batch.
struct Side {
    network: Network,
    engine: Engine,
    weights: Weights,
    batch: usize,
    input: Vec<f32>,
}

impl Side {
    /// From the batch to the blobs `outputs`, each as a plain array.
    fn evaluate(&self, outputs: &[BlobId]) -> Result<Vec<Vec<f32>>, Box<dyn Error>> {
        let id = self.network.input();
        let images = Activations::from_images(self.network.blob(id).shape, self.batch, &self.input)?;
        let start = Start::new(id, &images);
        let results = self.engine.forward(&self.weights, &start, outputs, &NoHook)?;
        Ok(results.iter().map(Activations::to_images).collect())
    }

    /// Evaluates once untimed and as often as each line of standard input says timed.
    fn rounds(&self) -> Result<(), Box<dyn Error>> {
        let outputs = [self.network.output()];
        for line in io::stdin().lock().lines() {
            let calls: usize = line?.trim().parse()?;
            black_box(self.evaluate(&outputs)?);
            let mut seconds = Vec::with_capacity(calls);
            for _ in 0..calls {
                let start = Instant::now();
                black_box(self.evaluate(&outputs)?);
                seconds.push(start.elapsed().as_secs_f64());
            }
            print(&seconds)?;
        }
        Ok(())
    }
}

fn print(value: &impl Serialize) -> Result<(), Box<dyn Error>> {
    let mut output = io::stdout().lock();
    serde_json::to_writer(&mut output, value)?;
    writeln!(output)?;
    Ok(output.flush()?)
}

/// The largest resident set of this process so far, in bytes: `VmHWM` of Linux.
fn peak_resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

fn floats(path: &Path) -> io::Result<Vec<f32>> {
    let bytes = fs::read(path)?;
    Ok(bytes.chunks_exact(4).map(|word| f32::from_le_bytes([word[0], word[1], word[2], word[3]])).collect())
}

fn run(arguments: &[String; 6]) -> Result<(), Box<dyn Error>> {
    let [definition, weights, batch, _, input, output] = arguments;
    let input = floats(input.as_ref())?;

    let start = Instant::now();
    let mut network = network::read_definition(definition.as_ref())?;
    network::load_weights(&mut network, weights.as_ref())?;
    let load_seconds = start.elapsed().as_secs_f64();
    let parameters = network.layers.iter().flat_map(|layer| [&layer.weight, &layer.bias]).flatten();
    let parameter_words = parameters.map(Parameter::words).sum();

    let start = Instant::now();
    let engine = Engine::new(&network)?;
    let weights = engine.pack(&network)?;
    let compile_and_pack_seconds = start.elapsed().as_secs_f64();

    let side = Side { network, engine, weights, batch: batch.parse()?, input };
    let (network, outputs) = (&side.network, [side.engine.logits(), side.network.output()]);
    let start = Instant::now();
    let results = side.evaluate(&outputs)?;
    let first_pass_seconds = start.elapsed().as_secs_f64();
    let peak_resident_bytes = peak_resident_bytes();
    fs::write(output, bytemuck::cast_slice(&results.concat()))?;

    print(&Ready {
        instruction_set: format!("{:?}", side.engine.instruction_set()),
        macs_per_image: (0..network.layers.len()).map(|layer| network.macs(LayerId(layer))).sum(),
        parameter_words,
        blob_words_per_image: network.blobs.iter().map(|blob| blob.shape.elements()).sum(),
        logits_per_image: network.blob(outputs[0]).shape.elements(),
        outputs_per_image: network.blob(outputs[1]).shape.elements(),
        load_seconds,
        compile_and_pack_seconds,
        first_pass_seconds,
        peak_resident_bytes,
    })?;
    side.rounds()
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let Ok(arguments) = <[String; 6]>::try_from(arguments) else {
        println!("{USAGE}");
        return Ok(());
    };
    let pool = ThreadPoolBuilder::new().num_threads(arguments[3].parse()?).build()?;
    // The whole loop runs in the pool, so that no round waits for a thread that only hands it on.
    pool.install(|| run(&arguments).map_err(|error| error.to_string()))?;
    Ok(())
}
