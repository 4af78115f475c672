//! Damaged files: never a panic, never values of the wrong number.

use super::weight_files::small_file;
use super::{BRANCHES, LENET5, SMALL, read};
use crate::network::caffe::weights::load_bytes;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

#[test]
fn a_weight_file_cut_anywhere_is_refused() {
    let file = small_file();
    let mut network = read(SMALL).unwrap();
    assert!(load_bytes(&mut network.clone(), file.clone().into()).is_ok());
    for length in 0..file.len() {
        let outcome = load_bytes(&mut network, file[..length].to_vec().into());
        assert!(outcome.is_err(), "{length} of {} bytes", file.len());
        assert!(!network.has_weights());
    }
}

#[test]
fn flipped_bits_in_a_weight_file_do_no_harm() {
    let file = small_file();
    let network = read(SMALL).unwrap();
    let mut random = Pcg64Mcg::seed_from_u64(1);
    let (mut accepted, mut refused) = (0, 0);
    for _ in 0..20_000 {
        let mut damaged = file.clone();
        for _ in 0..random.random_range(1..4) {
            let bit = random.random_range(0..8 * damaged.len());
            damaged[bit / 8] ^= 1 << (bit % 8);
        }
        let mut network = network.clone();
        if let Err(problem) = load_bytes(&mut network, damaged.into()) {
            refused += 1;
            assert!(!problem.to_string().is_empty());
            assert!(!network.has_weights());
        } else {
            accepted += 1;
            for parameter in network.layers.iter().flat_map(|layer| [&layer.weight, &layer.bias]).flatten() {
                assert_eq!(parameter.values.as_ref().map(Vec::len), Some(parameter.words()));
            }
        }
    }
    // Flips in values pass, flips in the structure do not: both must have been tried.
    assert!(accepted > 1_000 && refused > 1_000, "{accepted} accepted, {refused} refused");
}

/// Bytes changed, cut out, doubled; the error, if any, must point into the text.
#[test]
fn damaged_definitions_do_no_harm() {
    let mut random = Pcg64Mcg::seed_from_u64(2);
    let mut refused = 0;
    for round in 0..9_000 {
        let mut text = [LENET5, SMALL, BRANCHES][round % 3].as_bytes().to_vec();
        for _ in 0..random.random_range(1..4) {
            let at = random.random_range(0..text.len());
            let end = (at + random.random_range(1..20)).min(text.len());
            match random.random_range(0..5) {
                0 => text[at] ^= 1 << random.random_range(0..7),
                1 => text.truncate(at.max(1)),
                2 => drop(text.drain(at..end)),
                3 => {
                    let piece = text[at..end].to_vec();
                    let _ = text.splice(at..at, piece);
                }
                _ => text[at] = b"{}[]<>\"'#\\:,;-0.9e\n\xc3"[random.random_range(0..20)],
            }
            if text.is_empty() {
                text.push(b' ');
            }
        }
        let text = String::from_utf8_lossy(&text);
        let Err(error) = read(&text) else { continue };
        refused += 1;
        let (source, span) = error.source_span().unwrap();
        assert!(source.get(span).is_some(), "{text}\n{error}");
        assert!(error.location().is_some());
    }
    assert!(refused > 4_500, "{refused} refused");
}

/// Megabytes of what the grammar allows any number of; the stack must not grow with them.
#[test]
fn long_definitions_are_read() {
    for filling in ["#\n", " \n", "# é\r\n\t", "input: 'y' "] {
        let text = filling.repeat((3 << 20) / filling.len()) + SMALL;
        match read(&text) {
            Ok(network) => assert_eq!(network.layers.len(), 3, "{filling:?}"),
            Err(error) => assert!(filling.contains("input"), "{filling:?}: {error}"),
        }
    }
}

#[test]
fn a_definition_cut_anywhere_does_no_harm() {
    for text in [LENET5, BRANCHES] {
        assert!(read(text).is_ok());
        for length in 0..text.len() {
            if let Err(error) = read(&text[..length]) {
                let (source, span) = error.source_span().unwrap();
                assert!(source.get(span).is_some(), "{length}: {error}");
            }
        }
    }
}
