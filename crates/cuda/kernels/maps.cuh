// Passes over whole maps, one element a thread.
#pragma once
#include "common.cuh"

// --- Two maps of one shape to a third.
template <typename T>
struct Pair {
  const T *a, *b;
  T *out;
  Index count;
};

// A sum of gradients.
KERNEL(add_f32, Pair<float>, THREADS) {
  const Index at = element();
  if (at < p.count) p.out[at] = add(p.a[at], p.b[at]);
}
KERNEL(add_f64, Pair<double>, THREADS) {
  const Index at = element();
  if (at < p.count) p.out[at] = add(p.a[at], p.b[at]);
}

// Dropout by a mask, and its gradient.
KERNEL(multiply, Pair<float>, THREADS) {
  const Index at = element();
  if (at < p.count) p.out[at] = mul(p.a[at], p.b[at]);
}

// The gradient `a` where the output `b` of a ReLU is positive.
KERNEL(mask_f32, Pair<float>, THREADS) {
  const Index at = element();
  if (at < p.count) p.out[at] = masked_by(p.a[at], p.b[at]);
}
KERNEL(mask_f64, Pair<double>, THREADS) {
  const Index at = element();
  if (at < p.count) p.out[at] = masked_by(p.a[at], p.b[at]);
}

// ReLU6 of `a`; NaN fails both comparisons, and stays.
KERNEL(relu6, Pair<float>, THREADS) {
  const Index at = element();
  if (at >= p.count) return;
  const float y = p.a[at];
  p.out[at] = y <= 0.f ? 0.f : y >= 6.f ? 6.f : y;
}

// The gradient `a` where the output `b` of a ReLU6 is between its ends.
KERNEL(relu6_back, Pair<float>, THREADS) {
  const Index at = element();
  if (at < p.count) p.out[at] = p.b[at] > 0.f && p.b[at] < 6.f ? p.a[at] : 0.f;
}

// --- A map and vectors with one element a channel.
struct Channels {
  const float *x, *first, *second, *residual;  // second and residual may be null
  float *out;
  Index count;
  int channels, relu;
};

// A normalisation: `act(x * first + second + residual)`; its gradient is `x * first` alone.
KERNEL(affine, Channels, THREADS) {
  const Index at = element();
  if (at >= p.count) return;
  const int c = at % p.channels;
  float y = mul(p.x[at], p.first[c]);
  if (p.second) y = add(y, p.second[c]);
  if (p.residual) y = add(y, p.residual[at]);
  p.out[at] = p.relu ? relu_of(y) : y;
}

// The normalisation of images: `(x - second) / first`; its gradient is `x / first` alone.
KERNEL(normalize, Channels, THREADS) {
  const Index at = element();
  if (at >= p.count) return;
  const int c = at % p.channels;
  const float x = p.second ? sub(p.x[at], p.second[c]) : p.x[at];
  p.out[at] = quotient(x, p.first[c]);
}

// --- The other element type.
struct Cast {
  const void *x;
  void *out;
  Index count;
};

KERNEL(widen, Cast, THREADS) {
  const Index at = element();
  if (at < p.count) static_cast<double *>(p.out)[at] = double(static_cast<const float *>(p.x)[at]);
}
KERNEL(narrow, Cast, THREADS) {
  const Index at = element();
  if (at < p.count) static_cast<float *>(p.out)[at] = __double2float_rn(static_cast<const double *>(p.x)[at]);
}

// --- Each image's matrix of `rows` by `columns`, transposed.
struct Transpose {
  const float *x;
  float *out;
  Index count;
  int rows, columns;
};

KERNEL(transpose, Transpose, THREADS) {
  const Index at = element();
  if (at >= p.count) return;
  const Index image = at / (Index(p.rows) * p.columns);
  const int inside = at % (Index(p.rows) * p.columns), row = inside % p.rows, column = inside / p.rows;
  p.out[at] = p.x[image * p.rows * p.columns + Index(row) * p.columns + column];
}

// --- The shortcut without parameters: every `stride`-th pixel, with zero channels before and behind.
struct Shortcut {
  const float *from;
  float *to;
  int images, h, w, c, oh, ow, wide, before, stride;
};

KERNEL(shortcut, Shortcut, THREADS) {
  const Index at = element();
  if (at >= Index(p.images) * p.oh * p.ow * p.wide) return;
  const int c = int(at % p.wide) - p.before, ox = at / p.wide % p.ow, oy = at / p.wide / p.ow % p.oh;
  const Index image = at / p.wide / p.ow / p.oh;
  p.to[at] = c < 0 || c >= p.c ? 0.f : p.from[((image * p.h + oy * p.stride) * p.w + ox * p.stride) * p.c + c];
}

KERNEL(shortcut_back, Shortcut, THREADS) {
  const Index at = element();
  if (at >= Index(p.images) * p.h * p.w * p.c) return;
  const int c = at % p.c, x = at / p.c % p.w, y = at / p.c / p.w % p.h;
  const Index image = at / p.c / p.w / p.h;
  const bool picked = y % p.stride == 0 && x % p.stride == 0;
  p.to[at] = picked ? p.from[((image * p.oh + y / p.stride) * p.ow + x / p.stride) * p.wide + p.before + c] : 0.f;
}
