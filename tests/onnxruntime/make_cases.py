#!/usr/bin/env python3
"""Write ONNX models as exporters write them, with random weights, and what onnxruntime computes from them.

    pip install onnxruntime==1.32.0 onnx==1.23.2 numpy
    python tests/onnxruntime/make_cases.py FOLDER
    APPROXMEM_ONNXRUNTIME_CASES=FOLDER cargo test --test onnxruntime -- --ignored --nocapture

Each case is a folder with model.onnx, input.npy and output.npy. onnxruntime runs without graph optimisations: every
operator as the model has it. Cases called quantised_... went through onnxruntime.quantization (QDQ).
"""

import itertools
import os
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

IMAGES = 64


class Graph:
    """A chain of nodes with random weights."""

    def __init__(self, seed, channels, extent):
        self.random = np.random.default_rng(seed)
        self.nodes, self.initializers = [], []
        self.last, self.channels = "input", channels
        self.input = (channels, extent, extent)

    def constant(self, values, name=None):
        name = name or f"constant_{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def add(self, operator, *inputs, reads=None, **attributes):
        reads = self.last if reads is None else reads
        output = f"{operator}_{len(self.nodes)}_output"
        name = f"/{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, [reads, *inputs], [output], name, **attributes))
        self.last = output
        return output

    def normal(self, *shape, scale=1.0):
        return self.random.normal(0.0, scale, shape).astype(np.float32)

    def conv(self, outputs, kernel, stride=1, groups=1, bias=False, **attributes):
        inputs = self.channels // groups
        weight = self.normal(outputs, inputs, kernel, kernel, scale=(2.0 / (inputs * kernel**2)) ** 0.5)
        operands = [self.constant(weight)]
        if bias:
            operands.append(self.constant(self.normal(outputs, scale=0.1)))
        if "auto_pad" not in attributes:
            attributes["pads"] = [kernel // 2] * 4
        self.channels = outputs
        self.add("Conv", *operands, kernel_shape=[kernel] * 2, strides=[stride] * 2, group=groups,
                 dilations=[1, 1], **attributes)

    def batch_norm(self):
        count = self.channels
        scale = self.random.uniform(0.5, 1.5, count).astype(np.float32)
        variance = self.random.uniform(0.5, 2.0, count).astype(np.float32)
        operands = [scale, self.normal(count, scale=0.1), self.normal(count, scale=0.2), variance]
        self.add("BatchNormalization", *(self.constant(value) for value in operands), epsilon=1e-5, momentum=0.9)

    def relu6(self, opset):
        if opset < 11:
            self.add("Clip", min=0.0, max=6.0)
        else:
            self.add("Clip", self.constant(np.float32(0)), self.constant(np.float32(6)))

    def gemm(self, inputs, outputs, transposed=True):
        weight = self.normal(*((outputs, inputs) if transposed else (inputs, outputs)), scale=inputs**-0.5)
        bias = self.constant(self.normal(outputs, scale=0.1))
        self.add("Gemm", self.constant(weight), bias, transB=int(transposed), alpha=1.0, beta=1.0)
        self.channels = outputs

    def mat_mul(self, inputs, outputs):
        self.add("MatMul", self.constant(self.normal(inputs, outputs, scale=inputs**-0.5)))
        self.add("Add", self.constant(self.normal(outputs, scale=0.1)))
        self.channels = outputs

    def model(self, opset):
        data = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", *self.input])
        result = helper.make_tensor_value_info(self.last, TensorProto.FLOAT, ["batch", self.channels])
        graph = helper.make_graph(self.nodes, "case", [data], [result], self.initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
        onnx.checker.check_model(model, full_check=True)
        return model


def resnet(opset, folded=False):
    """Residual blocks; `folded`: batch normalisation is part of the convolutions, as exporters fold it."""
    graph = Graph(1, 3, 32)

    def block(outputs, kernel, stride, relu=True):
        graph.conv(outputs, kernel, stride, bias=folded)
        if not folded:
            graph.batch_norm()
        if relu:
            graph.add("Relu")

    block(16, 7, 2)
    later = {"dilations": [1, 1], "ceil_mode": 0} if opset >= 10 else {}
    graph.add("MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], **later)
    for outputs, stride in ((16, 1), (32, 2), (32, 1)):
        shortcut, channels = graph.last, graph.channels
        block(outputs, 3, stride)
        block(outputs, 3, 1, relu=False)
        main = graph.last
        if stride != 1 or channels != outputs:
            graph.last, graph.channels = shortcut, channels
            block(outputs, 1, stride, relu=False)
            shortcut = graph.last
        graph.add("Add", shortcut, reads=main)
        graph.add("Relu")
    graph.add("GlobalAveragePool")
    graph.add("Flatten", axis=1)
    graph.gemm(32, 10)
    return graph.model(opset)


def mobilenet(opset, folded=False):
    """Inverted residuals with depthwise convolutions and ReLU6; the classifier behind a Reshape that computes its shape."""
    graph = Graph(2, 3, 32)

    def block(outputs, kernel, stride=1, groups=1, relu=True):
        graph.conv(outputs, kernel, stride, groups, bias=folded)
        if not folded:
            graph.batch_norm()
        if relu:
            graph.relu6(opset)

    block(8, 3, 2)
    for outputs, stride in ((8, 1), (16, 2), (16, 1)):
        shortcut, channels = graph.last, graph.channels
        block(channels * 4, 1)
        block(channels * 4, 3, stride, groups=channels * 4)
        block(outputs, 1, relu=False)
        if stride == 1 and channels == outputs:
            graph.add("Add", graph.last, reads=shortcut)
    block(64, 1)
    pooled = graph.add("GlobalAveragePool")
    graph.add("Shape")
    batch = graph.add("Gather", graph.constant(np.int64(0)), axis=0)
    axes = [graph.constant(np.array([0], np.int64))] if opset >= 13 else []
    attributes = {} if opset >= 13 else {"axes": [0]}
    graph.add("Unsqueeze", *axes, reads=batch, **attributes)
    shape = graph.add("Concat", graph.constant(np.array([-1], np.int64)), axis=0)
    graph.add("Reshape", shape, reads=pooled)
    graph.gemm(64, 10)
    return graph.model(opset)


def tensorflow_like(opset, padded=True):
    """Automatic padding, reshapes with 0 and -1, MatMul with Add, Softmax. The mean of 4 or 6 codes often lies in the middle
    of two, where the order of the sum decides; not `padded`, it is that of 9."""
    graph = Graph(3, 3, 33)
    graph.conv(8, 3, 2, bias=True, auto_pad="SAME_UPPER")
    graph.add("Relu")
    graph.conv(8, 4, 3, auto_pad="SAME_LOWER")
    graph.add("Sigmoid")
    if padded:
        graph.add("AveragePool", kernel_shape=[2, 2], strides=[1, 1], auto_pad="SAME_UPPER")
    else:
        graph.add("AveragePool", kernel_shape=[3, 3], strides=[1, 1], auto_pad="VALID")
    graph.conv(12, 3, 1, auto_pad="VALID")
    graph.batch_norm()
    graph.add("LeakyRelu", alpha=0.1)
    graph.add("LRN", size=3, alpha=1e-3)
    graph.add("Reshape", graph.constant(np.array([0, -1], np.int64)))
    graph.mat_mul(12 * 4 * 4 if padded else 12 * 2 * 2, 20)
    graph.add("Tanh")
    graph.gemm(20, 10, transposed=False)
    graph.add("Softmax", axis=1 if opset < 13 else -1)
    return graph.model(opset)


def branches(opset):
    """Concatenated branches, as in GoogLeNet and SqueezeNet; a convolution as classifier."""
    graph = Graph(4, 3, 24)
    graph.conv(8, 3, 2, bias=True)
    graph.add("Relu")
    source, channels = graph.last, graph.channels
    parts = []
    for kernel in (1, 3, 5):
        graph.last, graph.channels = source, channels
        graph.conv(6, kernel, bias=True)
        parts.append(graph.add("Relu"))
    graph.add("MaxPool", reads=source, kernel_shape=[3, 3], strides=[1, 1], pads=[1, 1, 1, 1])
    graph.add("Concat", *parts, axis=1)
    graph.channels = channels + 18
    graph.add("Dropout")
    graph.conv(10, 1, bias=True)
    graph.add("AveragePool", kernel_shape=[12, 12], strides=[1, 1])
    graph.add("Flatten", axis=1 if opset < 11 else -3)
    return graph.model(opset)


class Calibration(CalibrationDataReader):
    def __init__(self, values):
        self.batches = iter([{"input": values}])

    def get_next(self):
        return next(self.batches, None)


def quantised(model, values, **options):
    with tempfile.TemporaryDirectory() as scratch:
        before, after = os.path.join(scratch, "before.onnx"), os.path.join(scratch, "after.onnx")
        onnx.save(model, before)
        quantize_static(before, after, Calibration(values), quant_format=QuantFormat.QDQ, **options)
        return onnx.load(after)


def inputs(model):
    dims = model.graph.input[0].type.tensor_type.shape.dim[1:]
    return np.random.default_rng(9).normal(0.0, 1.0, (IMAGES, *(dim.dim_value for dim in dims))).astype(np.float32)


def cases():
    for opset in (9, 13, 17, 21):
        yield f"resnet_{opset}", resnet(opset)
        yield f"mobilenet_{opset}", mobilenet(opset)
        yield f"tensorflow_like_{opset}", tensorflow_like(opset)
        yield f"branches_{opset}", branches(opset)
    networks = {"resnet": resnet(17, True), "mobilenet": mobilenet(17, True), "branches": branches(21),
                "tensorflow_like": tensorflow_like(13, padded=False), "resnet_bn": resnet(13)}
    types = {"u8s8": (QuantType.QUInt8, QuantType.QInt8), "s8s8": (QuantType.QInt8, QuantType.QInt8),
             "u8u8": (QuantType.QUInt8, QuantType.QUInt8)}
    for (name, model), (kind, (activation, weight)), per_channel in itertools.product(
        networks.items(), types.items(), (False, True)
    ):
        label = f"quantised_{name}_{kind}_{'channel' if per_channel else 'tensor'}"
        yield label, quantised(model, inputs(model), per_channel=per_channel, activation_type=activation,
                               weight_type=weight)
    model = networks["resnet"]
    for label, extra in {
        "symmetric": {"ActivationSymmetric": True, "WeightSymmetric": True},
        "asymmetric_weights": {"WeightSymmetric": False},
        "weights_in_graph": {"AddQDQPairToWeight": True},
        "dedicated_pairs": {"DedicatedQDQPair": True},
        "float_biases": {"QuantizeBias": False},
    }.items():
        yield f"quantised_resnet_{label}", quantised(
            model, inputs(model), activation_type=QuantType.QInt8, weight_type=QuantType.QInt8, extra_options=extra)


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    for name, model in cases():
        folder = os.path.join(sys.argv[1], name)
        os.makedirs(folder, exist_ok=True)
        onnx.save(model, os.path.join(folder, "model.onnx"))
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        values = inputs(model)
        np.save(os.path.join(folder, "input.npy"), values)
        np.save(os.path.join(folder, "output.npy"), session.run(None, {"input": values})[0])
        print(name)


if __name__ == "__main__":
    main()
