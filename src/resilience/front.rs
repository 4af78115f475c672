//! The Pareto front of volume against accuracy.

use super::Error;
use super::measured::{Measurements, Scheme, WIDEST_BITS, Widths};

/// The schemes that no other one beats in volume and accuracy, of all that were measured, the smallest volume first.
pub(super) fn front(measurements: &Measurements<'_>) -> Vec<Scheme> {
    let known = measurements.known().iter();
    let mut schemes: Vec<Scheme> =
        known.map(|(widths, &measured)| measurements.scheme(widths, measured)).collect();
    // The sort is stable: of equal schemes the first in the order of widths stays.
    schemes.sort_by(|one, other| {
        one.volume_bits.cmp(&other.volume_bits).then(other.measured.rpa.total_cmp(&one.measured.rpa))
    });
    let mut best = f64::NEG_INFINITY;
    schemes.retain(|scheme| {
        let better = scheme.measured.rpa > best;
        best = best.max(scheme.measured.rpa);
        better
    });
    schemes
}

/// Measures schemes around `start`, in at most `most_passes` forward passes: half of them on the way down, narrowing the datum that
/// saves most per accuracy lost, until accuracy is as far below the floor as the floor is below 1; the other half on the way up,
/// widening the one that gains most per volume, until nothing is lost.
///
/// # Errors
/// Those of measuring.
pub(super) fn explore(
    measurements: &mut Measurements<'_>,
    start: &Widths,
    floor: f64,
    most_passes: u64,
) -> Result<(), Error> {
    let made = measurements.effort().passes;
    let lowest = 2.0 * floor - 1.0;
    let mut path = Path { measurements, widths: start.clone(), most_passes: made + most_passes / 2 };
    path.follow(|rpa| rpa < lowest, |bits| (bits > 1).then(|| bits - 1))?;
    path.widths.clone_from(start);
    path.most_passes = made + most_passes;
    path.follow(|rpa| rpa >= 1.0, |bits| (bits < WIDEST_BITS).then(|| bits + 1))
}

struct Path<'p, 'm> {
    measurements: &'p mut Measurements<'m>,
    widths: Widths,
    /// Passes that may have been made when it ends.
    most_passes: u64,
}

impl Path<'_, '_> {
    /// Changes one width at a time, the one of the steepest slope, until `ends`, no width can change, or no pass is left.
    fn follow(
        &mut self,
        ends: impl Fn(f64) -> bool,
        changed: impl Fn(u32) -> Option<u32>,
    ) -> Result<(), Error> {
        let mut rpa = self.measurements.measure(&self.widths)?.rpa;
        while !ends(rpa) {
            let volume_bits = self.measurements.volume_bits(&self.widths);
            let mut steepest: Option<(f64, f64, Widths)> = None;
            for place in 0..self.widths.len() {
                let Some(bits) = changed(self.widths[place].1) else { continue };
                let mut widths = self.widths.clone();
                widths[place].1 = bits;
                let known = self.measurements.known().contains_key(&widths);
                if !known && self.measurements.effort().passes >= self.most_passes {
                    return Ok(());
                }
                let reached = self.measurements.measure(&widths)?.rpa;
                let moved = self.measurements.volume_bits(&widths).abs_diff(volume_bits) as f64;
                // Down, what is saved per loss; up, what is gained per volume: both grow with this.
                let slope = if bits < self.widths[place].1 {
                    if reached >= rpa { f64::INFINITY } else { moved / (rpa - reached) }
                } else {
                    (reached - rpa) / moved.max(1.0)
                };
                if steepest.as_ref().is_none_or(|(best, ..)| slope > *best) {
                    steepest = Some((slope, reached, widths));
                }
            }
            let Some((_, reached, widths)) = steepest else { return Ok(()) };
            (rpa, self.widths) = (reached, widths);
        }
        Ok(())
    }
}
