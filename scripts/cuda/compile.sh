#!/usr/bin/env bash
# Compiles candle's CUDA kernels and type checks everything against them. It needs no GPU, no driver and no root: pip installs NVIDIA's
# compiler (104 MB, 330 MB unpacked) into FOLDER, where it is kept for the next time.
#
#   scripts/cuda/compile.sh ~/.cache/brink-cuda
set -euo pipefail
folder="${1:?usage: compile.sh FOLDER}"
mkdir -p "$folder"
folder="$(cd "$folder" && pwd)"
cd "$(dirname "$0")/../.."
home="$folder/site/nvidia/cu13"
if [ ! -e "$folder/complete" ]; then
  # Version 13.0, because common drivers accept its output.
  python3 -m pip install -q --no-deps --upgrade --target "$folder/site" nvidia-cuda-nvcc==13.0.88 nvidia-cuda-crt==13.0.88 \
    nvidia-nvvm==13.0.88 nvidia-cuda-runtime==13.0.96 nvidia-cuda-cccl==13.0.85
  chmod +x "$home"/bin/* "$home"/nvvm/bin/*
  touch "$folder/complete"
fi
export CUDA_HOME="$home" PATH="$home/bin:$PATH" CUDA_COMPUTE_CAP="${CUDA_COMPUTE_CAP:-80}"
nvcc --version | tail -2
CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/cuda" cargo check --workspace --features runner/cuda --locked
