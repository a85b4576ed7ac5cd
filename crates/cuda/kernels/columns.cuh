// Sums over all pixels of a batch, channel by channel: the statistics of a batch normalisation, and the gradients of vectors. The order is
// that of `ops::elementwise`: runs of 16 rows in the element type; blocks of 512 rows, and all blocks, in f64.
#pragma once
#include "common.cuh"
#include "windows.cuh"

#define RUN 16
#define RUNS 32  // of a block
#define SLICE 8  // channels of a thread block

// `S` sums of the channels in slice `slice`, which `sum` adds a row at a time, into `blocks`: of each block and sum, the channels.
template <typename T, int S, typename Sum>
__device__ __forceinline__ void column_blocks(double *blocks, Index rows, int channels, int slice, Sum sum) {
  SHARED(T, runs, S *THREADS);
  static_assert(RUNS * SLICE == THREADS, "a thread for each run and channel");
  const int lane = threadIdx.x % SLICE, run = threadIdx.x / SLICE, c = slice * SLICE + lane;
  const Index begin = Index(blockIdx.x) * RUN * RUNS, first = begin + run * RUN;
  T own[S];
#pragma unroll
  for (int s = 0; s < S; s++) own[s] = T(0);
  if (c < channels)
    for (Index row = first; row < first + RUN && row < rows; row++) sum(row, c, own);
#pragma unroll
  for (int s = 0; s < S; s++) runs[s * THREADS + threadIdx.x] = own[s];
  __syncthreads();
  if (run != 0 || c >= channels) return;
#pragma unroll
  for (int s = 0; s < S; s++) {
    double wide = 0.0;
    for (int r = 0; r < RUNS && begin + r * RUN < rows; r++) wide = add(wide, double(runs[s * THREADS + r * SLICE + lane]));
    blocks[(Index(blockIdx.x) * S + s) * channels + c] = wide;
  }
}

// The sum over all blocks of number `at`, of `numbers` in a block.
__device__ __forceinline__ double total(const double *blocks, Index count, int numbers, int at) {
  double sum = 0.0;
  for (Index block = 0; block < count; block++) sum = add(sum, blocks[block * numbers + at]);
  return sum;
}

template <typename T>
struct Columns {
  const T *x, *g;  // g may be null
  const float *mean;
  double *blocks;
  Index rows;
  int channels;
};

// Sums of x.
template <typename T>
__device__ __forceinline__ void column_sums(const Columns<T> &p) {
  column_blocks<T, 1>(p.blocks, p.rows, p.channels, blockIdx.y,
                      [&](Index row, int c, T *sums) { sums[0] = add(sums[0], p.x[row * p.channels + c]); });
}
KERNEL(column_sums_f32, Columns<float>, THREADS) { column_sums(p); }
KERNEL(column_sums_f64, Columns<double>, THREADS) { column_sums(p); }

// Sums of x - mean, and of its square.
KERNEL(column_deviations, Columns<float>, THREADS) {
  column_blocks<float, 2>(p.blocks, p.rows, p.channels, blockIdx.y, [&](Index row, int c, float *sums) {
    const float d = sub(p.x[row * p.channels + c], p.mean[c]);
    sums[0] = add(sums[0], d);
    sums[1] = add(sums[1], mul(d, d));
  });
}

// Sums of g, and of g * (x - mean).
KERNEL(column_slopes, Columns<float>, THREADS) {
  column_blocks<float, 2>(p.blocks, p.rows, p.channels, blockIdx.y, [&](Index row, int c, float *sums) {
    const float g = p.g[row * p.channels + c];
    sums[0] = add(sums[0], g);
    sums[1] = add(sums[1], mul(g, sub(p.x[row * p.channels + c], p.mean[c])));
  });
}

// Sums of the weight gradient of a convolution of each channel alone. Padding counts as 0. Blocks in y: taps times slices.
struct DepthwiseColumns {
  const float *x, *dy;
  double *blocks;  // of each tap: blocks
  Window window;
};

KERNEL(depthwise_columns, DepthwiseColumns, THREADS) {
  const Window &s = p.window;
  const int slices = (s.c + SLICE - 1) / SLICE, tap = int(blockIdx.y) / slices, ky = tap / s.kw, kx = tap % s.kw;
  const Index rows = Index(s.images) * s.oh * s.ow;
  column_blocks<float, 1>(p.blocks + Index(tap) * gridDim.x * s.c, rows, s.c, int(blockIdx.y) % slices, [&](Index row, int c, float *sums) {
    const int y = int(row / s.ow % s.oh) * s.stride + ky - s.padding, x = int(row % s.ow) * s.stride + kx - s.padding;
    const bool inside = y >= 0 && y < s.h && x >= 0 && x < s.w;
    const float read = inside ? p.x[((row / s.ow / s.oh * s.h + y) * s.w + x) * s.c + c] : 0.f;
    sums[0] = add(sums[0], mul(read, p.dy[row * s.c + c]));
  });
}

// --- The gradient of a vector: the sums of its blocks. With `taps`, those of a weight `(c, 1, kh, kw)`.
template <typename T>
struct Totals {
  const double *blocks;
  T *out;
  Index count;  // blocks
  int channels, taps;
};

KERNEL(totals_f32, Totals<float>, THREADS) {
  const Index at = element();
  if (at >= p.channels * p.taps) return;
  const int c = at / p.taps, tap = at % p.taps;
  p.out[at] = __double2float_rn(total(p.blocks + tap * p.count * p.channels, p.count, p.channels, c));
}
KERNEL(totals_f64, Totals<double>, THREADS) {
  const Index at = element();
  if (at < p.channels) p.out[at] = total(p.blocks, p.count, p.channels, at);
}

// --- Mean and biased variance of a batch, in f64 and in f32: the means of all channels, then the variances.
struct Statistics {
  const double *blocks;
  double *wide;
  float *narrow;
  Index count;  // blocks
  Index rows;
  int channels;
};

KERNEL(batch_mean, Statistics, THREADS) {
  const Index c = element();
  if (c >= p.channels) return;
  p.wide[c] = quotient(total(p.blocks, p.count, p.channels, c), double(p.rows));
  p.narrow[c] = __double2float_rn(p.wide[c]);
}

KERNEL(batch_variance, Statistics, THREADS) {
  const Index c = element();
  if (c >= p.channels) return;
  const double n = double(p.rows);
  const double d = quotient(total(p.blocks, p.count, 2 * p.channels, c), n);
  const double v = sub(quotient(total(p.blocks, p.count, 2 * p.channels, p.channels + c), n), mul(d, d));
  p.wide[p.channels + c] = v > 0.0 ? v : 0.0;
  p.narrow[p.channels + c] = __double2float_rn(p.wide[p.channels + c]);
}

// --- A batch normalisation as vectors, one element a channel.
struct Normalisation {
  const float *gamma, *beta, *statistics;  // means, then variances
  float *vectors;                          // scale, shift, 1 / root, gamma / root as a product
  int channels;
  float eps;
};

KERNEL(normalisation, Normalisation, THREADS) {
  const Index c = element();
  if (c >= p.channels) return;
  const float deviation = root(add(p.statistics[p.channels + c], p.eps));
  const float scale = quotient(p.gamma[c], deviation), inverse = quotient(1.f, deviation);
  p.vectors[c] = scale;
  p.vectors[p.channels + c] = sub(p.beta[c], mul(p.statistics[c], scale));
  p.vectors[2 * p.channels + c] = inverse;
  p.vectors[3 * p.channels + c] = mul(p.gamma[c], inverse);
}

// The gradients of gamma and beta, and the mean gradient and the slope of a batch.
struct NormalisationBack {
  const double *blocks;
  const float *inverse;
  float *gamma, *beta;
  float *batch;  // mean gradients, then slopes
  Index count;   // blocks
  Index rows;
  int channels;
};

KERNEL(normalisation_back, NormalisationBack, THREADS) {
  const Index c = element();
  if (c >= p.channels) return;
  const double g = total(p.blocks, p.count, 2 * p.channels, c), gx = total(p.blocks, p.count, 2 * p.channels, p.channels + c);
  const double inverse = double(p.inverse[c]), n = double(p.rows);
  p.gamma[c] = __double2float_rn(mul(gx, inverse));
  p.beta[c] = __double2float_rn(g);
  p.batch[c] = __double2float_rn(quotient(g, n));
  p.batch[p.channels + c] = __double2float_rn(mul(mul(quotient(gx, n), inverse), inverse));
}

// The gradient of a map that is normalised with the statistics of its batch.
struct BatchNormBack {
  const float *g, *x, *mean, *scale, *batch;  // batch: as above
  float *out;
  Index count;
  int channels;
};

KERNEL(batch_norm_back, BatchNormBack, THREADS) {
  const Index at = element();
  if (at >= p.count) return;
  const int c = at % p.channels;
  const float centred = sub(p.g[at], p.batch[c]), along = mul(sub(p.x[at], p.mean[c]), p.batch[p.channels + c]);
  p.out[at] = mul(p.scale[c], sub(centred, along));
}
