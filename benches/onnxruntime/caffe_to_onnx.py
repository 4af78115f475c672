#!/usr/bin/env python3
"""Writes a Caffe network (prototxt and caffemodel) as an ONNX model with constant weights and a fixed batch.

    python3 benches/onnxruntime/caffe_to_onnx.py DEFINITION.prototxt WEIGHTS.caffemodel OUT.onnx [BATCH]

What Caffe does otherwise than ONNX is written out: extents of pooling are rounded up and windows clipped, the divisor of an
average counts the padding but not what lies behind it, normalisation within a channel is made of element-wise operators.
Dropout is left out. A layer that is not known here is an error.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from caffe_files import read_definition, read_weights

# Layers of these types hold data or serve training only.
LEFT_OUT = {"Accuracy", "Data", "ImageData", "HDF5Data", "SoftmaxWithLoss"}


def pair(parameters, name, default):
    """A quantity per axis: `NAME` or `NAME_size` for both or one by one, or `NAME_h` and `NAME_w`."""
    if f"{name}_h" in parameters or f"{name}_w" in parameters:
        return [parameters.one(f"{name}_h", default), parameters.one(f"{name}_w", default)]
    values = parameters.get(name) or parameters.get(f"{name}_size") or [default]
    return [values[0], values[-1]]


class Converter:
    """Builds the graph layer by layer; blobs that a layer overwrites get a new name."""

    def __init__(self, definition, weights, batch):
        self.definition, self.weights, self.batch = definition, weights, batch
        self.nodes, self.constants = [], []
        # What a blob of the definition is called in the graph, and its extents, at this point of the definition.
        self.names, self.shapes = {}, {}
        # Where each layer left its result.
        self.results = []

    def node(self, operator, inputs, **attributes):
        output = f"value{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def constant(self, name, values):
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values, np.float32), name))
        return name

    def graph(self):
        layers = self.definition.get("layer", [])
        if not layers:
            raise ValueError("no `layer`: the layer format of 2014 is not read here")
        self.inputs()
        for layer in layers:
            kind = layer.one("type")
            phases = [rule.one("phase") for rule in layer.get("include", [])]
            if kind in LEFT_OUT or (phases and "TEST" not in phases):
                continue
            if kind == "Input":
                dims = layer.part("input_param").part("shape")["dim"]
                self.input(layer.one("top"), dims)
                continue
            method = getattr(self, kind.lower(), None)
            if method is None:
                raise ValueError(f"layer {layer.one('name')}: type {kind} is not known")
            bottoms = [self.names[bottom] for bottom in layer["bottom"]]
            shapes = [self.shapes[bottom] for bottom in layer["bottom"]]
            value, shape = method(layer, bottoms, shapes)
            self.names[layer.one("top")], self.shapes[layer.one("top")] = value, shape
            self.results.append((kind, layer.one("name"), value, shape))

    def inputs(self):
        for index, name in enumerate(self.definition.get("input", [])):
            shapes = self.definition.get("input_shape", [])
            dims = shapes[index]["dim"] if shapes else self.definition["input_dim"][4 * index :][:4]
            self.input(name, dims)

    def input(self, name, dims):
        self.names[name], self.shapes[name] = "data", dims[1:]
        self.image = dims[1:]

    def parameters(self, layer, dims):
        """The constants of a layer, as arrays of the extents that it needs."""
        blobs = self.weights[layer.one("name")]
        name = layer.one("name")
        weight = self.constant(f"{name}.weight", blobs[0].reshape(dims))
        if len(blobs) == 1:
            return [weight]
        return [weight, self.constant(f"{name}.bias", blobs[1].reshape(dims[0]))]

    def convolution(self, layer, bottoms, shapes):
        parameters = layer.part("convolution_param")
        channels, *extents = shapes[0]
        kernel, stride = pair(parameters, "kernel", None), pair(parameters, "stride", 1)
        pad, dilation = pair(parameters, "pad", 0), pair(parameters, "dilation", 1)
        groups, outputs = parameters.one("group", 1), parameters.one("num_output")
        constants = self.parameters(layer, [outputs, channels // groups, *kernel])
        value = self.node(
            "Conv",
            bottoms + constants,
            kernel_shape=kernel,
            strides=stride,
            pads=pad + pad,
            dilations=dilation,
            group=groups,
        )
        size = [
            (extent + 2 * p - (d * (k - 1) + 1)) // s + 1
            for extent, k, s, p, d in zip(extents, kernel, stride, pad, dilation)
        ]
        return value, [outputs, *size]

    def innerproduct(self, layer, bottoms, shapes):
        outputs = layer.part("inner_product_param").one("num_output")
        inputs = int(np.prod(shapes[0]))
        flat = bottoms[0] if len(shapes[0]) == 1 else self.node("Flatten", bottoms)
        constants = self.parameters(layer, [outputs, inputs])
        return self.node("Gemm", [flat, *constants], transB=1), [outputs]

    def relu(self, layer, bottoms, shapes):
        slope = layer.part("relu_param").one("negative_slope", 0.0)
        if slope:
            return self.node("LeakyRelu", bottoms, alpha=float(slope)), shapes[0]
        return self.node("Relu", bottoms), shapes[0]

    def pooling(self, layer, bottoms, shapes):
        parameters = layer.part("pooling_param")
        method = parameters.one("pool", "MAX")
        channels, *extents = shapes[0]
        if parameters.one("global_pooling", False):
            operator = {"MAX": "GlobalMaxPool", "AVE": "GlobalAveragePool"}[method]
            return self.node(operator, bottoms), [channels, 1, 1]
        kernel, stride = pair(parameters, "kernel", None), pair(parameters, "stride", 1)
        pad = pair(parameters, "pad", 0)
        round_up = parameters.one("round_mode", "CEIL") == "CEIL"
        size, end = [], []
        for extent, k, s, p in zip(extents, kernel, stride, pad):
            steps = extent + 2 * p - k
            count = (-(-steps // s) if round_up else steps // s) + 1
            # Caffe drops a last window that would start behind the image and its padding.
            if p and (count - 1) * s >= extent + p:
                count -= 1
            size.append(count)
            # Rows that the last window needs behind the image, no less than none.
            end.append(max((count - 1) * s + k - extent - p, 0))
        window = {"kernel_shape": kernel, "strides": stride}
        if method == "MAX":
            return self.node("MaxPool", bottoms, pads=pad + end, **window), [channels, *size]
        if any(pad):
            # The padding counts in the divisor, so it becomes part of the image; what lies behind it does not.
            amounts = numpy_helper.from_array(
                np.array([0, 0, *pad, 0, 0, *pad], np.int64), f"{layer.one('name')}.pads"
            )
            self.constants.append(amounts)
            bottoms = [self.node("Pad", [bottoms[0], amounts.name])]
            end = [max(e - p, 0) for e, p in zip(end, pad)]
        pads = [0, 0, *end]
        return self.node("AveragePool", bottoms, pads=pads, count_include_pad=0, **window), [channels, *size]

    def lrn(self, layer, bottoms, shapes):
        parameters = layer.part("lrn_param")
        size, alpha = parameters.one("local_size", 5), float(parameters.one("alpha", 1.0))
        beta, k = float(parameters.one("beta", 0.75)), float(parameters.one("k", 1.0))
        if parameters.one("norm_region", "ACROSS_CHANNELS") == "ACROSS_CHANNELS":
            return self.node("LRN", bottoms, size=size, alpha=alpha, beta=beta, bias=k), shapes[0]
        # x (1 + alpha mean(x²))^-beta, the mean over size x size elements with zeros beyond the border; Caffe ignores k.
        name, border = layer.one("name"), [(size - 1) // 2] * 4
        square = self.node("Mul", [bottoms[0], bottoms[0]])
        mean = self.node("AveragePool", [square], kernel_shape=[size] * 2, pads=border, count_include_pad=1)
        scaled = self.node("Mul", [mean, self.constant(f"{name}.alpha", alpha)])
        shifted = self.node("Add", [scaled, self.constant(f"{name}.one", 1.0)])
        power = self.node("Pow", [shifted, self.constant(f"{name}.beta", -beta)])
        return self.node("Mul", [bottoms[0], power]), shapes[0]

    def concat(self, layer, bottoms, shapes):
        if layer.part("concat_param").one("axis", 1) != 1:
            raise ValueError(f"layer {layer.one('name')}: not over channels")
        return self.node("Concat", bottoms, axis=1), [sum(shape[0] for shape in shapes), *shapes[0][1:]]

    def softmax(self, _, bottoms, shapes):
        return self.node("Softmax", bottoms, axis=1), shapes[0]

    def dropout(self, _, bottoms, shapes):
        return bottoms[0], shapes[0]

    def sigmoid(self, _, bottoms, shapes):
        return self.node("Sigmoid", bottoms), shapes[0]

    def tanh(self, _, bottoms, shapes):
        return self.node("Tanh", bottoms), shapes[0]

    def model(self, with_logits):
        """The model; its outputs are that of the last layer, and before it, on request, the input of a final softmax."""
        _, _, last, shape = self.results[-1]
        outputs = [(last, shape)]
        if with_logits:
            outputs.insert(0, self.results[-2][2:] if self.results[-1][0] == "Softmax" else (last, shape))
        known = dict(outputs)
        described = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [self.batch, *dims]) for name, dims in known.items()
        ]
        data = helper.make_tensor_value_info("data", TensorProto.FLOAT, [self.batch, *self.image])
        graph = helper.make_graph(self.nodes, "network", [data], described, self.constants)
        # Opset 17 is the last before AveragePool and others changed; every version of onnxruntime of the last years has it.
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def convert(definition, weights, batch, with_logits=False):
    """The ONNX model of the network in two files, for a fixed batch. The input is called `data`."""
    converter = Converter(read_definition(Path(definition)), read_weights(weights), batch)
    converter.graph()
    return converter.model(with_logits)


def main():
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    batch = int(sys.argv[4]) if len(sys.argv) == 5 else 1
    onnx.save(convert(sys.argv[1], sys.argv[2], batch), sys.argv[3])


if __name__ == "__main__":
    main()
