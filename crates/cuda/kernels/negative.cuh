// AID's activation term: the negative part of units, and its gradient. The sums have the order of `ops::negative`.
#pragma once
#include "common.cuh"
#include "product.cuh"

// --- The negative part of a product before its normalisation, in panels of 16 channels: their sum, and one bit a channel.
template <typename T>
struct Note {
  const T *x;
  T *sums;
  unsigned short *signs;
  Index rows;
  int columns, panels;
};

template <typename T>
__device__ __forceinline__ void note(const Note<T> &p) {
  const Index at = element();
  if (at >= p.rows * p.panels) return;
  const int first = int(at % p.panels) * PANEL;
  const T *x = p.x + at / p.panels * p.columns + first;
  T lanes[PANEL];
  unsigned signs = 0;
#pragma unroll
  for (int j = 0; j < PANEL; j++) {
    const T a = first + j < p.columns ? x[j] : T(0);
    lanes[j] = first + j < p.columns ? relu_of(sub(T(0), a)) : T(0);
    signs |= unsigned(a < T(0)) << j;
  }
#pragma unroll
  for (int half = PANEL / 2; half > 0; half /= 2)
#pragma unroll
    for (int i = 0; i < PANEL / 2; i++)
      if (i < half) lanes[i] = add(lanes[i], lanes[i + half]);
  p.sums[at] = lanes[0];
  p.signs[at] = (unsigned short)signs;
}
KERNEL(note_f32, Note<float>, THREADS) { note(p); }
KERNEL(note_f64, Note<double>, THREADS) { note(p); }

// --- Sums of stretches of 256 elements of each image, in sixteen lanes. A block makes sixteen stretches.
template <typename T>
struct Stretches {
  const T *x;
  double *sums;
  Index image, stretches;  // elements and stretches of an image
  int images, negative;    // whether the negative part is summed instead of the elements
};

#define STRETCH 256
#define LANES 16

template <typename T>
__device__ __forceinline__ void stretches(const Stretches<T> &p) {
  SHARED(T, lanes, THREADS);
  const int lane = threadIdx.x % LANES, own = threadIdx.x / LANES;
  const Index at = Index(blockIdx.x) * (THREADS / LANES) + own, all = p.images * p.stretches;
  T sum = T(0);
  if (at < all) {
    const Index first = at % p.stretches * STRETCH;
    const T *x = p.x + at / p.stretches * p.image;
    for (Index i = first + lane; i < first + STRETCH && i < p.image; i += LANES)
      sum = add(sum, p.negative ? relu_of(sub(T(0), x[i])) : x[i]);
  }
  lanes[threadIdx.x] = sum;
  __syncthreads();
  if (lane == 0 && at < all) {
    double wide = 0.0;
    for (int i = 0; i < LANES; i++) wide = add(wide, double(lanes[threadIdx.x + i]));
    p.sums[at] = wide;
  }
}
KERNEL(stretches_f32, Stretches<float>, THREADS) { stretches(p); }
KERNEL(stretches_f64, Stretches<double>, THREADS) { stretches(p); }

// --- The term of each image: the sum of its stretches in order, times a share. A block makes one image.
struct Term {
  const double *sums;
  void *out;
  Index stretches;
  double share;
  int wide;  // whether the result is in f64
};

KERNEL(term, Term, THREADS) {
  SHARED(double, part, THREADS);
  const double *sums = p.sums + blockIdx.x * p.stretches;
  double sum = 0.0;
  for (Index first = 0; first < p.stretches; first += THREADS) {
    if (first + threadIdx.x < p.stretches) part[threadIdx.x] = sums[first + threadIdx.x];
    __syncthreads();
    if (threadIdx.x == 0)
      for (int i = 0; i < THREADS && first + i < p.stretches; i++) sum = add(sum, part[i]);
    __syncthreads();
  }
  if (threadIdx.x == 0) {
    const double scaled = mul(sum, p.share);
    if (p.wide)
      static_cast<double *>(p.out)[blockIdx.x] = scaled;
    else
      static_cast<float *>(p.out)[blockIdx.x] = __double2float_rn(scaled);
  }
}

// The gradient of an image's negative units, from the gradient of its term.
__device__ __forceinline__ float slope_of(float weight, double share) { return __double2float_rn(mul(-double(weight), share)); }
__device__ __forceinline__ double slope_of(double weight, double share) { return mul(-weight, share); }

// --- The gradient of a product before its epilogue: the gradient of the result times its scale, plus that of the term.
template <typename T>
struct Join {
  const T *grad, *scale, *weights;  // scale may be null; weights (images)
  const unsigned short *signs;
  T *out;
  double share;
  Index count, image;  // elements of all images and of one
  int columns, panels;
};

template <typename T>
__device__ __forceinline__ void join(const Join<T> &p) {
  const Index at = element();
  if (at >= p.count) return;
  const int c = at % p.columns;
  const unsigned signs = p.signs[at / p.columns * p.panels + c / PANEL];
  const T own = signs >> (c % PANEL) & 1 ? slope_of(p.weights[at / p.image], p.share) : T(0);
  p.out[at] = add(mul(p.grad[at], p.scale ? p.scale[c] : T(1)), own);
}
KERNEL(join_f32, Join<float>, THREADS) { join(p); }
KERNEL(join_f64, Join<double>, THREADS) { join(p); }

// --- The gradient of a map whose negative part is a term of its own.
struct NegativeBack {
  const float *x, *so_far, *weights;  // so_far may be null; weights (images)
  float *out;
  double share;
  Index count, image;
  int masked;
};

KERNEL(negative_back, NegativeBack, THREADS) {
  const Index at = element();
  if (at >= p.count) return;
  const float x = p.x[at], own = x < 0.f ? slope_of(p.weights[at / p.image], p.share) : 0.f;
  const float g = p.so_far ? add(p.so_far[at], own) : own;
  p.out[at] = p.masked && x <= 0.f ? 0.f : g;
}
