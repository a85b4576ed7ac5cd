// Operations with a window, one element a thread: the input gradient of a convolution with up to three input channels, convolutions of
// each channel alone, and pooling. Every thread gathers what the CPU scatters, in the CPU's order.
#pragma once
#include "common.cuh"

// A window on maps `(images, h, w, c)` with results `(images, oh, ow, o)`.
struct Window {
  int images, h, w, c, oh, ow, o, kh, kw, stride, padding;
};

// The first output coordinate whose window reads input coordinate `i`, and the end of these coordinates.
__device__ __forceinline__ int first_output(int i, int kernel, const Window &s) {
  const int from = i + s.padding - kernel + 1;
  return from <= 0 ? 0 : (from + s.stride - 1) / s.stride;
}
__device__ __forceinline__ int end_output(int i, int outputs, const Window &s) {
  const int end = (i + s.padding) / s.stride + 1;
  return end < outputs ? end : outputs;
}

// --- The input gradient of a convolution with few input channels. An output pixel adds to its patch of input: for each tap the sum of
// kernel times gradient over the output channels whose gradient is not 0.
struct Patches {
  const float *dy, *weights;  // weights (kh * kw, o, c)
  float *dx;
  Window window;
};

KERNEL(patches, Patches, THREADS) {
  const Window &s = p.window;
  const Index pixel = element();
  if (pixel >= Index(s.images) * s.h * s.w) return;
  const int x = pixel % s.w, y = pixel / s.w % s.h;
  const Index image = pixel / s.w / s.h;
  float dx[3] = {0.f, 0.f, 0.f};
  for (int oy = first_output(y, s.kh, s); oy < end_output(y, s.oh, s); oy++)
    for (int ox = first_output(x, s.kw, s); ox < end_output(x, s.ow, s); ox++) {
      const int tap = (y + s.padding - oy * s.stride) * s.kw + x + s.padding - ox * s.stride;
      const float *dy = p.dy + ((image * s.oh + oy) * s.ow + ox) * s.o;
      const float *weights = p.weights + Index(tap) * s.o * s.c;
      float sum[3] = {0.f, 0.f, 0.f};
#pragma unroll 2
      for (int k = 0; k < s.o; k++) {
        const float g = dy[k];
        if (g != 0.f) {
#pragma unroll
          for (int c = 0; c < 3; c++)
            if (c < s.c) sum[c] = fused(g, weights[k * s.c + c], sum[c]);
        }
      }
#pragma unroll
      for (int c = 0; c < 3; c++) dx[c] = add(dx[c], sum[c]);
    }
#pragma unroll
  for (int c = 0; c < 3; c++)
    if (c < s.c) p.dx[pixel * s.c + c] = dx[c];
}

// --- Each channel with a kernel of its own, without fused multiply-adds.
struct Depthwise {
  const float *from, *weights;  // weights (kh * kw, c)
  float *to;
  Window window;
};

KERNEL(depthwise, Depthwise, THREADS) {
  const Window &s = p.window;
  const Index at = element();
  if (at >= Index(s.images) * s.oh * s.ow * s.c) return;
  const int c = at % s.c, ox = at / s.c % s.ow, oy = at / s.c / s.ow % s.oh;
  const Index image = at / s.c / s.ow / s.oh;
  float sum = 0.f;
  for (int ky = 0; ky < s.kh; ky++) {
    const int y = oy * s.stride + ky - s.padding;
    if (y < 0 || y >= s.h) continue;
    for (int kx = 0; kx < s.kw; kx++) {
      const int x = ox * s.stride + kx - s.padding;
      if (x < 0 || x >= s.w) continue;
      sum = add(sum, mul(p.from[((image * s.h + y) * s.w + x) * s.c + c], p.weights[(ky * s.kw + kx) * s.c + c]));
    }
  }
  p.to[at] = sum;
}

KERNEL(depthwise_back, Depthwise, THREADS) {
  const Window &s = p.window;
  const Index at = element();
  if (at >= Index(s.images) * s.h * s.w * s.c) return;
  const int c = at % s.c, x = at / s.c % s.w, y = at / s.c / s.w % s.h;
  const Index image = at / s.c / s.w / s.h;
  float sum = 0.f;
  for (int oy = first_output(y, s.kh, s); oy < end_output(y, s.oh, s); oy++)
    for (int ox = first_output(x, s.kw, s); ox < end_output(x, s.ow, s); ox++) {
      const int tap = (y + s.padding - oy * s.stride) * s.kw + x + s.padding - ox * s.stride;
      sum = add(sum, mul(p.from[((image * s.oh + oy) * s.ow + ox) * s.c + c], p.weights[tap * s.c + c]));
    }
  p.to[at] = sum;
}

// --- Maximum pooling. NaN wins; the gradient goes to the first pixel of a window that is not below its maximum.
struct MaxPool {
  const float *x, *y, *dy, *so_far;  // so_far may be null
  float *out;
  Window window;
  int masked;
};

__device__ __forceinline__ int clipped(int at, int end) { return at < 0 ? 0 : at < end ? at : end; }

KERNEL(max_pool, MaxPool, THREADS) {
  const Window &s = p.window;
  const Index at = element();
  if (at >= Index(s.images) * s.oh * s.ow * s.c) return;
  const int c = at % s.c, ox = at / s.c % s.ow, oy = at / s.c / s.ow % s.oh;
  const Index image = at / s.c / s.ow / s.oh;
  const int y0 = oy * s.stride - s.padding, x0 = ox * s.stride - s.padding;
  float best = 0.f;
  bool any = false;
  for (int y = clipped(y0, s.h); y < clipped(y0 + s.kh, s.h); y++)
    for (int x = clipped(x0, s.w); x < clipped(x0 + s.kw, s.w); x++) {
      const float v = p.x[((image * s.h + y) * s.w + x) * s.c + c];
      if (!any || v > best || v != v) best = v;
      any = true;
    }
  p.out[at] = best;
}

KERNEL(max_pool_back, MaxPool, THREADS) {
  const Window &s = p.window;
  const Index at = element();
  if (at >= Index(s.images) * s.h * s.w * s.c) return;
  const int c = at % s.c, x = at / s.c % s.w, y = at / s.c / s.w % s.h;
  const Index image = at / s.c / s.w / s.h;
  const float own = p.x[at];
  float sum = p.so_far ? p.so_far[at] : 0.f;
  for (int oy = first_output(y, s.kh, s); oy < end_output(y, s.oh, s); oy++)
    for (int ox = first_output(x, s.kw, s); ox < end_output(x, s.ow, s); ox++) {
      const Index out = ((image * s.oh + oy) * s.ow + ox) * s.c + c;
      const float most = p.y[out];
      bool wins = !(own < most);
      const int y0 = clipped(oy * s.stride - s.padding, s.h), x0 = clipped(ox * s.stride - s.padding, s.w);
      const int x1 = clipped(ox * s.stride - s.padding + s.kw, s.w);
#pragma unroll 1
      for (int v = y0; wins && v <= y; v++)
#pragma unroll 1
        for (int u = x0; u < (v < y ? x1 : x); u++)
          wins = wins && p.x[((image * s.h + v) * s.w + u) * s.c + c] < most;
      if (wins) sum = add(sum, p.dy[out]);
    }
  p.out[at] = p.masked ? masked_by(sum, own) : sum;
}

// --- Means over bins, see `ops::adaptive_avg_pool2d`.
struct AveragePool {
  const float *x, *dy, *so_far;  // so_far may be null
  float *out;
  int images, h, w, c, oh, ow, masked;
};

__device__ __forceinline__ int bin_first(int i, int bins, int len) { return int(Index(i) * len / bins); }
__device__ __forceinline__ int bin_end(int i, int bins, int len) { return int((Index(i + 1) * len + bins - 1) / bins); }

KERNEL(average_pool, AveragePool, THREADS) {
  const Index at = element();
  if (at >= Index(p.images) * p.oh * p.ow * p.c) return;
  const int c = at % p.c, ox = at / p.c % p.ow, oy = at / p.c / p.ow % p.oh;
  const Index image = at / p.c / p.ow / p.oh;
  const int y0 = bin_first(oy, p.oh, p.h), y1 = bin_end(oy, p.oh, p.h), x0 = bin_first(ox, p.ow, p.w), x1 = bin_end(ox, p.ow, p.w);
  float sum = 0.f;
  for (int y = y0; y < y1; y++)
    for (int x = x0; x < x1; x++) sum = add(sum, p.x[((image * p.h + y) * p.w + x) * p.c + c]);
  p.out[at] = quotient(sum, float((y1 - y0) * (x1 - x0)));
}

KERNEL(average_pool_back, AveragePool, THREADS) {
  const Index at = element();
  if (at >= Index(p.images) * p.h * p.w * p.c) return;
  const int c = at % p.c, x = at / p.c % p.w, y = at / p.c / p.w % p.h;
  const Index image = at / p.c / p.w / p.h;
  float sum = p.so_far ? p.so_far[at] : 0.f;
  for (int oy = 0; oy < p.oh; oy++) {
    const int y0 = bin_first(oy, p.oh, p.h), y1 = bin_end(oy, p.oh, p.h);
    if (y < y0 || y >= y1) continue;
    for (int ox = 0; ox < p.ow; ox++) {
      const int x0 = bin_first(ox, p.ow, p.w), x1 = bin_end(ox, p.ow, p.w);
      if (x < x0 || x >= x1) continue;
      sum = add(sum, quotient(p.dy[((image * p.oh + oy) * p.ow + ox) * p.c + c], float((y1 - y0) * (x1 - x0))));
    }
  }
  p.out[at] = p.masked ? masked_by(sum, p.x[at]) : sum;
}
