#!/usr/bin/env python3
"""Forward passes side by side with onnxruntime: same weights, same batch, same number of threads.

    pip install -r benches/onnxruntime/requirements.txt
    python3 benches/onnxruntime/compare.py                       # everything; some ten minutes, 5 GB of memory
    python3 benches/onnxruntime/compare.py --check --rows lenet  # outputs only, of rows with "lenet" in their name

Rows are NETWORK/BATCH/THREADS. LeNet-5 has the weights of this repository, the others seeded random ones that
examples/random_weights.rs writes (--trained gives a network its trained weights). caffe_to_onnx.py turns the same two
files into the ONNX model. Both sides evaluate the same images; the script fails unless the outputs differ by at most 1e-4 and
the predicted classes are the same.

Timed are the calls alone, in turns: each side evaluates the batch once untimed and then as often as fits into a twentieth of
a second, then the other side does; who begins alternates. Between two turns both rest, so that no thread of one side still
spins during the turn of the other. Ours is timed from the batch as a plain array to the outputs as a plain array, blocking of
the images included; onnxruntime works on arrays that were bound before. A round's ratio is the median time of
onnxruntime's calls by that of ours: above 1, ours is faster. Printed are the medians over the rounds, the quartiles of the
ratio, and the ratio of the fastest calls. Fractions of peak refer to fused multiply-adds in registers (benches/machine.rs) on
as many threads. Other programs spoil the figures, most those of long calls: the share of the processor that they had
during a row is printed beside it, and where it is more than a few percent, only the ratio of the fastest calls says something.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

import processor
import report
from caffe_to_onnx import convert
from processor import Others
from sides import ROOT, Approxmem, Child, Reference, build, session

# Largest allowed difference of an output, and of a logit as a share of the largest logit.
TOLERANCE = 1e-4

# Timed seconds of one turn at least, and the rest after it: longer than the threads of onnxruntime spin (about 0.03).
TURN, REST = 0.05, 0.1

# Images of a trial of configs/lenet5.toml.
TRIAL_IMAGES, TRIAL_BATCH = 10_000, 64


@dataclass
class Network:
    """Where a network is, and the range of its inputs (with trained weights: about that of the real ones)."""

    definition: Path
    weights: Path | None = None
    inputs: tuple[float, float] = (-128.0, 128.0)


NETWORKS = {
    "lenet5": Network(
        ROOT / "models/lenet5/lenet5.prototxt", ROOT / "models/lenet5/lenet5.caffemodel", inputs=(0.0, 1.0)
    ),
    "lenet_caffe": Network(ROOT / "models/lenet_caffe/lenet_caffe.prototxt"),
    "cifar10_full": Network(ROOT / "models/cifar10_full/cifar10_full.prototxt"),
    "squeezenet_v1.1": Network(ROOT / "models/squeezenet_v1.1/squeezenet_v1.1.prototxt"),
    "alexnet": Network(ROOT / "models/alexnet/alexnet.prototxt"),
    "vgg16": Network(ROOT / "models/vgg16/vgg16.prototxt"),
}

BATCHES = {
    "lenet5": [64],
    "lenet_caffe": [64],
    "cifar10_full": [64],
    "squeezenet_v1.1": [1, 16],
    "alexnet": [1, 16],
    "vgg16": [1, 8],
}

# Batches from here on are measured on two threads as well.
TWO_THREADS_FROM = 8


def all_rows():
    rows = [
        (name, batch, threads)
        for name, batches in BATCHES.items()
        for batch in batches
        for threads in ([1, 2] if batch >= TWO_THREADS_FROM else [1])
    ]
    return [(f"{name}/{batch}/{threads}", name, batch, threads) for name, batch, threads in rows]


class Files:
    """The files of each network in a folder, made when they are first needed."""

    def __init__(self, folder, programs, trained):
        self.folder, self.programs = folder, programs
        self.networks = dict(NETWORKS)
        for name, definition, weights in trained:
            if name not in NETWORKS:
                sys.exit(f"--trained {name}: found no such network, expected one of {', '.join(NETWORKS)}")
            inputs = (0.0, 1.0) if name.startswith("lenet") else NETWORKS[name].inputs
            self.networks[name] = Network(Path(definition).resolve(), Path(weights).resolve(), inputs)

    def weights(self, name):
        network = self.networks[name]
        if network.weights is None:
            network.weights = self.folder / f"{name}.caffemodel"
            program = self.programs["random_weights"]
            subprocess.run([program, network.definition, network.weights, "1"], check=True, stdout=subprocess.DEVNULL)
        return network.weights

    def images(self, name, batch, shape):
        """Half noise per pixel, half in 8 x 8 squares: pure noise looks the same to every channel of a deep network."""
        low, high = self.networks[name].inputs
        random = np.random.default_rng([batch, *name.encode()])
        channels, height, width = shape
        squares = random.uniform(low, high, (batch, channels, 8, 8))
        rows, columns = np.arange(height) * 8 // height, np.arange(width) * 8 // width
        noise = random.uniform(low, high, (batch, *shape))
        return ((squares[:, :, rows][:, :, :, columns] + noise) / 2).astype(np.float32)


def input_shape(model):
    return [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim][1:]


def differences(ours, model, images, folder):
    """Largest differences of logits (share of the largest) and outputs, images with another class, and classes seen."""
    path = folder / "with_logits.onnx"
    onnx.save(model, path)
    logits, *outputs = [values.reshape(len(images), -1) for values in session(path, 1).run(None, {"data": images})]
    path.unlink()
    outputs = outputs[0] if outputs else logits
    classes = outputs.argmax(1)
    return {
        "logits": float(np.abs(ours.logits - logits).max() / np.abs(logits).max()),
        "outputs": float(np.abs(ours.outputs - outputs).max()),
        "largest_output": float(outputs.max()),
        "other_classes": int((ours.outputs.argmax(1) != classes).sum()),
        "classes_seen": len(set(classes.tolist())),
    }


def is_right(difference):
    # A NaN is larger than any tolerance, too.
    return all(difference[key] <= TOLERANCE for key in ("logits", "outputs")) and not difference["other_classes"]


def in_turns(sides, rounds):
    """Per round and side the median seconds of a call, and per side those of the fastest call."""
    calls = []
    for side in sides:
        once = min(side.turn(2))
        calls.append(max(1, math.ceil(TURN / once)))
    result, fastest = [], [math.inf, math.inf]
    for index in range(rounds):
        order = [0, 1] if index % 2 == 0 else [1, 0]
        seconds = [0.0, 0.0]
        for side in order:
            turn = sides[side].turn(calls[side])
            seconds[side] = statistics.median(turn)
            fastest[side] = min(fastest[side], *turn)
            time.sleep(REST)
        result.append(seconds)
    return result, fastest


def load_of_reference(model, images, folder):
    """What loading and a first call cost onnxruntime, in a process of its own."""
    given = folder / "input.npy"
    np.save(given, images)
    program = Path(__file__).with_name("load.py")
    answer = subprocess.run([sys.executable, program, model, given], check=True, stdout=subprocess.PIPE)
    return json.loads(answer.stdout)


def compare(row, files, arguments):
    """One row: who is faster by how much, and whether the outputs agree."""
    label, name, batch, threads = row
    definition, weights, folder = files.networks[name].definition, files.weights(name), files.folder
    model = convert(definition, weights, batch)
    images = files.images(name, batch, input_shape(model))
    path = folder / "model.onnx"
    onnx.save(model, path)
    del model
    ours = Approxmem(files.programs["side"], definition, weights, images, threads, folder)
    result = {"row": label, "network": name, "batch": batch, "threads": threads, "facts": ours.facts}
    result["weight_file_bytes"] = os.path.getsize(weights)
    result["difference"] = differences(ours, convert(definition, weights, batch, with_logits=True), images, folder)
    if not arguments.check:
        result["reference_load"] = load_of_reference(path, images, folder)
        reference = Reference(path, images, threads)
        others = Others([os.getpid(), ours.child.process.pid])
        result["seconds"], result["fastest_seconds"] = in_turns([ours, reference], arguments.rounds)
        result["others"] = others.share()
    ours.close()
    path.unlink()
    return result


def compare_trial(files, arguments):
    """A whole trial of configs/lenet5.toml (inject at a bit error rate of 1e-3, evaluate 10,000 images, undo) beside the
    forward pass alone of onnxruntime over as many images."""
    network = files.networks["lenet5"]
    path = files.folder / "model.onnx"
    onnx.save(convert(network.definition, files.weights("lenet5"), TRIAL_BATCH), path)
    images = files.images("lenet5", TRIAL_BATCH, (1, 28, 28))
    reference = Reference(path, images, 1)
    batches = round(TRIAL_IMAGES / TRIAL_BATCH)
    trial = Child(files.programs["trial"], "--rounds")
    rounds = []
    for _ in range(arguments.rounds):
        theirs = sum(reference.turn(batches)) * TRIAL_IMAGES / (batches * TRIAL_BATCH)
        time.sleep(REST)
        rounds.append([trial.ask(""), theirs])
        time.sleep(REST)
    trial.close()
    return rounds


def machine(programs):
    answer = subprocess.run([programs["machine"], "--json"], check=True, stdout=subprocess.PIPE)
    return json.loads(answer.stdout)


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="", help="only rows whose name contains one of these, separated by commas")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--check", action="store_true", help="compare the outputs only")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables as Markdown")
    parser.add_argument("--folder", type=Path, help="for weights and models, instead of a temporary one")
    parser.add_argument(
        "--trained", nargs=3, action="append", default=[], metavar=("NETWORK", "PROTOTXT", "CAFFEMODEL")
    )
    return parser.parse_args()


def main():
    arguments = read_arguments()
    wanted = [part for part in arguments.rows.split(",") if part]
    rows = [row for row in all_rows() if not wanted or any(part in row[0] for part in wanted)]
    with_trial = not arguments.check and (not wanted or "trial" in wanted)
    if not rows and not with_trial:
        sys.exit(f"--rows {arguments.rows}: no such row, expected a part of: {' '.join(r[0] for r in all_rows())} trial")
    programs = build(["side"] if arguments.check else ["side", "machine", "trial"])
    result = {
        "processor": processor.name(),
        "cores": os.cpu_count(),
        "onnxruntime": onnxruntime.__version__,
        "rounds": arguments.rounds,
        "machine": [] if arguments.check else machine(programs),
        "rows": [],
    }
    wrong = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        files = Files(folder.resolve(), programs, arguments.trained)
        for row in rows:
            compared = compare(row, files, arguments)
            result["rows"].append(compared)
            print(report.progress(compared), flush=True)
            if not is_right(compared["difference"]):
                wrong.append(compared["row"])
        if with_trial:
            result["trial_seconds"] = compare_trial(files, arguments)
    result["load_average"] = os.getloadavg()[0]
    print(report.text(result))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")
    if arguments.markdown:
        arguments.markdown.write_text(report.markdown(result))
    if wrong:
        sys.exit(f"outputs differ by more than {TOLERANCE:g}, or classes differ: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
