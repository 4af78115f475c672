#!/usr/bin/env bash
# Fetches the ONNX project's backend node tests from its PyPI package and unpacks them into a folder:
#   .ci/onnx-node-tests.sh FOLDER
#   APPROXMEM_ONNX_NODE_TESTS=FOLDER cargo test --test onnx_backend -- --ignored
# 1.22.0 is the last version whose package holds the tests' data; later ones generate them with numpy.
# Needs python3 with pip. The tests are the same in the packages for all platforms; that for Linux is taken anywhere.
set -euo pipefail

if [ $# -ne 1 ]; then
  echo "usage: $0 FOLDER" >&2
  exit 2
fi
version=1.22.0
sha256=955e02e1f6d385b53d52f9cd7b9cdf5caf417c300bcfe3c64c6d542be763845b
tests=1765

download=$(mktemp -d)
trap 'rm -rf "$download"' EXIT
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --dest "$download" \
  --python-version 3.12 --implementation cp --abi abi3 \
  --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 "onnx==$version"
wheel=$(echo "$download"/onnx-"$version"-*.whl)
found=$(python3 -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest())' "$wheel")
if [ "$found" != "$sha256" ]; then
  echo "$(basename "$wheel"): found SHA-256 $found, expected $sha256" >&2
  exit 1
fi
mkdir -p "$1"
python3 - "$wheel" "$1" <<'PYTHON'
import pathlib, sys, zipfile

prefix = "onnx/backend/test/data/node/"
wheel, folder = zipfile.ZipFile(sys.argv[1]), pathlib.Path(sys.argv[2])
for name in wheel.namelist():
    if name.startswith(prefix) and not name.endswith("/"):
        path = folder / name[len(prefix):]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(wheel.read(name))
PYTHON
count=$(find "$1" -mindepth 2 -maxdepth 2 -name model.onnx | wc -l)
if [ "$count" -ne "$tests" ]; then
  echo "$1: found $count tests, expected the $tests of onnx $version" >&2
  exit 1
fi
echo "$count node tests of onnx $version in $1"
