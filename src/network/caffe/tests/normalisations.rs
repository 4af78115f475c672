//! Batch normalisation and scale: definitions, and weight files encoded here.

use super::read;
use crate::network::caffe::WeightsProblem;
use crate::network::caffe::schema::{BlobProto, BlobShape, WeightFile, WeightFileLayer};
use crate::network::caffe::weights::load_bytes;
use crate::network::{BlobId, Layer, LayerId, LayerKind, Network, Normalisation, Scaling};
use prost::Message;
use prost::bytes::Bytes;

fn network(layers: &str) -> Network {
    read(&format!("input: 'x' input_dim: [1, 2, 3, 3] {layers}")).unwrap()
}

const CONVOLUTION: &str = "layer { name: 'conv' type: 'Convolution' bottom: 'x' top: 'c'
    convolution_param { num_output: 2 kernel_size: 1 bias_term: false } }";
const IN_PLACE: &str = "layer { name: 'bn' type: 'BatchNorm' bottom: 'c' top: 'c'
        batch_norm_param { use_global_stats: true eps: 0.5 } param { lr_mult: 0 } }
    layer { name: 'scale' type: 'Scale' bottom: 'c' top: 'c' scale_param { bias_term: true } }
    layer { name: 'relu' type: 'ReLU' bottom: 'c' top: 'c' }";

fn names(network: &Network) -> Vec<&str> {
    network.layers.iter().map(|layer| layer.name.as_str()).collect()
}

/// Every blob is written by its producer and read only behind it.
fn check_graph(network: &Network) {
    for (index, blob) in network.blobs.iter().enumerate() {
        if let Some(producer) = blob.producer {
            assert_eq!(network.layer(producer).output, BlobId(index));
        }
    }
    for (id, layer) in network.layers_with_ids() {
        assert!(layer.inputs.iter().all(|&blob| network.blob(blob).producer.is_none_or(|p| p < id)));
    }
}

#[test]
fn a_normalisation_and_its_scale_become_one_layer() {
    let apart = "layer { name: 'bn' type: 'BatchNorm' bottom: 'c' top: 'n' batch_norm_param { eps: 0.5 } }
        layer { name: 'scale' type: 'Scale' bottom: 'n' top: 's' scale_param { bias_term: true } }
        layer { name: 'relu' type: 'ReLU' bottom: 's' top: 'r' }";
    for layers in [IN_PLACE, apart] {
        let network = network(&format!("{CONVOLUTION} {layers}"));
        check_graph(&network);
        assert_eq!(names(&network), ["conv", "scale", "relu"]);
        let affine = &network.layers[1];
        assert_eq!((&affine.kind, &affine.inputs[..]), (&LayerKind::Affine, &[network.layers[0].output][..]));
        let dims = |layer: &Layer| {
            [&layer.weight, &layer.bias].map(|parameter| parameter.as_ref().map(|p| p.dims.clone()))
        };
        assert_eq!(dims(affine), [Some(vec![2]), Some(vec![2])]);
        let expected = Normalisation { layer: "bn".into(), epsilon: 0.5, scaling: Scaling::ScaleAndShift };
        assert_eq!(network.normalisations.iter().collect::<Vec<_>>(), [(&LayerId(1), &expected)]);
        assert_eq!(network.notes, ["BatchNorm computed in the Scale layer behind it: 'bn' in 'scale'"]);
        // Four weights of the convolution, its input, and two words each of weight and bias.
        assert_eq!(network.volume_words(), 4 + 18 + 4);
    }
}

#[test]
fn a_normalisation_that_others_read_stays_apart() {
    let network = network(&format!(
        "{CONVOLUTION}
         layer {{ name: 'bn' type: 'BatchNorm' bottom: 'c' top: 'n' }}
         layer {{ name: 'scale' type: 'Scale' bottom: 'n' top: 's' }}
         layer {{ name: 'sum' type: 'Eltwise' bottom: 'n' bottom: 's' top: 'sum' }}
         layer {{ name: 'last' type: 'BatchNorm' bottom: 'sum' top: 'last' }}"
    ));
    check_graph(&network);
    assert_eq!(names(&network), ["conv", "bn", "scale", "sum", "last"]);
    let unscaled: Vec<_> = network.normalisations.iter().map(|(id, n)| (id.0, n.scaling)).collect();
    assert_eq!(unscaled, [(1, Scaling::None), (4, Scaling::None)]);
    assert_eq!(network.layers[2].bias, None);
}

#[test]
fn chains_of_normalisations_keep_their_order() {
    let pair = |index: usize, from: &str| {
        format!(
            "layer {{ name: 'bn{index}' type: 'BatchNorm' bottom: '{from}' top: 'n{index}' }}
             layer {{ name: 'scale{index}' type: 'Scale' bottom: 'n{index}' top: 's{index}' }}"
        )
    };
    let layers: Vec<_> =
        (0..7).map(|i| pair(i, &if i == 0 { "x".into() } else { format!("s{}", i - 1) })).collect();
    let network = network(&layers.join("\n"));
    check_graph(&network);
    assert_eq!(names(&network), (0..7).map(|i| format!("scale{i}")).collect::<Vec<_>>());
    for (id, normalisation) in &network.normalisations {
        assert_eq!(
            (normalisation.layer.as_str(), normalisation.scaling),
            (&*format!("bn{}", id.0), Scaling::Scale)
        );
    }
    assert_eq!(network.normalisations.len(), 7);
    assert!(network.notes[0].ends_with("'bn3' in 'scale3' and 3 more"), "{:?}", network.notes);
}

#[test]
fn values_that_they_cannot_have() {
    let refused = |layer: &str, message: &str| {
        let error = super::single(layer).unwrap_err();
        assert!(error.detail().contains(message), "{error}");
    };
    let norm = |fields: &str| format!("type: 'BatchNorm' batch_norm_param {{ {fields} }}");
    refused(&norm("use_global_stats: false"), "found use_global_stats = false, expected true, or none");
    refused(&norm("eps: -1"), "found eps = -1, expected at least 0");
    refused(&norm("eps: nan"), "found eps = NaN");
    refused("type: 'BatchNorm' bottom: 'x'", "found 2 blobs to read");
    let scale = |fields: &str| format!("type: 'Scale' scale_param {{ {fields} }}");
    refused(&scale("axis: 0"), "found axis = 0, expected 1");
    refused(&scale("num_axes: 0"), "found num_axes = 0, expected 1: one scale per channel");
    refused("type: 'Scale' bottom: 'x'", "found 2 blobs to read");
}

fn blob(values: &[f32], legacy: bool) -> Bytes {
    let count = values.len();
    let data = values.to_vec();
    let blob = if legacy {
        let one = Some(1);
        BlobProto {
            num: one,
            channels: one,
            height: one,
            width: Some(count as i32),
            data,
            ..BlobProto::default()
        }
    } else {
        BlobProto { shape: Some(BlobShape { dim: vec![count as i64] }), data, ..BlobProto::default() }
    };
    blob.encode_to_vec().into()
}

fn file(layers: &[(&str, &[&[f32]])], legacy: bool) -> Bytes {
    let layer = |&(name, blobs): &(&str, &[&[f32]])| {
        let blobs = blobs.iter().map(|values| blob(values, legacy)).collect();
        WeightFileLayer { name: Some(name.to_owned()), blobs }.encode_to_vec().into()
    };
    WeightFile { layer: layers.iter().map(layer).collect(), layers: vec![] }.encode_to_vec().into()
}

/// Weight and bias of layer 0 after loading.
fn loaded(network: &mut Network, file: Bytes) -> Result<[Option<Vec<f32>>; 2], WeightsProblem> {
    assert_eq!(load_bytes(network, file)?, Vec::<String>::new());
    let layer = &network.layers[0];
    Ok([&layer.weight, &layer.bias].map(|p| p.as_ref().map(|p| p.values.clone().unwrap())))
}

/// Caffe's arithmetic: (x - mean/f) / sqrt(variance/f + eps), times scale, plus shift, here for one channel.
fn caffe(x: f64, [mean, variance, factor, scale, shift]: [f32; 5], epsilon: f64) -> f64 {
    let [mean, variance, factor, scale, shift] = [mean, variance, factor, scale, shift].map(f64::from);
    (x - mean / factor) / (variance / factor + epsilon).sqrt() * scale + shift
}

#[test]
fn statistics_become_weight_and_bias() {
    let layers = IN_PLACE.replace("'c'", "'x'").replace("eps: 0.5", "");
    let (mean, variance, scale, shift) = ([0.7, -31.0], [0.02, 900.0], [1.25, -0.5], [0.1, 3.0]);
    let epsilon = f64::from(1e-5_f32);
    for legacy in [false, true] {
        let factor = 998.5;
        let mut network = network(&layers);
        let file = file(&[("bn", &[&mean, &variance, &[factor]]), ("scale", &[&scale, &shift])], legacy);
        let [weight, bias] = loaded(&mut network, file).unwrap().map(Option::unwrap);
        for channel in 0..2 {
            let caffe = |x| {
                let of = [mean[channel], variance[channel], factor, scale[channel], shift[channel]];
                caffe(x, of, epsilon)
            };
            // Both are the binary64 results, rounded once.
            assert_eq!(bias[channel], caffe(0.0) as f32);
            let slope = caffe(1.0) - caffe(0.0);
            assert!(
                (f64::from(weight[channel]) / slope - 1.0).abs() < 6e-8,
                "{} for {slope}",
                weight[channel]
            );
        }
    }
}

#[test]
fn scales_load_with_and_without_their_partners() {
    let scale = "layer { name: 'scale' type: 'Scale' bottom: 'x' top: 'y' }";
    let parts = file(&[("scale", &[&[2.0, 3.0]])], false);
    assert_eq!(loaded(&mut network(scale), parts).unwrap(), [Some(vec![2.0, 3.0]), None]);

    let alone = "layer { name: 'bn' type: 'BatchNorm' bottom: 'x' top: 'y' batch_norm_param { eps: 0 } }";
    let parts = file(&[("bn", &[&[1.0, -8.0], &[4.0, 16.0], &[1.0]])], false);
    assert_eq!(loaded(&mut network(alone), parts).unwrap(), [Some(vec![0.5, 0.25]), Some(vec![-0.5, 2.0])]);

    let unshifted = format!("{alone} layer {{ name: 'scale' type: 'Scale' bottom: 'y' top: 'z' }}");
    let parts = file(&[("scale", &[&[2.0, 4.0]]), ("bn", &[&[2.0, -16.0], &[8.0, 32.0], &[2.0]])], false);
    assert_eq!(
        loaded(&mut network(&unshifted), parts).unwrap(),
        [Some(vec![1.0, 1.0]), Some(vec![-1.0, 8.0])]
    );
}

#[test]
fn a_factor_of_zero_stands_for_no_statistics() {
    let layer = "layer { name: 'bn' type: 'BatchNorm' bottom: 'x' top: 'y' batch_norm_param { eps: 0.25 } }";
    let parts = file(&[("bn", &[&[7.0, 7.0], &[9.0, 9.0], &[0.0]])], false);
    assert_eq!(loaded(&mut network(layer), parts).unwrap(), [Some(vec![2.0, 2.0]), Some(vec![0.0, 0.0])]);
}

#[test]
fn statistics_that_do_not_fit_are_refused() {
    let layers = IN_PLACE.replace("'c'", "'x'");
    let refused = |file: Bytes| {
        let mut network = network(&layers);
        let problem = loaded(&mut network, file).unwrap_err();
        assert!(!network.has_weights());
        problem.to_string()
    };
    let bn: (&str, &[&[f32]]) = ("bn", &[&[1.0, 1.0], &[1.0, 1.0], &[1.0]]);
    let message = refused(file(&[bn], false));
    assert!(
        message.contains("no parameters for layer 'scale', expected a scale of 2 and a shift of 2"),
        "{message}"
    );
    let message = refused(file(&[("scale", &[&[1.0, 1.0], &[1.0, 1.0]])], false));
    let expected = "no parameters for layer 'bn', expected a mean of 2 and a variance of 2 and a factor of 1";
    assert!(message.contains(expected), "{message}");
    let message = refused(file(&[("bn", &[&[1.0, 1.0], &[1.0, 1.0]]), ("scale", &[&[1.0, 1.0]])], false));
    assert!(message.contains("layer 'bn': found 2 blobs, expected 3 (a mean of 2"), "{message}");
    let message = refused(file(&[("bn", &[&[1.0, 1.0], &[1.0], &[1.0]])], false));
    assert_eq!(message, "layer 'bn': found a variance of 1, expected 2");
    for variance in [-0.75, f32::NAN, f32::INFINITY] {
        let parts = file(
            &[("bn", &[&[0.0; 2], &[1.0, variance], &[1.0]]), ("scale", &[&[1.0; 2], &[1.0; 2]])],
            false,
        );
        let message = refused(parts);
        assert!(message.starts_with("layer 'bn': found a variance with eps of "), "{message}");
        assert!(message.ends_with("for channel 1, expected a number above 0"), "{message}");
    }
}
