#!/usr/bin/env bash
# Makes the networks that tests/onnxruntime.rs compares with onnxruntime, in a folder:
#   .ci/onnxruntime-cases.sh FOLDER
#   APPROXMEM_ONNXRUNTIME_CASES=FOLDER cargo test --test onnxruntime -- --ignored
# Needs python3 (3.11 or later) with venv and pip, for onnxruntime from PyPI.
set -euo pipefail

if [ $# -ne 1 ]; then
  echo "usage: $0 FOLDER" >&2
  exit 2
fi
environment=$(mktemp -d)
trap 'rm -rf "$environment"' EXIT
python3 -m venv "$environment"
"$environment/bin/pip" install --quiet --disable-pip-version-check onnxruntime==1.32.0 onnx==1.23.2
# The quantiser warns about every model that was not pre-processed.
"$environment/bin/python" "$(dirname "$0")/../tests/onnxruntime/make_cases.py" "$1" 2>"$environment/log" |
  awk 'END { print NR " networks" }' || { cat "$environment/log" >&2; exit 1; }
