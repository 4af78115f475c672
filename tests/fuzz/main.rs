//! Every reader of users' files against damaged files: nothing panics, memory stays in proportion to the input, every call
//! ends, and what is accepted can be compiled and, if it is small, computed.
//!
//! `cargo test --test fuzz` tries each reader for a second; `BOLERO_RANDOM_TEST_TIME_MS` or `BOLERO_RANDOM_ITERATIONS` set
//! another measure, `BOLERO_RANDOM_SEED` repeats a case. `docs/fuzzing.md` says more.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod accelerator;
mod bounds;
mod models;
mod script;
mod text;
mod wire;

use approxmem::config::{Document, axis};
use approxmem::dataset::{ChannelOrder, Dataset, Files, Mean, Preprocessing, Source};
use approxmem::experiment::Volume;
use approxmem::inference::{Activations, Engine, NoHook, Start};
use approxmem::network::{self, LayerKind, Network, caffe, load_weights, read_definition};
use bounds::Input;
use flate2::{Compression, write::GzEncoder};
use script::Script;
use std::io::Write;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Most elements of all blobs, and most multiply-accumulates, of a network that is computed.
const MOST_ELEMENTS: u128 = 1 << 14;
const MOST_MACS: u128 = 1 << 18;
/// Widest border of a convolution in such a network.
const WIDEST_PAD: usize = 16;

/// Compiles what was accepted, and computes it where that is little work.
fn check_network(network: &Network) {
    let _ = network.subsets();
    let Ok(engine) = Engine::new(network) else { return };
    let macs: u128 = network.layers_with_ids().map(|(id, _)| u128::from(network.macs(id))).sum();
    let elements: u128 = network.blobs.iter().map(|blob| blob.shape.elements() as u128).sum();
    let is_narrow = |kind: &LayerKind| match kind {
        LayerKind::Convolution(convolution) => {
            let window = convolution.window;
            window.pad.iter().chain(&window.pad_end).all(|&pad| pad <= WIDEST_PAD)
        }
        _ => true,
    };
    let is_small = elements <= MOST_ELEMENTS && macs <= MOST_MACS;
    if !is_small || !network.has_weights() || !network.layers.iter().all(|layer| is_narrow(&layer.kind)) {
        return;
    }
    let weights = engine.pack(network).unwrap();
    let shape = network.blob(network.input()).shape;
    let images = Activations::from_images(shape, 1, &vec![0.5; shape.elements()]).unwrap();
    let outputs = [network.output(), engine.logits()];
    engine.forward(&weights, &Start::new(network.input(), &images), &outputs, &NoHook).unwrap();
}

/// Zero for every weight and bias, where these are few.
fn with_zeros(mut network: Network) -> Network {
    let parameters = || network.layers.iter().flat_map(|layer| [&layer.weight, &layer.bias]).flatten();
    if parameters().map(|parameter| parameter.words() as u128).sum::<u128>() <= MOST_ELEMENTS {
        for layer in &mut network.layers {
            for parameter in [&mut layer.weight, &mut layer.bias].into_iter().flatten() {
                parameter.values = Some(vec![0.0; parameter.words()]);
            }
        }
    }
    network
}

/// Operators and attributes that damage may put in, among them ones that are refused.
const ONNX_NAMES: [&str; 24] = [
    "Conv",
    "Gemm",
    "MatMul",
    "Add",
    "Mul",
    "Reshape",
    "Flatten",
    "Concat",
    "Constant",
    "ConstantOfShape",
    "QuantizeLinear",
    "DequantizeLinear",
    "BatchNormalization",
    "MaxPool",
    "Softmax",
    "pads",
    "strides",
    "dilations",
    "group",
    "axis",
    "location",
    "SAME_UPPER",
    "ai.onnx",
    "../x",
];

/// What models that repeat one number over given extents may take beside: 2^28 numbers of 32 bits.
const FILLED_BYTES: usize = 1 << 30;

#[test]
fn onnx() {
    let seeds = models::onnx();
    let input = Input::new("model.onnx");
    for seed in &seeds {
        input.check(seed, |path| read_definition(path).inspect(check_network).unwrap().layers.len() > 1);
    }
    bolero::check!().for_each(|bytes: &[u8]| {
        let mut script = Script::new(bytes);
        let seed = script.pick(&seeds);
        let model = wire::damaged(seed, &ONNX_NAMES, &mut script);
        let fills = model.windows(15).any(|name| name == b"ConstantOfShape");
        let extra = if fills { FILLED_BYTES } else { 0 };
        input.check_with(&model, extra, |path| {
            let network = read_definition(path).inspect(check_network);
            network.inspect_err(|error| assert!(!error.to_string().is_empty())).is_ok()
        });
    });
}

/// Fields and layers that damage may put into a definition.
const CAFFE_SNIPPETS: [&str; 22] = [
    "pad: 4294967295",
    "stride: 0",
    "kernel_size: 0",
    "dilation: 4294967295",
    "group: 3",
    "axis: -2147483648",
    "num_axes: 2147483647",
    "global_pooling: true",
    "round_mode: FLOOR",
    "bias_term: true",
    "transpose: true",
    "local_size: 4294967295",
    "concat_dim: 0",
    "operation: PROD",
    "shape { dim: -1 dim: 0 }",
    "input: 'x'",
    "input_shape { dim: 9223372036854775807 dim: 3 }",
    "include { phase: TRAIN }",
    "layer { name: 'new' type: 'ReLU' bottom: 'x' top: 'x' }",
    "layer { name: 'new' type: 'Pooling' bottom: 'x' top: 'new' pooling_param { kernel_size: 2 } }",
    "{",
    "<",
];

/// What is refused is refused at a place in the text.
fn check_place(error: &network::Error) {
    assert!(!error.detail().is_empty());
    if let Some((text, span)) = error.source_span() {
        assert!(text.get(span).is_some() && error.location().is_some());
    }
}

#[test]
fn prototxt() {
    let files =
        ["tests/fuzz/seeds/layers.prototxt", "tests/fuzz/seeds/v1.prototxt", "models/lenet5/lenet5.prototxt"];
    let seeds = files.map(|file| std::fs::read_to_string(Path::new(ROOT).join(file)).unwrap());
    let input = Input::new("net.prototxt");
    for seed in &seeds {
        input.check(seed.as_bytes(), |path| {
            check_network(&with_zeros(read_definition(path).unwrap()));
            true
        });
    }
    bolero::check!().for_each(|bytes: &[u8]| {
        let mut script = Script::new(bytes);
        let seed = script.pick(&seeds);
        let definition = text::damaged(seed, &CAFFE_SNIPPETS, &mut script);
        input.check(&definition, |path| {
            let network = read_definition(path).map(with_zeros).inspect(check_network);
            network.inspect_err(check_place).is_ok()
        });
    });
}

#[test]
fn caffemodel() {
    let definition =
        caffe::read_definition(&Path::new(ROOT).join("tests/fuzz/seeds/small.prototxt")).unwrap();
    let seeds = models::caffemodels();
    let input = Input::new("net.caffemodel");
    for seed in &seeds {
        input.check(seed, |path| load_weights(&mut definition.clone(), path).unwrap().is_empty());
    }
    bolero::check!().for_each(|bytes: &[u8]| {
        let mut script = Script::new(bytes);
        let seed = script.pick(&seeds);
        let weights = wire::damaged(seed, &["conv", "bn", "scale", "fc"], &mut script);
        input.check(&weights, |path| {
            let mut network = definition.clone();
            let is_accepted = load_weights(&mut network, path).is_ok();
            if is_accepted {
                check_network(&network);
            } else {
                assert_eq!(network, definition);
            }
            is_accepted
        });
    });
}

/// A tensor of one channel of zeros, `side` values high and wide.
fn images(name: &str, side: usize) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, npy("|u1", &format!("(1, 3, {side}, {side})"), &vec![0; 3 * side * side])).unwrap();
    path
}

fn mean_source(images: &Path, mean: &Path) -> Source<PathBuf> {
    let preprocessing = Preprocessing { mean: Mean::Image(mean.to_owned()), ..Preprocessing::default() };
    Source { files: Files::Npy { images: images.to_owned(), labels: None }, crop: None, preprocessing }
}

/// Whether the data set of `source` can be opened; its first images are read.
fn opens(source: &Source<PathBuf>) -> bool {
    let Ok(dataset) = Dataset::open(source) else { return false };
    if dataset.shape().elements() <= 1 << 16 {
        let _ = dataset.inputs(0..dataset.images().min(2));
    }
    true
}

#[test]
fn binaryproto() {
    let images = images("binaryproto-images.npy", 2);
    let seeds = models::blobs();
    let input = Input::new("mean.binaryproto");
    for seed in &seeds {
        input.check(seed, |path| !caffe::read_blob(path).unwrap().is_empty());
    }
    bolero::check!().for_each(|bytes: &[u8]| {
        let mut script = Script::new(bytes);
        let seed = script.pick(&seeds);
        let blob = wire::damaged(seed, &[], &mut script);
        input.check(&blob, |path| {
            let is_blob = caffe::read_blob(path).is_ok();
            assert!(is_blob || !opens(&mean_source(&images, path)));
            is_blob
        });
    });
}

/// A `.npy` file.
fn npy(descr: &str, shape: &str, values: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}          \n");
    let length = (header.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\0", &length[..], header.as_bytes(), values].concat()
}

const NPY_SNIPPETS: [&str; 8] =
    ["'>f8'", "'<i2'", "'|b1'", "True", "(4294967296, 4294967296)", "()", "{", "'shape':"];

/// The header is damaged as text, its length made right again half of the time; then all of it as bytes.
fn damaged_npy(seed: &[u8], script: &mut Script<'_>) -> Vec<u8> {
    let length = usize::from(u16::from_le_bytes([seed[8], seed[9]]));
    let (start, rest) = seed.split_at(10);
    let (header, values) = rest.split_at(length);
    let keeps_length = script.one_in(2);
    let mut bytes = if script.one_in(4) {
        seed.to_vec()
    } else {
        let header = text::damaged(std::str::from_utf8(header).unwrap(), &NPY_SNIPPETS, script);
        let length = if keeps_length { [seed[8], seed[9]] } else { (header.len() as u16).to_le_bytes() };
        [&start[..8], &length, &header, values].concat()
    };
    while script.goes_on() {
        script::damage_bytes(&mut bytes, script);
    }
    bytes
}

#[test]
fn npy_files() {
    let images = images("npy-images.npy", 2);
    let seeds = [
        npy("|u1", "(2, 3, 2, 2)", &[7; 24]),
        npy("<f4", "(1, 3, 2, 2)", &[0; 48]),
        npy("<i8", "(1,)", &[0; 8]),
        npy(">u2", "(2,)", &[0; 4]),
    ];
    let input = Input::new("tensor.npy");
    bolero::check!().for_each(|bytes: &[u8]| {
        let mut script = Script::new(bytes);
        let seed = script.pick(&seeds);
        input.check(&damaged_npy(seed, &mut script), |path| {
            let path = path.to_owned();
            let source = |images: &Path, labels: Option<&Path>| Source {
                files: Files::Npy { images: images.to_owned(), labels: labels.map(Path::to_owned) },
                crop: None,
                preprocessing: Preprocessing::default(),
            };
            let sources = [source(&path, None), source(&images, Some(&path)), mean_source(&images, &path)];
            sources.map(|source| opens(&source)).contains(&true)
        });
    });
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Damage before packing, after it, or without packing.
fn damaged_bytes(seed: &[u8], script: &mut Script<'_>) -> Vec<u8> {
    let kind = script.byte() % 4;
    let mut bytes = if kind == 0 { gzip(seed) } else { seed.to_vec() };
    while script.goes_on() {
        script::damage_bytes(&mut bytes, script);
    }
    if kind == 1 { gzip(&bytes) } else { bytes }
}

fn idx(dims: &[u8], values: usize) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, dims.len() as u8];
    bytes.extend(dims.iter().flat_map(|&extent| [0, 0, 0, extent]));
    bytes.resize(bytes.len() + values, 5);
    bytes
}

#[test]
fn idx_files() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (images, labels) = (folder.join("fuzz-images.idx"), folder.join("fuzz-labels.idx"));
    std::fs::write(&images, idx(&[2, 3, 4], 24)).unwrap();
    std::fs::write(&labels, idx(&[2], 2)).unwrap();
    let seeds = [idx(&[2, 3, 4], 24), idx(&[2], 2)];
    let input = Input::new("file.idx");
    bolero::check!().for_each(|bytes: &[u8]| {
        let mut script = Script::new(bytes);
        let seed = script.pick(&seeds);
        input.check(&damaged_bytes(seed, &mut script), |path| {
            let opened = [[path, &labels], [&images, path]].map(|[images, labels]| {
                let files = Files::Mnist { images: images.to_owned(), labels: labels.to_owned() };
                opens(&Source { files, crop: None, preprocessing: Preprocessing::default() })
            });
            opened.contains(&true)
        });
    });
}

#[test]
fn cifar10_files() {
    let seed: Vec<u8> = (0..2 * 3_073).map(|at| (at % 3_073 % 10) as u8).collect();
    let input = Input::new("batch.bin");
    bolero::check!().for_each(|bytes: &[u8]| {
        let mut script = Script::new(bytes);
        input.check(&damaged_bytes(&seed, &mut script), |path| {
            let files = Files::Cifar10 { images: vec![path.to_owned(), path.to_owned()] };
            opens(&Source { files, crop: Some([8, 9]), preprocessing: Preprocessing::default() })
        });
    });
}

#[test]
fn picture_lists() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz-pictures");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("a.png"), b"\x89PNG\r\n\x1a\n").unwrap();
    let seeds = ["a.png 3\na.png 65535\n\n  a.png\t0 \n", "a.png\na.png\n"];
    let input = Input::new("list.txt");
    bolero::check!().for_each(|bytes: &[u8]| {
        let mut script = Script::new(bytes);
        let seed = script.pick(&seeds);
        let list = text::damaged(seed, &["a.png 1\n", "b.png", "/dev/zero 1", "\0", "../"], &mut script);
        input.check(&list, |path| {
            let (images, labels) = (folder.clone(), Some(path.to_owned()));
            let files = Files::Images { images, labels, channel_order: ChannelOrder::Bgr, resize: None };
            opens(&Source { files, crop: Some([2, 2]), preprocessing: Preprocessing::default() })
        });
    });
}

/// Settings that damage may put into a configuration.
const CONFIG_SNIPPETS: [&str; 41] = [
    "\n[link]\nrounding = \"floor\"\n",
    "\n[link.bits]\n\"weight_*\" = 8\n",
    "\n\"neuron_*\" = { kind = \"int8\", scale = \"channel\" }\n",
    "\n\"*\" = \"bf16\"\n",
    "\n\"bias_*\" = { kind = \"fixed\", bits = 32, binary_point = -9223372036854775808 }\n",
    "\nbinary_point = \"network\"\n",
    "\nlifetime = \"transient\"\n",
    "\n[memories.\"a.b\"]\ntechnology = \"uniform\"\nber = 1\n",
    "\n\"*\" = [\"dram\", \"link\", \"dram\"]\n",
    "\n[memories.s]\ntechnology = \"sram\"\nerror = { preset = \"sram.14nm.stutz21\", v = 0.8 }\n",
    "\n[memories.r]\ntechnology = \"dram\"\nerror = { preset = \"dram.flikker48\", cell_layout = \"half\", refresh_interval_ms = [64, 1e9] }\n",
    "\nenergy = { preset = \"cacti7.45nm.hp\", size_bytes = 4096, vmin_v = 0.5, word_bits = 65 }\n",
    "\nenergy = { preset = \"ddr4_2400_8gb_x8\", idd0_ma = [] }\n",
    "\nprotection = { how = \"8t\", delta_v = 1e308 }\n",
    "\nprotection = { how = \"secded\" }\n",
    "\ncurve = \"table\"\ntable_points = [[0.1, 0.2], [1e308, 1e-300]]\n",
    "\nspatial = \"column\"\ncolumn_sigma = 1e-300\n",
    "\ncapacity_bytes = 72057594037927936\nrow_bytes = 1\ncolumn_bits = 1\nbanks = 2\ninterleave = 65536\n",
    "\n[workload]\ninferences_per_second = 1e-300\n",
    "\nlayout = \"bitplane\"\ngranule_bytes = 1\ntag_bits = 1024\nblock_words = 1\n",
    "\nber = [0, 1, 1e-300]\n",
    "\nmean = [1, 2, 3]\n",
    "\nstd = 0\n",
    "\nmean = \"x.npy\"\n",
    "\ncrop = 28\n",
    "\nbatch = 4096\nelementwise_lanes = 1\nfold_overlap = \"pipelined\"\n",
    "\nfully_connected = \"vector\"\nkeep_on_chip = true\nfuse = [\"p*\"]\n",
    "\nbuffering = \"single\"\ntiling = \"least_cycles\"\npartial_sum_bits = 64\n",
    "\ndram = \"none\"\n",
    "\n[accelerator.tilings]\nfc1 = { images = 1, rows = 1, filters = 1, channels = 1, order = \"channel_filter_row\" }\n",
    "\nports = 1024\nport_bits = 1\n",
    "\nchannels = 64\nranks = 16\nqueue_depth = 1\naddress_map = \"bgbacorachro\"\n",
    "\ncrop = [28, 28]\n",
    "\nkind = \"cifar10\"\n",
    "\ncalibration_images = 9223372036854775807\n",
    "\nimages = 9223372036854775807\n",
    "\n[[placement]]\n",
    "{",
    "[",
    "\"\"\"",
    "1979-05-27T07:32:00Z",
];

/// Whether `document` describes an experiment on `network`; what `check` forecasts of it is computed.
fn resolves(document: &Document, network: &Network) -> bool {
    if document.network_source().is_err() {
        assert!(!document.problems_without_network().0.is_empty());
    }
    let Ok(resolved) = document.resolve(network) else { return false };
    let experiment = &resolved.experiment;
    assert!(Volume::of(experiment).reduction.is_finite());
    for site in experiment.sites(10_000) {
        assert!(site.expected_flips() >= 0.0 && site.flip_variance().is_none_or(|variance| variance >= 0.0));
    }
    true
}

#[test]
fn config() {
    let network = read_definition(&Path::new(ROOT).join("models/lenet5/lenet5.prototxt")).unwrap();
    let shipped = |file: &str| {
        let text = std::fs::read_to_string(Path::new(ROOT).join(file)).unwrap();
        text.replace("\"../", &format!("\"{ROOT}/"))
    };
    // Array, buffers, DRAM and energies of one, network and data of the other.
    let machine = shipped("configs/alexnet-systolic32.toml");
    let machine = &machine[machine.find("[accelerator]").unwrap()..machine.find("[placement]").unwrap()];
    let lenet5 = shipped("configs/lenet5.toml");
    let network_alone = &lenet5[..lenet5.find("[formats]").unwrap()];
    let seeds =
        [lenet5.clone(), shipped("configs/lenet5-hierarchy.toml"), format!("{network_alone}{machine}")];
    let input = Input::new("experiment.toml");
    for seed in &seeds {
        input.check(seed.as_bytes(), |path| {
            Document::read(path).unwrap().resolve(&network).unwrap();
            true
        });
    }
    bolero::check!().for_each(|bytes: &[u8]| {
        let mut script = Script::new(bytes);
        let seed = script.pick(&seeds);
        let config = text::damaged(seed, &CONFIG_SNIPPETS, &mut script);
        input.check(&config, |path| match Document::read(path) {
            Ok(document) => resolves(&document, &network),
            Err(problems) => {
                assert!(!problems.0.is_empty() && !problems.to_string().is_empty());
                false
            }
        });
    });
}

#[test]
fn overrides_and_axes() {
    let network = read_definition(&Path::new(ROOT).join("models/lenet5/lenet5.prototxt")).unwrap();
    let document = Document::read(&Path::new(ROOT).join("configs/lenet5.toml")).unwrap();
    let seeds = [
        "memories.dram.ber=1e-8..1e-1*10",
        "memories.dram.protected_msbs=0..8",
        "memories.dram.ber=0.5..0.9/5",
        "formats.\"weight_*\".bits=[8, 16]",
        "formats.\"weight_*\"={kind=\"fixed\", bits=8}",
        "experiment.seed=3",
    ];
    let input = Input::new("assignment");
    bolero::check!().for_each(|bytes: &[u8]| {
        let mut script = Script::new(bytes);
        let seed = script.pick(&seeds);
        let snippets = ["..", "*", "/", "[", "{", "\"", "=", "1e308", "-", "0.1"];
        let typed = text::damaged(seed, &snippets, &mut script);
        let typed = String::from_utf8_lossy(&typed).into_owned();
        input.check(typed.as_bytes(), |_| {
            let mut document = document.clone();
            if let Ok(axis) = axis::parse(&typed) {
                assert!((1..=10_000).contains(&axis.values.len()));
                let last = axis.assignment(axis.values.len() - 1);
                document.assign("--over", &last).is_ok() && resolves(&document, &network)
            } else {
                document.set(&typed).is_ok() && resolves(&document, &network)
            }
        });
    });
}

/// A memory alone: any override and any axis is applied or refused, and the figures of what is applied are computed.
#[test]
fn memories_alone() {
    let presets = [
        &["sram.14nm.stutz21"][..],
        &["sram.45nm.dpcs15", "cacti7.45nm.hp"],
        &["dram.flikker48", "ddr4_2400_8gb_x8"],
        &["lpddr4_3200_8gb_x16"],
        &["cacti7.22nm.hp"],
        &["stt.delta25"],
    ];
    let documents = presets.map(|names| {
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        Document::of_presets(&names).unwrap()
    });
    let seeds = [
        "v=0.75..1.0/11",
        "bit_error_rate=[1e-4, 1e-3]",
        "refresh_interval_ms=[64, [64, 64, 1e9]]",
        "protected_msbs=0..8",
        "word_bits=8",
        "protection={how=\"8t\", delta_v=0.1}",
        "size_bytes=2048..1048576*2",
        "table_points=[[[0.5, 0.1], [0.6, 0.01]]]",
        "error.temp_c=95",
        "energy.idd0_ma=[[1, 2]]",
        "curve=[probit, probit2, table]",
        "direction=flip",
    ];
    let input = Input::new("memory");
    bolero::check!().for_each(|bytes: &[u8]| {
        let mut script = Script::new(bytes);
        let document = script.pick(&documents);
        let edits: Vec<_> = (0..4)
            .map(|_| {
                let seed = script.pick(&seeds);
                let snippets = ["..", "*", "/", "[", "{", "\"", "=", "1e308", "-", "0.1", "1e-300", "33"];
                let typed = text::damaged(seed, &snippets, &mut script);
                String::from_utf8_lossy(&typed).into_owned()
            })
            .collect();
        input.check(edits.join("\n").as_bytes(), |_| {
            let mut document = document.clone();
            for typed in &edits {
                // What is refused leaves the memory as it was.
                let _ = match axis::parse(typed) {
                    Ok(axis) => document.assign_to_memory("--over", &axis.assignment(0)),
                    Err(_) => document.assign_to_memory("--set", typed),
                };
            }
            let Ok((memory, _)) = document.memory_alone() else { return false };
            memory.figures().is_ok_and(|figures| {
                let is_number = |value: f64| !value.is_nan();
                assert!(figures.iter().all(|figure| figure.value.is_none_or(is_number)), "{figures:?}");
                true
            })
        });
    });
}

/// The program itself: what it says stays in proportion to the input, and it ends with one of its exit codes.
#[test]
fn command_line() {
    let files = ["tests/fuzz/seeds/layers.prototxt", "configs/lenet5.toml"];
    let [definition, config] = files.map(|file| std::fs::read_to_string(Path::new(ROOT).join(file)).unwrap());
    let config = config.replace("\"../", &format!("\"{ROOT}/"));
    let inputs = [Input::new("command.prototxt"), Input::new("command.toml")];
    bolero::check!().for_each(|bytes: &[u8]| {
        let mut script = Script::new(bytes);
        let (damaged, command, input) = if script.one_in(2) {
            (text::damaged(&definition, &CAFFE_SNIPPETS, &mut script), "inspect", &inputs[0])
        } else {
            (text::damaged(&config, &CONFIG_SNIPPETS, &mut script), "check", &inputs[1])
        };
        input.check(&damaged, |path| {
            let program = std::process::Command::new(env!("CARGO_BIN_EXE_approxmem"));
            let output = { program }.arg(command).arg(path).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(matches!(output.status.code(), Some(0 | 2)), "{}: {said}", output.status);
            assert!(!said.contains("panicked") && said.len() <= (1 << 20) + 16 * damaged.len(), "{said}");
            output.status.success()
        });
    });
}
