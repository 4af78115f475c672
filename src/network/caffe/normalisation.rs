//! Batch normalisation as weight and bias of an affine layer.

use super::error::WeightsProblem;
use crate::network::Normalisation;

/// What a weight file holds for a batch normalisation and the scale behind it.
pub struct Statistics {
    /// Moving average of the mean, per channel, times the factor.
    pub mean: Vec<f64>,
    /// Moving average of the variance, per channel, times the factor.
    pub variance: Vec<f64>,
    /// Number that the averages are divided by; 0 stands for averages of 0.
    pub factor: f64,
    /// Scale per channel.
    pub scale: Option<Vec<f64>>,
    /// Shift per channel.
    pub shift: Option<Vec<f64>>,
}

impl Statistics {
    /// Weight and bias (see [`Normalisation`]), computed in binary64 and rounded once.
    ///
    /// # Errors
    /// A variance that with epsilon is no positive number.
    pub fn affine(&self, normalisation: &Normalisation) -> Result<[Vec<f32>; 2], WeightsProblem> {
        let factor = if self.factor == 0.0 { 0.0 } else { 1.0 / self.factor };
        let (mut weight, mut bias) = (Vec::new(), Vec::new());
        for (channel, (&mean, &variance)) in self.mean.iter().zip(&self.variance).enumerate() {
            let variance = variance * factor + f64::from(normalisation.epsilon);
            // Also refuses NaN.
            if !(variance > 0.0 && variance.is_finite()) {
                return Err(WeightsProblem::Variance {
                    layer: normalisation.layer.clone(),
                    channel,
                    found: variance,
                });
            }
            let of = |values: &Option<Vec<f64>>, default| values.as_ref().map_or(default, |v| v[channel]);
            let scale = of(&self.scale, 1.0) / variance.sqrt();
            // Rounded once to the nearest single-precision number.
            weight.push(scale as f32);
            bias.push((of(&self.shift, 0.0) - scale * mean * factor) as f32);
        }
        Ok([weight, bias])
    }
}
