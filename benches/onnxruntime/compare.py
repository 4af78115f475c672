#!/usr/bin/env python3
"""LeNet-5 (6/16/120/84/10) side by side with onnxruntime, one thread each.

Needs Python 3.10 or later with onnxruntime, onnx and numpy from PyPI, and a Rust toolchain. From the repository root:

    python3 benches/onnxruntime/compare.py

Both evaluate the same 10,000 images with the same seeded random parameters (onnxruntime: constants, batches of 64), in
turns; the classes must agree. In the same turns runs a whole trial of configs/lenet5.toml at a bit error rate of 1e-3:
inject, evaluate 10,000 images, undo. Printed are the seconds per 10,000 images, best and median over the rounds, and the
ratios to onnxruntime.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

IMAGES = 10_000
BATCH = 64
SHAPES = [(6, 1, 5, 5), (16, 6, 5, 5), (120, 256), (84, 120), (10, 84)]


def parameters(random):
    """Weight and bias of each layer, scaled so that activations keep their size."""
    result = []
    for shape in SHAPES:
        scale = (2.0 / np.prod(shape[1:])) ** 0.5
        result.append(random.normal(0.0, scale, shape).astype(np.float32))
        result.append(random.normal(0.0, 0.1, shape[0]).astype(np.float32))
    return result


def model(tensors):
    """The network as ONNX with constant weights."""
    names = [f"{kind}{layer}" for layer in range(len(SHAPES)) for kind in ("weight", "bias")]
    initializers = [numpy_helper.from_array(tensor, name) for name, tensor in zip(names, tensors)]
    nodes, last = [], "data"

    def add(operator, *inputs, **attributes):
        nonlocal last
        output = f"blob{len(nodes)}"
        nodes.append(helper.make_node(operator, [last, *inputs], [output], **attributes))
        last = output

    for layer in range(len(SHAPES)):
        operands = f"weight{layer}", f"bias{layer}"
        if layer < 2:
            add("Conv", *operands, kernel_shape=[5, 5])
            add("Relu")
            add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
        else:
            if layer == 2:
                add("Flatten")
            add("Gemm", *operands, transB=1)
            if layer < 4:
                add("Relu")
    data = helper.make_tensor_value_info("data", TensorProto.FLOAT, ["batch", 1, 28, 28])
    logits = helper.make_tensor_value_info(last, TensorProto.FLOAT, ["batch", 10])
    graph = helper.make_graph(nodes, "lenet5", [data], [logits], initializers)
    result = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(result)
    return result


def session(tensors):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(
        model(tensors).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


class Bench:
    """One of our benchmarks, which runs once for each line it is sent."""

    def __init__(self, name, *arguments):
        command = ["cargo", "bench", "--quiet", "--bench", name, "--", *arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def line(self):
        return self.process.stdout.readline().strip()

    def round(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.line())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def onnxruntime_round(network, batches):
    start = time.perf_counter()
    classes = np.concatenate([network.run(None, {"data": batch})[0].argmax(1) for batch in batches])
    return time.perf_counter() - start, classes


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=25)
    rounds = arguments.parse_args().rounds

    random = np.random.default_rng(1)
    tensors = parameters(random)
    images = random.random((IMAGES, 1, 28, 28), dtype=np.float32)
    network = session(tensors)
    batches = [images[first : first + BATCH] for first in range(0, IMAGES, BATCH)]
    _, reference = onnxruntime_round(network, batches)

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "lenet5.f32"
        file.write_bytes(b"".join(tensor.astype("<f4").tobytes() for tensor in [*tensors, images]))
        forward = Bench("forward", "--rounds", str(file))
        trial = Bench("trial", "--rounds")
        classes = forward.line().split()
        if len(classes) != IMAGES or trial.line() != "ready":
            sys.exit("a benchmark did not start")
        different = sum(str(a) != b for a, b in zip(reference, classes))
        print(f"classes that differ: {different} of {IMAGES}")

        seconds = {"forward": [], "trial": [], "onnxruntime": []}
        for _ in range(rounds):
            seconds["onnxruntime"].append(onnxruntime_round(network, batches)[0])
            seconds["forward"].append(forward.round())
            seconds["trial"].append(trial.round())
        forward.close()
        trial.close()

    print(f"onnxruntime {onnxruntime.__version__}, batch {BATCH}; {rounds} rounds in turns; 1 thread each")
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; seconds per {IMAGES} images")
    for statistic, function in (("best", min), ("median", statistics.median)):
        reference_seconds = function(seconds["onnxruntime"])
        print(f"{statistic:6}: onnxruntime forward {reference_seconds:.4f} s")
        for name in ("forward", "trial"):
            ours = function(seconds[name])
            print(f"{statistic:6}: approxmem {name:7} {ours:.4f} s, ratio to onnxruntime {ours / reference_seconds:.2f}")


if __name__ == "__main__":
    main()
