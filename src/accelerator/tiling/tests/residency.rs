//! What stays on chip between the layers of published networks.

use super::networks::network;
use super::*;
use crate::accelerator::lowering::Fuse;
use crate::accelerator::operation::Source;

const LENET5: &str = "models/lenet5/lenet5.prototxt";

#[test]
fn lenet5_hands_everything_on_in_a_large_buffer() {
    let operations = network(LENET5, &Fuse::All);
    let widths = vec![widths(16); operations.len()];
    for (buffers, is_swapped) in
        [(shared(1 << 20, Buffering::Double), false), (separate([1 << 20; 3], Buffering::Double), true)]
    {
        let residents = residency(&operations, &widths, &buffers, 1).unwrap();
        for (index, resident) in residents.iter().enumerate() {
            let expected = Residents {
                ifmap: index > 0,
                ofmap: index + 1 < operations.len(),
                swapped: is_swapped && index % 2 == 1,
            };
            assert_eq!(*resident, expected, "{index}");
        }
        let mut words = 0;
        for (operation, &residents) in operations.iter().zip(&residents) {
            let problem = Problem { operation, widths: widths[0], buffers: &buffers, residents, batch: 1 };
            let plan = problem.search(Objective::LeastTraffic, &output_stationary).unwrap();
            words += plan.traffic.words().unwrap();
        }
        // The picture, all weights and biases, ten results: LeNet-5 of 28 x 28 pictures has 44,426 parameters.
        assert_eq!(words, 784 + 44_426 + 10);
    }
}

#[test]
fn what_does_not_fit_beside_a_tile_is_not_kept() {
    let operations = network(LENET5, &Fuse::All);
    let widths = vec![widths(16); operations.len()];
    // The first pooled map has 6 x 12 x 12 words of 2 bytes.
    let residents = residency(&operations, &widths, &shared(6 * 12 * 12 * 2, Buffering::Single), 1).unwrap();
    assert_eq!((residents[0].ofmap, residents[1].ifmap), (false, false));
    assert!(residents[2].ofmap && residents[3].ifmap);
}

#[test]
fn outputs_of_several_readers_are_not_kept() {
    let mut operations = network(LENET5, &Fuse::All);
    operations[3].sources.push(Source::Operation(1));
    let widths = vec![widths(16); operations.len()];
    let residents = residency(&operations, &widths, &shared(1 << 20, Buffering::Single), 1).unwrap();
    let ofmaps: Vec<bool> = residents.iter().map(|resident| resident.ofmap).collect();
    assert_eq!(ofmaps, [true, false, false, true, false]);
}

#[test]
fn lenet5_needs_no_dram_with_shidiannao_s_buffers_of_twice_the_size() {
    let operations = network(LENET5, &Fuse::All);
    let widths = vec![widths(16); operations.len()];
    let parameters = 44_426 * 2;
    // The picture in one, the first pooled map in the other.
    let least = [784 * 2, parameters, 6 * 12 * 12 * 2];
    fits_on_chip(&operations, &widths, &separate(least, Buffering::Single), 1).unwrap();
    for (short, layer) in [(0, "conv1"), (1, "fc3"), (2, "conv1")] {
        let mut capacities = least;
        capacities[short] -= 1;
        let error =
            fits_on_chip(&operations, &widths, &separate(capacities, Buffering::Single), 1).unwrap_err();
        let Error::OffChip { layer: at, buffer, missing_bytes, .. } = error else { panic!("{error}") };
        assert_eq!((at.as_str(), buffer, missing_bytes), (layer, short, 1));
    }
    let together: u64 = least.iter().sum();
    fits_on_chip(&operations, &widths, &shared(together, Buffering::Single), 1).unwrap();
    let error = fits_on_chip(&operations, &widths, &shared(together - 1, Buffering::Single), 1).unwrap_err();
    let expected = format!(
        "layer `conv1`: without DRAM the Ifmap must stay on chip: buffer 0 of {} bytes lacks 1 bytes",
        together - 1
    );
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_skipped_activation_stays_until_it_is_added() {
    let mut operations = network(LENET5, &Fuse::All);
    let widths = vec![widths(16); operations.len()];
    let capacity = 2 * (44_426 + 784 + 6 * 12 * 12);
    fits_on_chip(&operations, &widths, &shared(capacity, Buffering::Single), 1).unwrap();
    // The picture is read again by the second convolution.
    operations[1].sources.push(Source::Input);
    let error = fits_on_chip(&operations, &widths, &shared(capacity, Buffering::Single), 1).unwrap_err();
    assert!(matches!(error, Error::OffChip { missing_bytes: 512, .. }), "{error:?}");
}
