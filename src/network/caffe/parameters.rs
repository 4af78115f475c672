//! Which messages with parameters a layer carries.

use super::schema::LayerParameter;

/// Names of the messages with parameters that `layer` sets and that could bear on what it computes.
pub fn set(layer: &LayerParameter) -> impl Iterator<Item = &'static str> {
    [
        ("accuracy_param", layer.accuracy_param.is_some()),
        ("batch_norm_param", layer.batch_norm_param.is_some()),
        ("clip_param", layer.clip_param.is_some()),
        ("concat_param", layer.concat_param.is_some()),
        ("convolution_param", layer.convolution_param.is_some()),
        ("data_param", layer.data_param.is_some()),
        ("dropout_param", layer.dropout_param.is_some()),
        ("dummy_data_param", layer.dummy_data_param.is_some()),
        ("eltwise_param", layer.eltwise_param.is_some()),
        ("flatten_param", layer.flatten_param.is_some()),
        ("hdf5_data_param", layer.hdf5_data_param.is_some()),
        ("hinge_loss_param", layer.hinge_loss_param.is_some()),
        ("image_data_param", layer.image_data_param.is_some()),
        ("inner_product_param", layer.inner_product_param.is_some()),
        ("input_param", layer.input_param.is_some()),
        ("loss_param", layer.loss_param.is_some()),
        ("lrn_param", layer.lrn_param.is_some()),
        ("memory_data_param", layer.memory_data_param.is_some()),
        ("pooling_param", layer.pooling_param.is_some()),
        ("relu_param", layer.relu_param.is_some()),
        ("reshape_param", layer.reshape_param.is_some()),
        ("scale_param", layer.scale_param.is_some()),
        ("sigmoid_param", layer.sigmoid_param.is_some()),
        ("softmax_param", layer.softmax_param.is_some()),
        ("tanh_param", layer.tanh_param.is_some()),
        ("transform_param", layer.transform_param.is_some()),
    ]
    .into_iter()
    .filter_map(|(name, set)| set.then_some(name))
}
