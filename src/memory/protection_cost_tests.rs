//! The published examples of mixing precise and approximate bits.

use super::*;
use crate::random::normal;

/// Energy over that at Vmin where the measured 14 nm array has the error rate `ber`: (V / Vmin)^2 by its probit fit.
fn energy_at(ber: f64) -> f64 {
    let v = 0.7055 - 0.0553 * normal::quantile(ber);
    v * v
}

fn access(how: How, msbs: u32, word_bits: u32, e: f64) -> f64 {
    let approximate = Relative { access: e, leakage: e };
    cost(Protection { msbs, how }, word_bits, approximate).unwrap().access
}

#[test]
fn cf12_dual_rail_mixes_linearly() {
    // Bit error rate; energy of all bits, of 8 and of 16 with 3 protected.
    let table = [(1e-4, 0.830, 0.894, 0.862), (1e-3, 0.768, 0.855, 0.812), (1e-2, 0.696, 0.810, 0.753)];
    for (ber, all, of_8, of_16) in table {
        let e = energy_at(ber);
        assert!((e - all).abs() < 5e-4, "{ber}: {e}");
        for how in [How::DualRail, How::PreciseBank] {
            for (word_bits, expected) in [(8, of_8), (16, of_16)] {
                let mixed = access(how, 3, word_bits, e);
                assert!((mixed - expected).abs() < 5e-4, "{ber}, {word_bits} bits: {mixed}");
            }
        }
    }
}

#[test]
fn protection_of_three_bits_of_eight_loses_against_a_milder_voltage() {
    let protected = access(How::DualRail, 3, 8, energy_at(1e-3));
    let unprotected = access(How::DualRail, 0, 8, energy_at(1e-4));
    assert!(protected > unprotected && access(How::DualRail, 3, 16, energy_at(1e-3)) < unprotected);
}

#[test]
fn v15_area_of_three_bits_of_eight_in_8t_cells() {
    let relative = Relative { access: 0.64, leakage: 0.5 };
    let of = |msbs, cell| {
        let how = How::EightTransistor { delta_v: 0.1, cell };
        cost(Protection { msbs, how }, 8, relative).unwrap()
    };
    let published = of(3, EightTransistorCell::default());
    let area = published.area.unwrap();
    assert!((area - 1.116).abs() < 5e-4 && (area - 1.115).abs() < 5e-3, "{area}");
    assert_eq!((published.access, published.leakage), (0.64, 0.5));
    let costly = EightTransistorCell { a8: 1.23, r8: 1.5 };
    assert_eq!(of(0, costly).area, Some(1.0));
    let half = of(4, costly);
    assert!((half.area.unwrap() - 1.115).abs() < 1e-12 && (half.access - 0.64 * 1.25).abs() < 1e-12);
}

#[test]
fn a_code_over_all_bits_stores_an_eighth_more() {
    let relative = Relative { access: 0.8, leakage: 0.6 };
    let of = |msbs| {
        let protection = Protection { msbs, how: How::Secded };
        cost(protection, 16, relative).unwrap()
    };
    let all = of(16);
    assert!((all.access - 0.9).abs() < 1e-12 && (all.leakage - 0.675).abs() < 1e-12);
    assert_eq!((all.cells, all.area), (1.125, Some(1.125)));
    assert_eq!(of(4).cells, 1.0 + 0.125 / 4.0);
}

#[test]
fn impossible_costs_are_refused() {
    let relative = Relative { access: 1.0, leakage: 1.0 };
    let of = |msbs, word_bits, how, relative| cost(Protection { msbs, how }, word_bits, relative);
    let rail = How::DualRail;
    assert_eq!(of(9, 8, rail, relative), Err(Error::Bits { protected: 9, word_bits: 8 }));
    assert!(of(0, 0, rail, relative).is_err());
    for (a8, r8) in [(0.9, 1.0), (1.2, f64::NAN), (1.2, 0.0)] {
        let how = How::EightTransistor { delta_v: 0.1, cell: EightTransistorCell { a8, r8 } };
        assert!(matches!(of(1, 8, how, relative), Err(Error::Range { .. })), "{a8} {r8}");
    }
    assert!(of(1, 8, rail, Relative { access: -1.0, leakage: 1.0 }).is_err());
    assert_eq!(of(3, 8, rail, relative).unwrap().area, None, "the area of a second supply is not published");
}
