#!/usr/bin/env python3
"""Quantise LeNet-5 to 8 bits and write it as an ONNX model with QuantizeLinear and DequantizeLinear.

    pip install onnxruntime==1.32.0 onnx==1.23.2 numpy
    python quantise.py MNIST_DIR lenet5_int8.onnx lenet5_int8_logits.npy

MNIST_DIR holds the MNIST idx files train-images-idx3-ubyte.gz, t10k-images-idx3-ubyte.gz and t10k-labels-idx1-ubyte.gz.

Reads lenet5.caffemodel from the folder of this script. Weights become int8 codes with one scale per output channel,
activations uint8 codes with one scale and zero point per tensor, from the smallest and largest value over the first
1,000 training images; biases become int32 codes. Written are the model, and the logits that onnxruntime computes from it
for the first 128 test images, without graph optimisations: every operator in single precision, as the model says.
"""

import gzip
import math
import os
import struct
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

SCALE = np.float32(0.00390625)  # 1 / 256
CALIBRATION = 1000
LOGITS = 128


def read_idx(folder, name, rank):
    """The idx file `name`.gz as a uint8 array."""
    with gzip.open(os.path.join(folder, name + ".gz")) as file:
        raw = file.read()
    dims = struct.unpack_from(f">{rank}I", raw, 4)
    body = np.frombuffer(raw, np.uint8, offset=4 + 4 * rank)
    if len(body) != math.prod(dims):
        raise SystemExit(f"{name}: {len(body)} bytes of data, expected {math.prod(dims)}")
    return body.reshape(dims)


def images(folder, part):
    return read_idx(folder, f"{part}-images-idx3-ubyte", 3)[:, None].astype(np.float32) * SCALE


def fields(message):
    """Number and payload of the length-delimited fields of a protobuf message; others are passed over."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(message):
        number, kind = divmod(varint(), 8)
        if kind == 0:
            varint()
        elif kind == 2:
            length = varint()
            yield number, message[at : at + length]
            at += length
        else:
            at += {1: 8, 5: 4}[kind]


def caffe_weights(path):
    """Weight and bias of each layer that has them, by name."""
    with open(path, "rb") as file:
        network = file.read()
    layers = {}
    for number, layer in fields(network):
        if number == 100:
            parts = list(fields(layer))
            name = next(payload.decode() for number, payload in parts if number == 1)
            blobs = [dict(fields(payload)) for number, payload in parts if number == 7]
            if blobs:
                layers[name] = [np.frombuffer(blob[5], np.float32) for blob in blobs]
    return layers


def lenet5(weights):
    """The network in single precision."""
    nodes, initializers, last = [], [], "data"

    def add(operator, name, operands=(), **attributes):
        nonlocal last
        nodes.append(helper.make_node(operator, [last, *operands], [name], name, **attributes))
        last = name

    def trained(name, shape):
        weight, bias = weights[name]
        tensors = {f"{name}.weight": weight.reshape(shape), f"{name}.bias": bias}
        initializers.extend(numpy_helper.from_array(value, key) for key, value in tensors.items())
        return list(tensors)

    for name, shape in (("1", (6, 1, 5, 5)), ("2", (16, 6, 5, 5))):
        add("Conv", f"conv{name}", trained(f"conv{name}", shape), kernel_shape=[5, 5])
        add("Relu", f"relu{name}")
        add("MaxPool", f"pool{name}", kernel_shape=[2, 2], strides=[2, 2])
    add("Flatten", "flatten")
    add("Gemm", "fc1", trained("fc1", (120, 256)), transB=1)
    add("Relu", "relu3")
    add("Gemm", "fc2", trained("fc2", (84, 120)), transB=1)
    add("Relu", "relu4")
    add("Gemm", "fc3", trained("fc3", (10, 84)), transB=1)
    data = helper.make_tensor_value_info("data", TensorProto.FLOAT, ["batch", 1, 28, 28])
    logits = helper.make_tensor_value_info(last, TensorProto.FLOAT, ["batch", 10])
    graph = helper.make_graph(nodes, "LeNet-5 int8", [data], [logits], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model


class Calibration(CalibrationDataReader):
    def __init__(self, inputs):
        self.batches = iter({"data": inputs[first : first + 100]} for first in range(0, len(inputs), 100))

    def get_next(self):
        return next(self.batches, None)


def main():
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    folder, model_path, logits_path = sys.argv[1:]
    weights = caffe_weights(os.path.join(os.path.dirname(os.path.abspath(__file__)), "lenet5.caffemodel"))
    with tempfile.TemporaryDirectory() as scratch:
        single = os.path.join(scratch, "lenet5.onnx")
        onnx.save(lenet5(weights), single)
        quantize_static(
            single,
            model_path,
            Calibration(images(folder, "train")[:CALIBRATION]),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model_path, options, providers=["CPUExecutionProvider"])
    inputs, labels = images(folder, "t10k"), read_idx(folder, "t10k-labels-idx1-ubyte", 1)
    logits = np.concatenate([session.run(None, {"data": inputs[i : i + 500]})[0] for i in range(0, 10_000, 500)])
    np.save(logits_path, logits[:LOGITS])
    print(f"{(logits.argmax(1) == labels).sum()} of {len(labels)} test images correct")


if __name__ == "__main__":
    main()
