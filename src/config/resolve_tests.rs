//! What valid configurations resolve to.

use super::sample::{Folder, TEXT, network};
use super::{Document, Resolved, axis};
use crate::dataset::{Mean, Preprocessing};
use crate::experiment::{Experiment, Stop, StoredSubset};
use crate::memory::{Lifetime, Technology, uniform};
use crate::network::{LayerKind, Network};
use crate::number::{BinaryPoint, CodeKind, Format, Granularity, Quantisation, Quantiser, Rounding};
use proptest::prelude::*;

fn resolved(text: &str, overrides: &[&str]) -> Resolved {
    let folder = Folder::new();
    folder.resolve(text, overrides).unwrap_or_else(|problems| panic!("{problems}"))
}

fn stored<'e>(experiment: &'e Experiment, name: &str) -> &'e StoredSubset {
    experiment.subsets.iter().find(|stored| stored.subset.name == name).unwrap()
}

fn fixed(bits: u32) -> Format {
    Format::Fixed { bits, binary_point: BinaryPoint::Subset, rounding: Rounding::NearestEven }
}

#[test]
fn the_sample_resolves_as_written() {
    let folder = Folder::new();
    let Resolved { experiment, warnings, .. } = folder.resolve(TEXT, &[]).unwrap();
    assert_eq!(warnings.0, []);
    assert_eq!(experiment.network.definition.path, folder.file("net.prototxt"));
    assert_eq!(experiment.network.definition.typed, "net.prototxt");
    assert_eq!(experiment.network.weights.as_ref().unwrap().path, folder.file("net.caffemodel"));
    let expected = Preprocessing { scale: 0.003_906_25, ..Preprocessing::default() };
    assert_eq!(experiment.dataset.preprocessing, expected);
    let names: Vec<_> = experiment.subsets.iter().map(|stored| stored.subset.name.as_str()).collect();
    let expected: Vec<_> = network().subsets().into_iter().map(|subset| subset.name).collect();
    assert_eq!(names, expected, "layer order");
    let conv = stored(&experiment, "weight_conv1/5x5");
    assert_eq!((conv.format, conv.link_bits, &conv.path[..]), (fixed(16), 16, &[Stop::Memory(0)][..]));
    let fc1 = stored(&experiment, "weight_fc1");
    assert_eq!((fc1.link_bits, &fc1.path[..]), (8, &[Stop::Memory(0), Stop::Link][..]));
    let bias = stored(&experiment, "bias_fc1");
    assert_eq!(bias.format, Format::Fp16 { rounding: Rounding::NearestEven });
    assert_eq!((bias.link_bits, bias.path.len()), (16, 0));
    assert_eq!(stored(&experiment, "neuron_fc1").format, Format::Fp32);
    let dram = &experiment.memories[0];
    assert_eq!((dram.name.as_str(), dram.protection.msbs, dram.lifetime), ("dram", 3, None));
    assert_eq!(dram.technology, Technology::Uniform(uniform::Parameters::from(1e-3)));
    assert_eq!((experiment.trials, experiment.seed, experiment.images), (10, 1, None));
    assert_eq!((experiment.calibration_images, experiment.rpa_floor), (None, 0.97));
}

#[test]
fn every_format_and_its_keys() {
    for (typed, expected) in [
        ("\"fp32\"", Format::Fp32),
        ("{ kind = \"fp32\" }", Format::Fp32),
        ("\"bf16\"", Format::Bf16 { rounding: Rounding::NearestEven }),
        ("\"int8\"", Format::Int8 { granularity: Granularity::Tensor }),
        ("{ kind = \"fp16\", rounding = \"zero\" }", Format::Fp16 { rounding: Rounding::Zero }),
        ("{ kind = \"int8\", scale = \"channel\" }", Format::Int8 { granularity: Granularity::Channel }),
        (
            "{ kind = \"fixed\", bits = 32, binary_point = -126, rounding = \"floor\" }",
            Format::Fixed { bits: 32, binary_point: BinaryPoint::At(-126), rounding: Rounding::Floor },
        ),
        (
            "{ kind = \"fixed\", bits = 8, binary_point = \"network\" }",
            Format::Fixed { bits: 8, binary_point: BinaryPoint::Network, rounding: Rounding::NearestEven },
        ),
    ] {
        let text = TEXT
            .replace("{ kind = \"fixed\", bits = 16 }", typed)
            .replace("[link.bits]", "")
            .replace("\"weight_fc1\" = 8\n", "");
        let experiment = resolved(&text, &[]).experiment;
        assert_eq!(stored(&experiment, "weight_fc1").format, expected, "{typed}");
    }
}

/// The sample with codes for the weight of fc1 and for what fc1 and fc2 read.
fn quantised() -> Network {
    let mut network = network();
    let quantiser = Quantiser::new(CodeKind::Uint8, 0.5, 3).unwrap();
    network.layers[1].kind = LayerKind::Quantise(quantiser);
    let weight = network.layers[2].weight.as_mut().unwrap();
    weight.quantisation = Some(Quantisation::per_tensor(quantiser));
    network
}

#[test]
fn words_of_a_quantised_network_are_its_codes_unless_a_pattern_decides() {
    let folder = Folder::new();
    let resolve = |formats: &str| {
        let text = TEXT.replace("\"weight_*\" = { kind = \"fixed\", bits = 16 }\n", formats);
        folder.parse(&text).unwrap().resolve(&quantised())
    };
    let model = Format::Int8 { granularity: Granularity::Model };
    let formats = |experiment: &Experiment| {
        ["weight_conv1/5x5", "weight_fc1", "neuron_fc1", "neuron_fc2", "bias_fc1"]
            .map(|name| stored(experiment, name).format)
    };
    let fp16 = Format::Fp16 { rounding: Rounding::NearestEven };
    let experiment = resolve("").unwrap().experiment;
    assert_eq!(formats(&experiment), [Format::Fp32, model, model, model, fp16]);
    assert_eq!((stored(&experiment, "weight_fc1").link_bits, model.bits()), (8, 8));
    let experiment = resolve("\"weight_*\" = \"int8\"\n\"neuron_*\" = \"fp32\"\n").unwrap().experiment;
    let int8 = Format::Int8 { granularity: Granularity::Tensor };
    assert_eq!(formats(&experiment), [int8, int8, Format::Fp32, Format::Fp32, fp16]);
    let named = "\"*\" = \"bf16\"\n\"weight_fc1\" = { kind = \"int8\", scale = \"model\" }\n";
    let experiment = resolve(named).unwrap().experiment;
    let bf16 = Format::Bf16 { rounding: Rounding::NearestEven };
    assert_eq!(formats(&experiment), [bf16, model, bf16, bf16, fp16]);
    let conflict = resolve("\"neuron_fc1\" = \"fp32\"\n").unwrap_err().to_string();
    assert!(conflict.contains("`neuron_fc1` and `neuron_fc2` are one stored tensor"), "{conflict}");
}

#[test]
fn the_most_specific_pattern_decides() {
    let text = TEXT.replace(
        "\"bias_*\" = \"fp16\"",
        "\"*\" = \"fp32\"\n\"*_fc*\" = \"bf16\"\n\"weight_fc*\" = { kind = \"fixed\", bits = 12 }\n\
         \"weight_fc1\" = { kind = \"fixed\", bits = 11 }\n\"weight_fc1*\" = { kind = \"fixed\", bits = 10 }",
    );
    let Resolved { experiment, warnings, .. } = resolved(&text, &[]);
    for (name, expected) in [
        ("weight_conv1/5x5", fixed(16)),
        ("weight_fc1", fixed(11)),
        ("weight_fc2", fixed(12)),
        ("neuron_fc2", Format::Bf16 { rounding: Rounding::NearestEven }),
        ("bias_fc1", Format::Bf16 { rounding: Rounding::NearestEven }),
        ("neuron_pool1", Format::Fp32),
    ] {
        assert_eq!(stored(&experiment, name).format, expected, "{name}");
    }
    assert_eq!(warnings.0.len(), 1, "{warnings}");
    assert!(
        warnings.to_string().contains("pattern \"weight_fc1*\" in [formats] has no effect"),
        "{warnings}"
    );
}

#[test]
fn memories_keep_the_order_of_the_text_and_paths_name_them() {
    let text = TEXT
        .replace("[memories.dram]", "[memories.wbuf]\ntechnology = \"uniform\"\nber = 0\n[memories.dram]")
        .replace("\"weight_*\" = [\"dram\"]", "\"weight_*\" = [\"dram\", \"link\", \"wbuf\"]")
        .replace("protected_msbs = 3", "protected_msbs = 3\nlifetime = \"transient\"");
    let experiment = resolved(&text, &["memories.abuf.technology=uniform", "memories.abuf.ber=1"]).experiment;
    let names: Vec<_> = experiment.memories.iter().map(|memory| memory.name.as_str()).collect();
    assert_eq!(names, ["wbuf", "dram", "abuf"]);
    assert_eq!(experiment.memories[1].lifetime, Some(Lifetime::Transient));
    let path = [Stop::Memory(1), Stop::Link, Stop::Memory(0)];
    assert_eq!(stored(&experiment, "weight_fc1").path, path);
    assert_eq!(stored(&experiment, "weight_conv1/5x5").path, path, "named, though not narrowed");
}

#[test]
fn what_is_narrowed_without_a_memory_crosses_the_link_from_precise_memory() {
    let experiment = resolved(TEXT, &["link.bits.bias_fc1=6", "link.rounding=floor"]).experiment;
    let bias = stored(&experiment, "bias_fc1");
    assert_eq!((bias.link_bits, &bias.path[..]), (6, &[Stop::Link][..]));
    assert_eq!(experiment.link.rounding, Rounding::Floor);
}

#[test]
fn overrides_replace_create_and_take_bare_words() {
    let experiment = resolved(
        TEXT,
        &[
            "formats.\"weight_*\".bits=12",
            "formats.weight_*.rounding=floor",
            "formats.\"weight_conv1/5x5\".bits = 9",
            "formats.\"weight_conv1/5x5\".kind=fixed",
            "experiment.rpa_floor=1",
            "experiment.images=5",
            "memories.dram={technology='uniform', ber=0.5, protected_msbs=0b100}",
            "dataset.mean=[0.5]",
            "experiment.seed=9_223_372_036_854_775_807",
        ],
    )
    .experiment;
    let rounding = Rounding::Floor;
    let binary_point = BinaryPoint::Subset;
    assert_eq!(stored(&experiment, "weight_fc2").format, Format::Fixed { bits: 12, binary_point, rounding });
    assert_eq!(stored(&experiment, "weight_conv1/5x5").format, fixed(9));
    assert_eq!((experiment.rpa_floor, experiment.images), (1.0, Some(5)));
    assert_eq!((experiment.memories[0].protection.msbs, experiment.memories[0].bit_error_rate()), (4, 0.5));
    assert_eq!(
        (experiment.dataset.preprocessing.mean, experiment.seed),
        (Mean::Numbers(vec![0.5]), (1 << 63) - 1)
    );
}

#[test]
fn paths_start_at_the_file_or_for_overrides_at_the_working_directory() {
    let folder = Folder::new();
    let absolute = folder.file("labels.gz").display().to_string();
    let mut document = folder.parse(TEXT).unwrap();
    document.set("network.definition=Cargo.toml").unwrap();
    document.set(&format!("dataset.labels={absolute}")).unwrap();
    let experiment = document.resolve(&network()).unwrap().experiment;
    assert_eq!(experiment.network.definition.path.to_str(), Some("Cargo.toml"));
    assert_eq!(experiment.dataset.files.images().unwrap().path, folder.file("images.gz"));
    let record = serde_json::to_value(&experiment).unwrap();
    assert_eq!(record["network"]["definition"], "Cargo.toml");
    assert_eq!(record["dataset"]["images"], "images.gz");
    assert_eq!(record["dataset"]["labels"], "labels.gz", "never an absolute path");
    assert!(!record.to_string().contains(absolute.trim_end_matches("labels.gz")));
}

#[test]
fn the_record_is_complete_and_in_a_fixed_order() {
    let record = serde_json::to_string(&resolved(TEXT, &[]).experiment).unwrap();
    let head = r#"{"network":{"definition":"net.prototxt","weights":"net.caffemodel"},"dataset":{"kind":"mnist","images":"images.gz","labels":"labels.gz","scale":0.00390625,"mean":[0.0],"std":[1.0]},"memories":[{"name":"dram","technology":"uniform","ber":0.001,"geometry":{"banks":1,"rows":null,"columns":8,"column_bits":64,"interleave":1},"protected_msbs":3,"how":"dual_rail","lifetime":null}],"link":{"rounding":"nearest_even","layout":"packed","granule_bytes":64,"tag_bits":0,"block_words":64,"io_pj_per_bit":0.0,"pack_pj_per_word":0.0},"workload":{"inferences_per_second":null},"subsets":["#;
    assert!(record.starts_with(head), "{record}");
    let fc1 = r#"{"name":"weight_fc1","words":8640,"format":{"kind":"fixed","bits":16,"binary_point":"subset","rounding":"nearest_even"},"bits":16,"link_bits":8,"path":["dram","link"]}"#;
    assert!(record.contains(fc1), "{record}");
    let tail = r#""trials":10,"seed":1,"images":null,"calibration_images":null,"rpa_floor":0.97}"#;
    assert!(record.ends_with(tail), "{record}");
}

#[test]
fn the_network_source_needs_no_other_table() {
    let folder = Folder::new();
    let document = folder.parse(&TEXT.replace("ber = 1e-3", "ber = 2")).unwrap();
    assert_eq!(document.network_source().unwrap().definition.path, folder.file("net.prototxt"));
    assert_eq!(document.problems_without_network().0.len(), 1);
    let document = folder.parse(&TEXT.replace("net.pro", "no.pro").replace("ber = 1e-3", "ber = 2")).unwrap();
    assert_eq!(document.network_source().unwrap_err().0.len(), 2, "both tables are reported");
}

#[test]
fn a_sweep_sets_each_point_on_a_clone() {
    let folder = Folder::new();
    let document = folder.parse(TEXT).unwrap();
    let axis = axis::parse("memories.dram.ber=1e-8..1e-1*10").unwrap();
    let rates: Vec<_> = (0..axis.values.len())
        .map(|index| {
            let mut point = document.clone();
            point.assign("--over", &axis.assignment(index)).unwrap();
            point.resolve(&network()).unwrap().experiment.memories[0].bit_error_rate()
        })
        .collect();
    assert_eq!(rates, [1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1]);
    let untouched = document.resolve(&network()).unwrap().experiment;
    assert_eq!(untouched.memories[0].bit_error_rate(), 1e-3);
}

#[test]
fn warnings_name_what_has_no_effect() {
    let warnings = resolved(TEXT, &["memories.spare={technology=\"uniform\", ber=0}"]).warnings;
    assert_eq!(
        warnings.to_string(),
        "--set:1:10: memory `spare` is not used: no data subset is placed in it\n    \
         help: name it in a path: [placement] \"weight_*\" = [\"spare\"]"
    );
}

#[test]
fn a_document_is_read_from_its_file() {
    let folder = Folder::new();
    std::fs::write(folder.file("c.toml"), TEXT).unwrap();
    assert!(Document::read(&folder.file("c.toml")).unwrap().resolve(&network()).is_ok());
    std::fs::write(folder.file("binary.toml"), b"a = \"\xff\"").unwrap();
    for (name, expected) in [
        ("none.toml", "none.toml: cannot read the file: it does not exist"),
        (".", ".: cannot read the file: it is a folder"),
        ("binary.toml", "binary.toml: the file is not UTF-8 text: byte 5 starts no character"),
    ] {
        assert_eq!(folder.without_folder(&Document::read(&folder.file(name)).unwrap_err()), expected);
    }
    let device = Document::read(std::path::Path::new("/dev/null")).unwrap_err();
    assert_eq!(device.to_string(), "/dev/null: cannot read the file: it is no regular file");
    std::fs::write(folder.file("net.toml"), "layer {\n  name: 'conv1'\n}\n".repeat(1000)).unwrap();
    assert_eq!(Document::read(&folder.file("net.toml")).unwrap_err().0.len(), 20, "no flood");
    let large = std::fs::File::create(folder.file("large.toml")).unwrap();
    large.set_len(5 << 20).unwrap();
    let refusal = Document::read(&folder.file("large.toml")).unwrap_err();
    assert!(refusal.to_string().ends_with("the file is larger than 4 MiB: it is no configuration"));
}

/// One change to a text: (kind, where, length, what).
fn corrupted(text: &str, changes: &[(u8, usize, usize, String)]) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    for (kind, at, length, insertion) in changes {
        let start = at % (characters.len() + 1);
        let end = (start + length).min(characters.len());
        match kind % 3 {
            0 => drop(characters.drain(start..end)),
            1 => drop(characters.splice(start..start, insertion.chars())),
            _ => {
                let copy: Vec<_> = characters[start..end].to_vec();
                let to = (at / 7) % (characters.len() + 1);
                drop(characters.splice(to..to, copy));
            }
        }
    }
    characters.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]
    #[test]
    fn a_corrupted_configuration_never_panics(
        changes in prop::collection::vec(
            (any::<u8>(), any::<usize>(), 1usize..40, "[\\[\\]{}=\",.*\\-0-9a-z_é\n ]{1,6}|nan|-inf|1e999|true|99999999999999999999"),
            1..5,
        ),
        assignment in "(formats|memories|link|experiment|placement)[.]?[\"'a-z_*.]{0,12}=[\\[\\]{}\"0-9a-z.=é ]{0,8}",
    ) {
        let folder = Folder::new();
        if let Ok(mut document) = folder.parse(&corrupted(TEXT, &changes)) {
            let _ = document.set(&assignment);
            let outcome = document.resolve(&network());
            if let Err(problems) = outcome {
                prop_assert!(!problems.0.is_empty());
                prop_assert!(!problems.to_string().is_empty());
            }
            let _ = document.network_source();
        }
    }
}
