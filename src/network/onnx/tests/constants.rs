//! Operators whose result is known at import.

use super::*;

fn value(constant: NodeProto) -> Vec<f32> {
    let nodes = vec![constant, node("Mul", "l", "x c", "y", &[])];
    let network = network(&[1, 2], nodes, vec![integers("two", &[2])]);
    parameters(&network, 0)[0].unwrap().to_vec()
}

#[test]
fn constants_are_tensors_or_numbers() {
    let of = |attribute| value(node("Constant", "c", "", "c", &[attribute]));
    assert_eq!(of(tensor("value", floats("", &[2], &[3.0, 4.0]))), [3.0, 4.0]);
    assert_eq!(of(float("value_float", 2.5)), [2.5, 2.5]);
    let list = AttributeProto { floats: vec![1.5, 2.0], ..attribute("value_floats", AttributeType::Floats) };
    assert_eq!(of(list), [1.5, 2.0]);
    let filled = [tensor("value", floats("", &[1], &[0.75]))];
    assert_eq!(value(node("ConstantOfShape", "c", "two", "c", &filled)), [0.75, 0.75]);
    assert_eq!(value(node("ConstantOfShape", "c", "two", "c", &[])), [0.0, 0.0]);
}

#[test]
fn integer_constants_are_shapes() {
    for attribute in [ints("value_ints", &[1, 8]), int("value_int", -1)] {
        let nodes = vec![
            node("Constant", "c", "", "c", &[attribute]),
            node("Concat", "k", "first c", "k", &[int("axis", 0)]),
            node("Reshape", "l", "x c", "y", &[]),
        ];
        let outcome = read(&model(13, &[1, 2, 2, 2], nodes, vec![integers("first", &[1])]));
        match outcome {
            Ok(network) => assert_eq!(output(&network), Shape::new(8, 1, 1)),
            // One extent only: no batch beside the channels.
            Err(error) => assert!(error.to_string().contains("found activations of 8"), "{error}"),
        }
    }
}

#[test]
fn parts_of_a_shape() {
    let reshaped = |attributes: &[AttributeProto]| {
        let nodes = vec![
            node("Shape", "s", "x", "s", attributes),
            node("Concat", "c", "s rest", "c", &[int("axis", -1)]),
            node("Reshape", "l", "x c", "y", &[]),
        ];
        output(&network(&[1, 2, 3, 4], nodes, vec![integers("rest", &[-1])]))
    };
    assert_eq!(reshaped(&[int("end", 1)]), Shape::new(24, 1, 1));
    assert_eq!(reshaped(&[int("end", 2)]), Shape::new(2, 1, 12));
    assert_eq!(reshaped(&[int("start", -4), int("end", -1)]), Shape::new(2, 3, 4));
}

#[test]
fn a_few_bytes_do_not_make_a_large_tensor() {
    let nodes = |shape: &[i64]| {
        let outputs = shape[1];
        let nodes = vec![
            node("Constant", "s", "", "s", &[ints("value_ints", shape)]),
            node("ConstantOfShape", "w", "s", "w", &[]),
            node("MatMul", "l", "x w", "y", &[]),
        ];
        (outputs, refusal(read(&model(13, &[1, shape[0]], nodes, Vec::new()))))
    };
    assert!(nodes(&[1 << 15, 1 << 15]).1.contains("has more than 268435456 elements"));
    assert!(nodes(&[1 << 20, 1 << 20]).1.contains("has more than 2147483648 elements"));
    assert!(nodes(&[1 << 20, i64::MAX]).1.contains("has more than 2147483648 elements"));
    let refused = refusal(single(13, &[1, 1 << 30], ("Add", "x c", &[]), &[floats("c", &[1], &[1.0])]));
    assert!(refused.contains("found the constant 'c' of 1, expected one number"), "{refused}");
}
