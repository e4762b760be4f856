#!/usr/bin/env bash
# Makes a virtual environment with the pinned set: scripts/setup.sh <folder>
#
# Where there is no NVIDIA GPU, PyTorch's CPU build is taken if pip knows a place that has it (its own
# configuration, or TORCH_INDEX=<url of PyTorch's CPU wheels>); otherwise whatever pip finds.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$1
torch=$(grep -m1 '^torch==' constraints.txt)

if [ ! -x "$venv/bin/pip" ]; then
    echo "Making a virtual environment in $venv"
    "${PYTHON:-python3}" -m venv "$venv"
fi
pip() { "$venv/bin/pip" --disable-pip-version-check "$@"; }
install() { pip install --quiet ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} "$@"; }

echo "Installing the pinned packages (2 to 5 minutes the first time)"
if ! command -v nvidia-smi >/dev/null && ! pip show --quiet torch 2>/dev/null; then
    install "$torch+cpu" 2>/dev/null || echo "pip knows no CPU build of PyTorch; taking its default build"
fi
install --constraint constraints.txt --editable '.[dev]'
