//! V1 `layers` mean the same as today's `layer`.

use super::read;

#[test]
fn both_formats_give_the_same_network() {
    let today = read(
        r#"name: "n" input: "x" input_dim: [1, 3, 9, 9]
        layer { name: "conv" type: "Convolution" bottom: "x" top: "conv" param { lr_mult: 1 }
                convolution_param { num_output: 4 kernel_size: 3 pad: 1 stride: 2 } }
        layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" relu_param { negative_slope: 0.25 } }
        layer { name: "norm" type: "LRN" bottom: "conv" top: "norm" lrn_param { local_size: 3 alpha: 2 } }
        layer { name: "pool" type: "Pooling" bottom: "norm" top: "pool" pooling_param { pool: AVE kernel_size: 2 } }
        layer { name: "fc" type: "InnerProduct" bottom: "pool" top: "fc"
                inner_product_param { num_output: 5 bias_term: false } }
        layer { name: "drop" type: "Dropout" bottom: "fc" top: "fc" dropout_param { dropout_ratio: 0.5 } }
        layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }"#,
    );
    let v1 = read(
        r#"name: "n" input: "x" input_dim: 1 input_dim: 3 input_dim: 9 input_dim: 9
        layers { name: "conv" type: CONVOLUTION bottom: "x" top: "conv" blobs_lr: 1 blobs_lr: 2 weight_decay: 0
                 convolution_param { num_output: 4 kernel_size: 3 pad: 1 stride: 2 } }
        layers { name: "relu" type: RELU bottom: "conv" top: "conv" relu_param { negative_slope: 0.25 } }
        layers { name: "norm" type: LRN bottom: "conv" top: "norm" lrn_param { local_size: 3 alpha: 2 } }
        layers { name: "pool" type: POOLING bottom: "norm" top: "pool" pooling_param { pool: AVE kernel_size: 2 } }
        layers { name: "fc" type: INNER_PRODUCT bottom: "pool" top: "fc"
                 inner_product_param { num_output: 5 bias_term: false } }
        layers { name: "drop" type: DROPOUT bottom: "fc" top: "fc" dropout_param { dropout_ratio: 0.5 } }
        layers { name: "prob" type: SOFTMAX bottom: "fc" top: "prob" }"#,
    );
    assert_eq!(today.unwrap(), v1.unwrap());
}

#[test]
fn both_formats_give_the_same_branches() {
    let today = read(
        r#"input: "x" input_dim: [1, 3, 9, 9]
        layer { name: "split" type: "Split" bottom: "x" top: "a" top: "b" }
        layer { name: "sigmoid" type: "Sigmoid" bottom: "a" top: "a" sigmoid_param { engine: CAFFE } }
        layer { name: "tanh" type: "TanH" bottom: "b" top: "b" tanh_param { engine: CUDNN } }
        layer { name: "sum" type: "Eltwise" bottom: "a" bottom: "b" top: "sum"
                eltwise_param { operation: SUM coeff: 1 coeff: -0.5 } }
        layer { name: "concat" type: "Concat" bottom: "sum" bottom: "b" top: "c" concat_param { concat_dim: 1 } }
        layer { name: "flat" type: "Flatten" bottom: "c" top: "flat" }"#,
    );
    let v1 = read(
        r#"input: "x" input_dim: [1, 3, 9, 9]
        layers { name: "split" type: SPLIT bottom: "x" top: "a" top: "b" }
        layers { name: "sigmoid" type: SIGMOID bottom: "a" top: "a" sigmoid_param { engine: CAFFE } }
        layers { name: "tanh" type: TANH bottom: "b" top: "b" tanh_param { engine: CUDNN } }
        layers { name: "sum" type: ELTWISE bottom: "a" bottom: "b" top: "sum"
                 eltwise_param { operation: SUM coeff: 1 coeff: -0.5 } }
        layers { name: "concat" type: CONCAT bottom: "sum" bottom: "b" top: "c" concat_param { concat_dim: 1 } }
        layers { name: "flat" type: FLATTEN bottom: "c" top: "flat" }"#,
    );
    assert_eq!(today.unwrap(), v1.unwrap());
}

#[test]
fn v1_data_and_loss_layers_are_left_out() {
    let network = read(
        r#"layers { name: "d" type: MEMORY_DATA top: "d" top: "label"
                    memory_data_param { batch_size: 1 channels: 2 height: 3 width: 3 } }
           layers { name: "fc" type: INNER_PRODUCT bottom: "d" top: "fc" inner_product_param { num_output: 5 } }
           layers { name: "acc" type: ACCURACY bottom: "fc" bottom: "label" top: "acc" include { phase: TEST } }
           layers { name: "loss" type: SOFTMAX_LOSS bottom: "fc" bottom: "label" }"#,
    )
    .unwrap();
    assert_eq!(network.layers.len(), 1);
    assert_eq!(network.notes.len(), 3);
}
