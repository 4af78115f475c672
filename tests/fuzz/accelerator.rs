//! Files of accelerators: topologies and layer traces.

use crate::bounds::Input;
use crate::script::Script;
use crate::{ROOT, text};
use approxmem::accelerator::trace_file::{self, Format};
use approxmem::accelerator::{problem::Problems, topology};
use std::path::Path;

fn is_refused_at_a_place(text: &str, problems: &Problems) -> bool {
    let last_line = text.split('\n').count();
    problems.0.iter().all(|problem| (1..=last_line).contains(&problem.line) && problem.column > 0)
        && !problems.0.is_empty()
}

/// The text of a file, if it is text.
fn content(path: &Path) -> Option<String> {
    String::from_utf8(std::fs::read(path).unwrap()).ok()
}

#[test]
fn topologies() {
    let seeds = [
        "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\n\
         conv1, 227, 227, 11, 11, 3, 96, 4,\nconv2, 31, 31, 5, 5, 48, 128, 1, 1:1,\nfc8, 1, 1, 1, 1, 4096, 1000, 1,\n",
        "Layer, M, N, K,\nlow, 128, 64, 32,\nvector, 1, 1000, 4096,\n",
    ];
    let input = Input::new("topology.csv");
    bolero::check!().for_each(|bytes: &[u8]| {
        let mut script = Script::new(bytes);
        let seed = script.pick(&seeds);
        let snippets = [
            ",",
            "\"",
            "\"\"",
            "\r",
            "conv1",
            "DP",
            "2:4",
            "\u{feff}",
            "Stride width",
            ", 1, 1, 1, 1, 1, 1, 1,\n",
        ];
        input.check(&text::damaged(seed, &snippets, &mut script), |path| {
            let Some(text) = content(path) else { return false };
            match topology::read(&text) {
                Ok(operations) => {
                    let written = topology::convolutions(&operations);
                    // Names that SCALE-Sim would misread are changed, and layers with two strides are left out.
                    if written.notes.is_empty() {
                        assert_eq!(topology::read(&written.text).unwrap(), operations);
                    }
                    let products = topology::products(&operations, 1);
                    assert_eq!(topology::read(&products.text).unwrap().len(), operations.len());
                    true
                }
                Err(problems) => {
                    assert!(is_refused_at_a_place(&text, &problems), "{problems}");
                    false
                }
            }
        });
    });
}

#[test]
fn layer_traces() {
    let document = std::fs::read_to_string(Path::new(ROOT).join("docs/accelerator-traces.md")).unwrap();
    let block = |language: &str| {
        let (_, block) = document.split_once(&format!("```{language}\n")).unwrap();
        block.split_once("```").unwrap().0.to_owned()
    };
    let seeds = [(Format::Csv, block("csv")), (Format::Toml, block("toml"))];
    let inputs = [Input::new("trace.csv"), Input::new("trace.toml")];
    bolero::check!().for_each(|bytes: &[u8]| {
        let mut script = Script::new(bytes);
        let (format, seed) = script.pick(&seeds);
        let input = &inputs[usize::from(*format == Format::Toml)];
        let snippets = [
            ",",
            "\"",
            "[[layer]]",
            "[[layer.movement]]",
            "residency",
            "buffer:",
            "= {",
            "[",
            "\r",
            "\n,,,\n",
        ];
        input.check(&text::damaged(seed, &snippets, &mut script), |path| {
            let Some(text) = content(path) else { return false };
            match trace_file::read(&text, *format) {
                Ok(trace) => {
                    for format in [Format::Csv, Format::Toml] {
                        let written = trace_file::write(&trace, format).unwrap();
                        assert_eq!(trace_file::read(&written, format).unwrap(), trace);
                    }
                    true
                }
                Err(problems) => {
                    assert!(is_refused_at_a_place(&text, &problems), "{problems}");
                    false
                }
            }
        });
    });
}
