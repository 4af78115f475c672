"""The two sides of the comparison: each evaluates a fixed batch, in turns of one untimed call and a number of timed ones."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime

ROOT = Path(__file__).resolve().parents[2]


def build(benches):
    """Builds the example that writes weights and some benches, and yields where each lies by its name."""
    commands = [
        ["cargo", "build", "--locked", "--release", "--example", "random_weights"],
        ["cargo", "bench", "--locked", "--no-run", *(part for bench in benches for part in ("--bench", bench))],
    ]
    programs = {}
    for command in commands:
        messages = subprocess.run(
            [*command, "--message-format", "json-render-diagnostics"], cwd=ROOT, stdout=subprocess.PIPE, check=True
        )
        for line in messages.stdout.splitlines():
            message = json.loads(line)
            if message.get("reason") == "compiler-artifact" and message.get("executable"):
                programs[message["target"]["name"]] = message["executable"]
    return programs


class Child:
    """One of our programs, which answers each line with a line of JSON."""

    def __init__(self, program, *arguments):
        command = [program, *map(str, arguments)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{Path(self.process.args[0]).name} ended with exit code {self.process.wait()}")
        return json.loads(line)

    def ask(self, line):
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        return self.answer()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Approxmem:
    """Our engine, in a process of its own (side.rs)."""

    def __init__(self, program, definition, weights, images, threads, folder):
        batch = images.shape[0]
        given, made = folder / "input.f32", folder / "output.f32"
        given.write_bytes(images.astype("<f4").tobytes())
        self.child = Child(program, definition, weights, batch, threads, given, made)
        self.facts = self.child.answer()
        values = np.fromfile(made, "<f4")
        logits = batch * self.facts["logits_per_image"]
        self.logits, self.outputs = values[:logits].reshape(batch, -1), values[logits:].reshape(batch, -1)

    def turn(self, calls):
        return self.child.ask(calls)

    def close(self):
        self.child.close()


def options(threads):
    """All optimisations, `threads` threads that spin for a while when they have nothing to do (the default)."""
    result = onnxruntime.SessionOptions()
    result.intra_op_num_threads = threads
    result.inter_op_num_threads = 1
    result.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    result.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    return result


def session(model, threads):
    """A session for the model in a file."""
    return onnxruntime.InferenceSession(str(model), options(threads), providers=["CPUExecutionProvider"])


class Reference:
    """onnxruntime in this process. Input and output are bound once, so that a call copies neither and Python adds little."""

    def __init__(self, model, images, threads):
        self.session = session(model, threads)
        self.images = onnxruntime.OrtValue.ortvalue_from_numpy(images)
        self.binding = self.session.io_binding()
        self.binding.bind_ortvalue_input("data", self.images)
        self.binding.bind_output(self.session.get_outputs()[0].name)

    def turn(self, calls):
        seconds = []
        run, binding = self.session.run_with_iobinding, self.binding
        run(binding)
        for _ in range(calls):
            start = time.perf_counter()
            run(binding)
            seconds.append(time.perf_counter() - start)
        return seconds
