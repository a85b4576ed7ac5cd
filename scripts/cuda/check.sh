#!/usr/bin/env bash
# Lints everything with the features `cuda` and `cudnn`, on a machine without CUDA: a stand-in for nvcc compiles nothing. The target
# folder is separate, because its kernels are empty files.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PATH="$PWD/scripts/cuda/stand-in:$PATH" NVCC="$PWD/scripts/cuda/stand-in/nvcc" CUDA_COMPUTE_CAP=80 CUDARC_CUDA_VERSION=13000
CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/cuda-check" \
  cargo clippy --workspace --features runner/cudnn --locked -- -D warnings
