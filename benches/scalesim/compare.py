#!/usr/bin/env python3
"""SCALE-Sim 3.0.0 and `approxmem trace` on the same layers: the same counts, and how long each takes.

    python3 -m venv scalesim && scalesim/bin/pip install -r benches/scalesim/requirements.txt
    scalesim/bin/python benches/scalesim/compare.py                          # conv5 of AlexNet: some ten seconds
    scalesim/bin/python benches/scalesim/compare.py --layers conv1,conv5_g --dataflows os,ws,is

Layers are those of AlexNet as Caffe defines it, inputs padded, one of two groups of the grouped layers (NAME_g); the array
has 32 x 32 processing elements. Each layer runs alone. The script fails unless SCALE-Sim's total cycles + 1 and its reads and
writes of the three SRAMs, less the rows + columns per fold that it adds to the writes of an output-stationary array, are ours.

Timed are whole processes, from start to end: SCALE-Sim once, ours as often as --rounds says (the median counts). CPU time is
user and system time; memory the largest resident set.
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROWS = COLUMNS = 32

HEADER = "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\n"
LAYERS = {
    "conv1": (227, 227, 11, 11, 3, 96, 4),
    "conv2_g": (31, 31, 5, 5, 48, 128, 1),
    "conv3": (15, 15, 3, 3, 256, 384, 1),
    "conv4_g": (15, 15, 3, 3, 192, 192, 1),
    "conv5_g": (15, 15, 3, 3, 192, 128, 1),
    "fc8": (1, 1, 1, 1, 4096, 1000, 1),
}
DATAFLOWS = {"os": "output_stationary", "ws": "weight_stationary", "is": "input_stationary"}

# SCALE-Sim reads every section, and a layout of 20 columns even where layouts are off.
CONFIG = f"""[general]
run_name = run
[architecture_presets]
ArrayHeight: {ROWS}
ArrayWidth: {COLUMNS}
IfmapSramSzkB: 64
FilterSramSzkB: 64
OfmapSramSzkB: 64
IfmapOffset: 0
FilterOffset: 1000000000
OfmapOffset: 2000000000
Bandwidth: 10
Dataflow: {{dataflow}}
MemoryBanks: 1
ReadRequestBuffer: 32
WriteRequestBuffer: 32
[layout]
IfmapCustomLayout: False
IfmapSRAMBankBandwidth: 10
IfmapSRAMBankNum: 10
IfmapSRAMBankPort: 2
FilterCustomLayout: False
FilterSRAMBankBandwidth: 10
FilterSRAMBankNum: 10
FilterSRAMBankPort: 2
[sparsity]
SparsitySupport: false
SparseRep: ellpack_block
OptimizedMapping: false
BlockSize: 8
RandomNumberGeneratorSeed: 40
[run_presets]
InterfaceBandwidth: CALC
UseRamulatorTrace: False
"""
LAYOUT_COLUMNS = 20


@dataclass
class Run:
    """A process that has ended well, and what it took."""

    output: bytes
    wall_s: float
    cpu_s: float
    peak_mib: float


def run(command, folder):
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        child = subprocess.Popen(list(map(str, command)), cwd=folder, stdout=output, stderr=errors)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        texts = [file.seek(0) or file.read() for file in (output, errors)]
    if child.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} ended with {child.returncode}:\n{b''.join(texts).decode(errors='replace')[-2000:]}")
    return Run(texts[0], wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def report(path):
    """Rows of one of SCALE-Sim's tables, by the names of its columns."""
    with path.open() as file:
        names, *rows = [[cell.strip() for cell in row] for row in csv.reader(file)]
    return [dict(zip(names, row)) for row in rows]


def scalesim(folder, layer, dataflow):
    """SCALE-Sim on one layer: what it took, and its counts as they should be."""
    (folder / "layout.csv").write_text("name," * (LAYOUT_COLUMNS + 1) + f"\n{layer}," + "1," * LAYOUT_COLUMNS + "\n")
    (folder / "run.cfg").write_text(CONFIG.format(dataflow=dataflow))
    command = [sys.executable, "-m", "scalesim.scale", "-t", "layer.csv", "-l", "layout.csv", "-c", "run.cfg", "-p", "out"]
    taken = run(command, folder)
    compute = report(folder / "out/run/COMPUTE_REPORT.csv")[0]
    access = report(folder / "out/run/DETAILED_ACCESS_REPORT.csv")[0]
    number = lambda table, name: round(float(table[name]))
    cycles = number(compute, "Total Cycles") + 1
    counts = {
        "total_cycles": cycles,
        "sram_ifmap_read_words": number(access, "SRAM IFMAP Reads"),
        "sram_filter_read_words": number(access, "SRAM Filter Reads"),
        "sram_ofmap_write_words": number(access, "SRAM OFMAP Writes"),
    }
    if dataflow == "os":
        window = LAYERS[layer][2] * LAYERS[layer][3] * LAYERS[layer][4]
        folds = cycles // (window + ROWS + COLUMNS - 2)
        counts["sram_ofmap_write_words"] -= (ROWS + COLUMNS) * folds
    return taken, counts


def approxmem(program, on, folder, dataflow, rounds):
    """Ours on the same topology."""
    settings = {"rows": ROWS, "columns": COLUMNS, "dataflow": f'"{DATAFLOWS[dataflow]}"'}
    command = [program, "trace", "layer.csv", "--on", on, "--scalesim", "--json"]
    for key, value in settings.items():
        command += ["--set", f"accelerator.{key}={value}"]
    runs = [run(command, folder) for _ in range(rounds)]
    median = lambda field: statistics.median(getattr(taken, field) for taken in runs)
    (counts,) = json.loads(runs[0].output)["scalesim"]
    return Run(b"", median("wall_s"), median("cpu_s"), median("peak_mib")), counts


def build():
    subprocess.run(["cargo", "build", "--locked", "--release", "--quiet"], cwd=ROOT, check=True)
    return ROOT / "target/release/approxmem"


def chosen(text, known, what):
    names = text.split(",")
    for name in names:
        if name not in known:
            sys.exit(f"{what} {name}: found no such, expected some of {', '.join(known)}")
    return names


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", default="conv5_g", help=f"some of {', '.join(LAYERS)}")
    parser.add_argument("--dataflows", default="os", help="some of os, ws, is")
    parser.add_argument("--on", type=Path, default=ROOT / "benches/scalesim/systolic32.toml", help="our configuration")
    parser.add_argument("--program", type=Path, help="our program; built if it is not given")
    parser.add_argument("--rounds", type=int, default=11, help="runs of ours")
    arguments = parser.parse_args()
    layers = chosen(arguments.layers, LAYERS, "--layers")
    dataflows = chosen(arguments.dataflows, DATAFLOWS, "--dataflows")
    program = arguments.program.resolve() if arguments.program else build()
    print("| layer | dataflow | cycles | SCALE-Sim wall_s | cpu_s | peak_MiB | ours wall_s | cpu_s | peak_MiB | wall ratio |")
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    for layer in layers:
        for dataflow in dataflows:
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                (folder / "layer.csv").write_text(HEADER + ", ".join(map(str, (layer, *LAYERS[layer]))) + ",\n")
                theirs, expected = scalesim(folder, layer, dataflow)
                ours, counts = approxmem(program, arguments.on.resolve(), folder, dataflow, arguments.rounds)
            for count, value in expected.items():
                if counts[count] != value:
                    sys.exit(f"{layer} {dataflow}: {count}: SCALE-Sim has {value}, ours {counts[count]}")
            print(
                f"| {layer} | {dataflow} | {expected['total_cycles']:,} "
                f"| {theirs.wall_s:.2f} | {theirs.cpu_s:.2f} | {theirs.peak_mib:.0f} "
                f"| {ours.wall_s:.4f} | {ours.cpu_s:.4f} | {ours.peak_mib:.0f} | {theirs.wall_s / ours.wall_s:,.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
