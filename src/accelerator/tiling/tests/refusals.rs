//! Bad input is refused by name, and nothing wraps.

use super::*;

fn searched(operation: &Operation, buffers: &Buffers, batch: u64) -> Result<Plan, Error> {
    let residents = Residents::default();
    let problem = Problem { operation, widths: widths(16), buffers, residents, batch };
    problem.search(Objective::LeastTraffic, &output_stationary)
}

fn layer() -> Operation {
    let window = Window { kernel: [3, 3], pad: [1, 1], pad_end: [1, 1], ..Window::POINT };
    convolution(Extent::new(4, 8, 8), 4, window, 1)
}

#[test]
fn a_buffer_too_small_for_one_row_is_named() {
    // Two copies of three rows of 8 words of 2 bytes.
    let error = searched(&layer(), &separate([95, 1 << 20, 1 << 20], Buffering::Double), 1).unwrap_err();
    let expected = "layer `layer`: buffer 0 of 95 bytes is too small: the smallest tile needs 96 bytes there, 96 of them for \
                    the Ifmap";
    assert_eq!(error.to_string(), expected);
    assert!(searched(&layer(), &separate([96, 1 << 20, 1 << 20], Buffering::Double), 1).is_ok());
    assert!(searched(&layer(), &separate([48, 1 << 20, 1 << 20], Buffering::Single), 1).is_ok());
    let error = searched(&layer(), &separate([1 << 20, 1 << 20, 0], Buffering::Single), 1).unwrap_err();
    assert!(matches!(error, Error::TooSmall { needed_bytes: 16, buffer: 2, .. }), "{error}");
}

#[test]
fn kernels_larger_than_the_padded_input_are_named() {
    let mut operation = layer();
    operation.window.kernel = [11, 3];
    operation.output = Extent::new(4, 1, 8);
    let error = searched(&operation, &shared(1 << 20, Buffering::Single), 1).unwrap_err();
    assert_eq!(error.to_string(), "layer `layer`: a kernel of 11 rows does not fit the padded input of 10");
}

#[test]
fn sizes_of_zero_are_named() {
    let buffers = shared(1 << 20, Buffering::Single);
    assert!(matches!(searched(&layer(), &buffers, 0), Err(Error::Zero { what: "the batch", .. })));
    let mut operation = layer();
    operation.window.stride[1] = 0;
    let error = searched(&operation, &buffers, 1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "layer `layer`: an extent, step or dilation of a window is 0, expected at least 1"
    );
    let mut operation = layer();
    operation.input.channels = 0;
    assert!(matches!(searched(&operation, &buffers, 1), Err(Error::Zero { .. })));
    let narrow = Widths { bias_bits: 0, ..widths(16) };
    let residents = Residents::default();
    let problem = Problem { operation: &layer(), widths: narrow, buffers: &buffers, residents, batch: 1 };
    let searched = problem.search(Objective::LeastTraffic, &output_stationary);
    assert!(matches!(searched, Err(Error::Zero { what: "the width of a bias word", .. })));
}

#[test]
fn extents_that_contradict_each_other_are_named() {
    let buffers = shared(1 << 20, Buffering::Single);
    let mut operation = layer();
    operation.output.height = 11;
    let error = searched(&operation, &buffers, 1).unwrap_err();
    let expected = "layer `layer`: the number of output rows is 11, expected at most 10, of windows that begin in the input";
    assert_eq!(error.to_string(), expected);
    let mut operation = layer();
    operation.groups = 3;
    assert!(matches!(searched(&operation, &buffers, 1), Err(Error::Extent { found: 4, .. })));
    let missing = Buffers { filter: 1, ..buffers };
    let error = searched(&layer(), &missing, 1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "buffer 1 for the Filter does not exist: there are 1 buffers, numbered from 0"
    );
}

#[test]
fn given_tiles_larger_than_the_operation_are_named() {
    let buffers = shared(1 << 20, Buffering::Single);
    let operation = layer();
    let residents = Residents::default();
    let problem =
        Problem { operation: &operation, widths: widths(16), buffers: &buffers, residents, batch: 1 };
    let tiling = Tiling { images: 1, rows: 9, filters: 1, channels: 1, order: Order::RowFilterChannel };
    let error = problem.given(tiling, &output_stationary).unwrap_err();
    assert_eq!(error.to_string(), "layer `layer`: rows of a tile is 9, expected 1..8");
    let tiling = Tiling { rows: 0, ..tiling };
    assert!(problem.given(tiling, &output_stationary).is_err());
}

#[test]
fn counts_beyond_64_bits_are_refused() {
    let buffers = shared(u64::MAX, Buffering::Double);
    let huge = |channels, height, width, filters| {
        convolution(Extent::new(channels, height, width), filters, Window::POINT, 1)
    };
    for operation in
        [huge(1 << 40, 1 << 20, 1, 1), huge(1 << 32, 1, 1, 1 << 32), huge(1, 1 << 21, 1 << 21, 1 << 21)]
    {
        assert!(matches!(searched(&operation, &buffers, 1), Err(Error::Overflow { .. })));
    }
    let residents = Residents::default();
    let problem = Problem { operation: &layer(), widths: widths(16), buffers: &buffers, residents, batch: 1 };
    for uncounted in [|_: &Gemm| None, |_: &Gemm| Some(u64::MAX)] {
        let small = Buffers { buffers: vec![Buffer { capacity_bytes: 400 }], ..buffers.clone() };
        let problem = Problem { buffers: &small, ..problem };
        assert!(matches!(
            problem.search(Objective::LeastTraffic, &uncounted),
            Err(Error::Overflow { what: "compute cycles", .. })
        ));
    }
}
