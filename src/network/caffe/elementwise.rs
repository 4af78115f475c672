//! Layers that work element by element.

use super::fault::{Fault, Section};
use super::layers::{Inputs, Lowered, check_axis, check_finite};
use super::schema::eltwise_parameter::EltwiseOp;
use super::schema::{LayerParameter, ReLuParameter, ScaleParameter};
use crate::network::{Eltwise, LayerKind};

pub fn relu(layer: &LayerParameter, inputs: &Inputs<'_>) -> Result<Lowered, Fault> {
    let input = inputs.only(layer)?;
    let negative_slope = layer.relu_param.as_ref().map_or(0.0, ReLuParameter::negative_slope);
    check_finite("negative_slope", negative_slope, &Section::parameter(layer, "relu_param"))?;
    Ok(Lowered::without_parameters(LayerKind::Relu { negative_slope }, input))
}

pub fn sigmoid(layer: &LayerParameter, inputs: &Inputs<'_>) -> Result<Lowered, Fault> {
    Ok(Lowered::without_parameters(LayerKind::Sigmoid, inputs.only(layer)?))
}

pub fn tanh(layer: &LayerParameter, inputs: &Inputs<'_>) -> Result<Lowered, Fault> {
    Ok(Lowered::without_parameters(LayerKind::Tanh, inputs.only(layer)?))
}

pub fn clip(layer: &LayerParameter, inputs: &Inputs<'_>) -> Result<Lowered, Fault> {
    let input = inputs.only(layer)?;
    let section = Section::parameter(layer, "clip_param");
    let parameter = layer.clip_param.unwrap_or_default();
    let limit = |field: &'static str, value: Option<f32>| {
        value.ok_or_else(|| Section::layer(layer).missing(field, "min and max in clip_param"))
    };
    let (min, max) = (limit("min", parameter.min)?, limit("max", parameter.max)?);
    if min.is_nan() {
        return Err(section.value("min", min, "a number"));
    }
    if max.is_nan() || max < min {
        return Err(section.value("max", max, format!("at least min = {min}")));
    }
    Ok(Lowered::without_parameters(LayerKind::Clip { min, max }, input))
}

pub fn dropout(layer: &LayerParameter, inputs: &Inputs<'_>) -> Result<Lowered, Fault> {
    Ok(Lowered::without_parameters(LayerKind::Dropout, inputs.only(layer)?))
}

pub fn eltwise(layer: &LayerParameter, inputs: &Inputs<'_>) -> Result<Lowered, Fault> {
    let section = Section::parameter(layer, "eltwise_param");
    let first = inputs.first(layer)?;
    if inputs.shapes.len() < 2 {
        let reason = "found one blob to read, expected at least two for a layer of type Eltwise";
        return Err(Section::layer(layer).conflict("bottom", reason));
    }
    inputs.check_all(layer, "the extent of the first blob", |input| input == first)?;
    let parameter = layer.eltwise_param.clone().unwrap_or_default();
    let operation = EltwiseOp::try_from(parameter.operation.unwrap_or(EltwiseOp::Sum as i32))
        .map_err(|unknown| section.value("operation", unknown.0, "PROD, SUM or MAX"))?;
    let coefficients = parameter.coeff;
    for &coefficient in &coefficients {
        check_finite("coeff", coefficient, &section)?;
    }
    let eltwise = match operation {
        EltwiseOp::Sum if coefficients.is_empty() => {
            Eltwise::Sum { coefficients: vec![1.0; inputs.shapes.len()] }
        }
        EltwiseOp::Sum if coefficients.len() == inputs.shapes.len() => Eltwise::Sum { coefficients },
        EltwiseOp::Sum => {
            let expected = format!("one for each of the {} blobs that it reads", inputs.shapes.len());
            return Err(section.value("coeff", format!("{} values", coefficients.len()), expected));
        }
        EltwiseOp::Prod | EltwiseOp::Max if !coefficients.is_empty() => {
            return Err(section.conflict("coeff", "coeff is set, which only operation: SUM reads"));
        }
        EltwiseOp::Prod => Eltwise::Product,
        EltwiseOp::Max => Eltwise::Max,
    };
    Ok(Lowered::without_parameters(LayerKind::Eltwise(eltwise), first))
}

/// Batch normalisation by the moving averages, as an affine layer.
pub fn batch_norm(layer: &LayerParameter, inputs: &Inputs<'_>) -> Result<Lowered, Fault> {
    let input = inputs.only(layer)?;
    let section = Section::parameter(layer, "batch_norm_param");
    let parameter = layer.batch_norm_param.unwrap_or_default();
    if parameter.use_global_stats == Some(false) {
        return Err(section.value("use_global_stats", false, "true, or none: inference has no batch"));
    }
    let epsilon = parameter.eps();
    check_finite("eps", epsilon, &section)?;
    if epsilon < 0.0 {
        return Err(section.value("eps", epsilon, "at least 0"));
    }
    let dims = || Some(vec![input.channels]);
    let affine = Lowered::without_parameters(LayerKind::Affine, input);
    Ok(Lowered { weight: dims(), bias: dims(), epsilon: Some(epsilon), ..affine })
}

pub fn scale(layer: &LayerParameter, inputs: &Inputs<'_>) -> Result<Lowered, Fault> {
    let input = inputs.only(layer)?;
    let section = Section::parameter(layer, "scale_param");
    let parameter = layer.scale_param.clone().unwrap_or_default();
    check_axis(parameter.axis(), &section)?;
    if parameter.num_axes() != 1 {
        return Err(section.value("num_axes", parameter.num_axes(), "1: one scale per channel"));
    }
    let dims = || vec![input.channels];
    let affine = Lowered::without_parameters(LayerKind::Affine, input);
    Ok(Lowered { weight: Some(dims()), bias: ScaleParameter::bias_term(&parameter).then(dims), ..affine })
}
