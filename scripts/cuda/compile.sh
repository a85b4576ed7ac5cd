#!/usr/bin/env bash
# Compiles candle's CUDA kernels for real and type checks everything against them, without a GPU, a driver or root: NVIDIA's compiler comes
# from the Python package registry (104 MB, 330 MB unpacked) into the folder given, which is kept for the next time.
#
#   scripts/cuda/compile.sh ~/.cache/brink-cuda
set -euo pipefail
folder="${1:?usage: compile.sh FOLDER}"
mkdir -p "$folder"
folder="$(cd "$folder" && pwd)"
cd "$(dirname "$0")/../.."
home="$folder/site/nvidia/cu13"
if [ ! -e "$folder/complete" ]; then
  # Widely supported drivers take the output of 13.0.
  python3 -m pip install -q --no-deps --upgrade --target "$folder/site" nvidia-cuda-nvcc==13.0.88 nvidia-cuda-crt==13.0.88 \
    nvidia-nvvm==13.0.88 nvidia-cuda-runtime==13.0.96 nvidia-cuda-cccl==13.0.85
  chmod +x "$home"/bin/* "$home"/nvvm/bin/*
  touch "$folder/complete"
fi
export CUDA_HOME="$home" PATH="$home/bin:$PATH" CUDA_COMPUTE_CAP="${CUDA_COMPUTE_CAP:-80}"
nvcc --version | tail -2
CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/cuda" cargo check --workspace --features runner/cuda --locked
