#!/usr/bin/env python3
"""What loading a model and a first call cost onnxruntime: seconds and the largest resident set, as one line of JSON.

    python3 benches/onnxruntime/load.py MODEL.onnx INPUT.npy
"""

import json
import resource
import sys
import time

import numpy as np

from sides import session


def main():
    _, model, given = sys.argv
    images = np.load(given)
    start = time.perf_counter()
    loaded = session(model, 1)
    load = time.perf_counter() - start
    start = time.perf_counter()
    loaded.run(None, {"data": images})
    first = time.perf_counter() - start
    # In KiB on Linux.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"load_seconds": load, "first_pass_seconds": first, "peak_resident_bytes": peak}))


if __name__ == "__main__":
    main()
