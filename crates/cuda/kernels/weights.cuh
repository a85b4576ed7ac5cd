// Weights that change from step to step: packed for the products of one step, and summed for small maps.
#pragma once
#include "common.cuh"
#include "windows.cuh"

// --- A weight `(o, c, kh, kw)` as the right operand of a product: panels of `width` columns, with a row for each tap and channel.
template <typename T>
struct Pack {
  const T *weight;
  T *packed;
  Index count;
  int depth, channels, columns, width, taps;
  int of_column, of_channel;  // elements from one column, and from one channel, to the next
  int reversed;               // whether taps count from the kernel's end
};

template <typename T>
__device__ __forceinline__ void pack(const Pack<T> &p) {
  const Index at = element();
  if (at >= p.count) return;
  const int k = at / p.width % p.depth, tap = k / p.channels, channel = k % p.channels;
  const Index column = at / p.width / p.depth * p.width + at % p.width;
  const Index from = column * p.of_column + Index(channel) * p.of_channel + (p.reversed ? p.taps - 1 - tap : tap);
  p.packed[at] = column < p.columns ? p.weight[from] : T(0);
}
KERNEL(pack_f32, Pack<float>, THREADS) { pack(p); }
KERNEL(pack_f64, Pack<double>, THREADS) { pack(p); }

// --- Weights of bins, summed for the pixels of a map, see `ops::pooled_linear`.
template <typename From, typename To>
struct Fold {
  const From *from;
  To *to;
  Index count;
  int bh, bw, h, w;
};
using FoldBins = Fold<float, double>;
using FoldPixels = Fold<double, float>;

// From each group of bins to its pixels.
KERNEL(fold, FoldBins, THREADS) {
  const Index at = element();
  if (at >= p.count) return;
  const int x = at % p.w, y = at / p.w % p.h;
  const float *bins = p.from + at / p.w / p.h * p.bh * p.bw;
  double sum = 0.0;
  for (int by = 0; by < p.bh; by++) {
    const int y0 = bin_first(by, p.bh, p.h), y1 = bin_end(by, p.bh, p.h);
    if (y < y0 || y >= y1) continue;
    for (int bx = 0; bx < p.bw; bx++) {
      const int x0 = bin_first(bx, p.bw, p.w), x1 = bin_end(bx, p.bw, p.w);
      if (x < x0 || x >= x1) continue;
      sum = add(sum, mul(quotient(1.0, double((y1 - y0) * (x1 - x0))), double(bins[by * p.bw + bx])));
    }
  }
  p.to[at] = sum;
}

// The gradient: from each group of pixels to its bins.
KERNEL(fold_back, FoldPixels, THREADS) {
  const Index at = element();
  if (at >= p.count) return;
  const int bx = at % p.bw, by = at / p.bw % p.bh;
  const double *pixels = p.from + at / p.bw / p.bh * p.h * p.w;
  const int y0 = bin_first(by, p.bh, p.h), y1 = bin_end(by, p.bh, p.h), x0 = bin_first(bx, p.bw, p.w), x1 = bin_end(bx, p.bw, p.w);
  const double share = quotient(1.0, double((y1 - y0) * (x1 - x0)));
  double sum = 0.0;
  for (int y = y0; y < y1; y++)
    for (int x = x0; x < x1; x++) sum = add(sum, mul(share, pixels[y * p.w + x]));
  p.to[at] = __double2float_rn(sum);
}
