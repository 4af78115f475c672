//! V1 `layers` as today's `layer`.

use super::layers::KINDS;
use super::schema::v1_layer_parameter::LayerType;
use super::schema::{LayerParameter, ParamSpec, V1LayerParameter};

/// Name of a V1 layer type: today's where it is supported, else that of the enumeration.
pub fn type_name(number: i32) -> String {
    match LayerType::try_from(number) {
        Ok(v1) => KINDS
            .iter()
            .find(|kind| kind.v1 == Some(v1))
            .map_or(v1.as_str_name(), |kind| kind.name)
            .to_owned(),
        Err(unknown) => unknown.0.to_string(),
    }
}

/// The same layer in today's format. Learning rates and decays go: they only matter to training.
pub fn upgrade(layer: V1LayerParameter) -> LayerParameter {
    LayerParameter {
        name: layer.name,
        r#type: layer.r#type.map(type_name),
        bottom: layer.bottom,
        top: layer.top,
        loss_weight: layer.loss_weight,
        param: layer
            .param
            .into_iter()
            .map(|name| ParamSpec { name: Some(name), ..ParamSpec::default() })
            .collect(),
        include: layer.include,
        exclude: layer.exclude,
        phase: None,
        propagate_down: Vec::new(),
        transform_param: layer.transform_param,
        loss_param: layer.loss_param,
        accuracy_param: layer.accuracy_param,
        batch_norm_param: None,
        clip_param: None,
        concat_param: layer.concat_param,
        convolution_param: layer.convolution_param,
        data_param: layer.data_param,
        dropout_param: layer.dropout_param,
        dummy_data_param: layer.dummy_data_param,
        eltwise_param: layer.eltwise_param,
        flatten_param: None,
        hdf5_data_param: layer.hdf5_data_param,
        hinge_loss_param: layer.hinge_loss_param,
        image_data_param: layer.image_data_param,
        inner_product_param: layer.inner_product_param,
        lrn_param: layer.lrn_param,
        memory_data_param: layer.memory_data_param,
        pooling_param: layer.pooling_param,
        relu_param: layer.relu_param,
        reshape_param: None,
        scale_param: None,
        sigmoid_param: layer.sigmoid_param,
        softmax_param: layer.softmax_param,
        tanh_param: layer.tanh_param,
        input_param: None,
    }
}
