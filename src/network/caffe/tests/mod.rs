//! Definitions and weight files, small ones written here and real ones from the test data.

mod branches;
mod damage;
mod definitions;
mod layer_formats;
mod models;
mod normalisations;
mod published;
mod refusals;
mod weight_files;

use super::definition::Source;
use super::{Error, assembly};
use crate::network::{Network, Shape};
use std::path::Path;

/// LeNet-5 of the paper's shape.
const LENET5: &str = r#"
name: "LeNet-5"
layer { name: "data" type: "Input" top: "data" input_param { shape: { dim: 64 dim: 1 dim: 28 dim: 28 } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
        param { lr_mult: 1 } param { lr_mult: 2 decay_mult: 0 }
        convolution_param { num_output: 6 kernel_size: 5 weight_filler { type: "xavier" } } }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
        pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "conv2" type: "Convolution" bottom: "pool1" top: "conv2"
        convolution_param { num_output: 16 kernel_size: 5 engine: CAFFE force_nd_im2col: true } }
layer { name: "pool2" type: "Pooling" bottom: "conv2" top: "pool2"
        pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "fc1" type: "InnerProduct" bottom: "pool2" top: "fc1" inner_product_param { num_output: 120 } }
layer { name: "relu1" type: "ReLU" bottom: "fc1" top: "fc1" }
layer { name: "fc2" type: "InnerProduct" bottom: "fc1" top: "fc2" inner_product_param { num_output: 84 } }
layer { name: "relu2" type: "ReLU" bottom: "fc2" top: "fc2" }
layer { name: "fc3" type: "InnerProduct" bottom: "fc2" top: "fc3" inner_product_param { num_output: 10 } }
layer { name: "prob" type: "Softmax" bottom: "fc3" top: "prob" }
"#;

/// Two layers with parameters, small enough for damage at every byte.
const SMALL: &str = r#"
input: "x" input_shape { dim: 1 dim: 2 dim: 4 dim: 4 }
layer { name: "conv" type: "Convolution" bottom: "x" top: "y"
        convolution_param { num_output: 2 kernel_size: 2 group: 2 } }
layer { name: "relu" type: "ReLU" bottom: "y" top: "y" }
layer { name: "fc" type: "InnerProduct" bottom: "y" top: "z" inner_product_param { num_output: 1 } }
"#;

/// Branches, normalisation, arrangement.
const BRANCHES: &str = r#"
input: "x" input_shape { dim: 2 dim: 3 dim: 8 dim: 8 }
layer { name: "split" type: "Split" bottom: "x" top: "a" top: "b" }
layer { name: "conv" type: "Convolution" bottom: "a" top: "c" convolution_param { num_output: 3 kernel_size: 1 } }
layer { name: "bn" type: "BatchNorm" bottom: "c" top: "c" batch_norm_param { eps: 1e-3 } }
layer { name: "scale" type: "Scale" bottom: "c" top: "c" scale_param { bias_term: true } }
layer { name: "sum" type: "Eltwise" bottom: "b" bottom: "c" top: "s" eltwise_param { operation: SUM coeff: [1, 2] } }
layer { name: "clip" type: "Clip" bottom: "s" top: "s" clip_param { min: 0 max: 6 } }
layer { name: "cat" type: "Concat" bottom: "s" bottom: "c" top: "cat" concat_param { axis: 1 } }
layer { name: "norm" type: "LRN" bottom: "cat" top: "norm" lrn_param { local_size: 3 } }
layer { name: "shape" type: "Reshape" bottom: "norm" top: "r" reshape_param { shape { dim: [0, 6, -1, 4] } } }
layer { name: "flat" type: "Flatten" bottom: "r" top: "f" flatten_param { axis: 1 } }
layer { name: "sigmoid" type: "Sigmoid" bottom: "f" top: "f" }
"#;

fn read(text: &str) -> Result<Network, Error> {
    assembly::assemble(&mut Source::new(Path::new("net.prototxt"), text))
}

/// A network of one layer over an input of 6 x 12 x 10.
fn single(layer: &str) -> Result<Network, Error> {
    read(&format!(
        "input: 'x' input_dim: 1 input_dim: 6 input_dim: 12 input_dim: 10\n\
         layer {{ name: 'l' bottom: 'x' top: 'y' {layer} }}"
    ))
}

fn output(network: &Network) -> Shape {
    network.blob(network.output()).shape
}
