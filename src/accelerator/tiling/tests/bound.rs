//! Every row of the published bound is reached or bettered.

use super::*;

#[test]
fn best_tilings_reach_the_bound_of_every_row() {
    let mut rows =
        csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(include_bytes!("bound.csv").as_slice());
    let (mut checked, mut bettered) = (0, 0);
    for row in rows.records() {
        let row = row.unwrap();
        let number = |index: usize| row[index].parse::<u64>().unwrap();
        let window = Window { kernel: [number(4), number(5)], stride: [number(8); 2], ..Window::POINT };
        let operation = convolution(Extent::new(number(6), number(2), number(3)), number(7), window, 1);
        let buffers = separate([2 * number(9); 3], Buffering::Double);
        let problem = Problem {
            operation: &operation,
            widths: widths(8),
            buffers: &buffers,
            residents: Residents::default(),
            batch: 1,
        };
        let plan = problem.search(Objective::LeastTraffic, &output_stationary).unwrap();
        let (compulsory, bound) = (number(10), number(11));
        let words = plan.traffic.words().unwrap();
        assert!(words <= bound, "{}: {words} of {bound} words: {:?}", &row[1], plan);
        // Rows behind the last window are not fetched, but the bound counts them.
        assert!(plan.compulsory.words().unwrap() <= compulsory);
        assert!(words >= plan.compulsory.words().unwrap());
        checked += 1;
        bettered += u64::from(words < bound);
    }
    assert_eq!(checked, 111);
    assert_eq!(bettered, 16);
}
