// Arithmetic that rounds once an operation, in both element types: a compiler may not fuse these. So a result has the bits of the CPU.
#pragma once

#ifndef SHIM
// A kernel takes one structure, so that the host passes one pointer. Behind it: the threads of a block, and perhaps the blocks that a
// processor should hold at least.
#define KERNEL(NAME, ARGUMENTS, ...) \
  extern "C" __global__ void __launch_bounds__(__VA_ARGS__) NAME(const __grid_constant__ ARGUMENTS p)
#define SHARED(TYPE, NAME, COUNT) __shared__ __align__(16) TYPE NAME[COUNT]
#endif

// Threads of a block of the kernels that make one element a thread.
#define THREADS 256

typedef long long Index;

__device__ __forceinline__ float add(float a, float b) { return __fadd_rn(a, b); }
__device__ __forceinline__ double add(double a, double b) { return __dadd_rn(a, b); }
__device__ __forceinline__ float sub(float a, float b) { return __fsub_rn(a, b); }
__device__ __forceinline__ double sub(double a, double b) { return __dsub_rn(a, b); }
__device__ __forceinline__ float mul(float a, float b) { return __fmul_rn(a, b); }
__device__ __forceinline__ double mul(double a, double b) { return __dmul_rn(a, b); }
__device__ __forceinline__ float quotient(float a, float b) { return __fdiv_rn(a, b); }
__device__ __forceinline__ double quotient(double a, double b) { return __ddiv_rn(a, b); }
__device__ __forceinline__ float root(float a) { return __fsqrt_rn(a); }
__device__ __forceinline__ float fused(float a, float b, float c) { return __fmaf_rn(a, b, c); }
__device__ __forceinline__ double fused(double a, double b, double c) { return __fma_rn(a, b, c); }

// max(y, 0); NaN stays NaN.
template <typename T>
__device__ __forceinline__ T relu_of(T y) {
  return y <= T(0) ? T(0) : y;
}

// `g` where the output `y` of a ReLU is positive, else 0.
template <typename T>
__device__ __forceinline__ T masked_by(T g, T y) {
  return y > T(0) ? g : T(0);
}

// The element of this thread, in a grid of one element a thread.
__device__ __forceinline__ Index element() { return Index(blockIdx.x) * THREADS + threadIdx.x; }
