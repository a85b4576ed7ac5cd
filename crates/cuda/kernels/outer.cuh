// The gradient of a product's right operand: sums of outer products over the rows of the forward product, see `ops::trace::GradientTable`.
// The rows of a class are cut into blocks. Each block is a chain of fused multiply-adds from 0, and blocks are added in order. So blocks
// run side by side, in rounds that fit the memory: `outer` makes the chains of a round, `outer_sum` adds them.
#pragma once
#include "common.cuh"

#define ROWS 128
#define ABSENT (-2147483647 - 1)

__device__ __forceinline__ int row_blocks(int images, int positions) { return (images * positions + ROWS - 1) / ROWS; }

template <typename T>
struct Outer {
  const T *a, *dy;
  T *chains;           // of each block of the round: depth, columns
  const int *classes;  // of each: positions, first position
  const int *places;   // of each position: offset of a, offset of dy
  const int *offsets;  // of each class and row of the result: offset of a, or ABSENT
  int images, a_image, dy_image, columns, depth, first;  // the round's first block
};

template <typename T, int BM, int BN, int TM>
__device__ __forceinline__ void outer(const Outer<T> &p) {
  constexpr int TN = 4, COUNT = (BM / TM) * (BN / TN), BK = 16;
  SHARED(Index, a_rows, ROWS);
  SHARED(Index, dy_rows, ROWS);
  SHARED(int, offsets, BM);
  SHARED(T, as, BK * BM);
  SHARED(T, bs, BK * BN);
  const int t = threadIdx.x, tx = t % (BN / TN), ty = t / (BN / TN);

  // The class of this block, and its rows.
  int block = p.first + int(blockIdx.y), at = 0;
  for (;;) {
    const int blocks = row_blocks(p.images, p.classes[2 * at]);
    if (block < blocks) break;
    block -= blocks;
    at++;
  }
  const int positions = p.classes[2 * at], *places = p.places + 2 * p.classes[2 * at + 1];
  const int first = block * ROWS, left = p.images * positions - first, rows = left < ROWS ? left : ROWS;
  const int across = (p.columns + BN - 1) / BN, k0 = int(blockIdx.x) / across * BM, n0 = int(blockIdx.x) % across * BN;
  for (int i = t; i < BM; i += COUNT) offsets[i] = k0 + i < p.depth ? p.offsets[Index(at) * p.depth + k0 + i] : ABSENT;
  for (int i = t; i < rows; i += COUNT) {
    const int image = (first + i) / positions, *place = places + 2 * ((first + i) % positions);
    a_rows[i] = Index(image) * p.a_image + place[0];
    dy_rows[i] = Index(image) * p.dy_image + place[1];
  }
  __syncthreads();
  bool any = false;
  for (int i = 0; i < BM; i++) any = any || offsets[i] != ABSENT;
  if (!any) return;  // the same for all threads

  T acc[TM][TN];
#pragma unroll
  for (int i = 0; i < TM; i++)
#pragma unroll
    for (int j = 0; j < TN; j++) acc[i][j] = T(0);
  for (int r = 0; r < rows; r += BK) {
    const int count = rows - r < BK ? rows - r : BK;
#pragma unroll
    for (int l = 0; l < BK * BM / COUNT; l++) {
      const int e = t + l * COUNT, row = e / BM, k = e % BM;
      as[e] = row < count && offsets[k] != ABSENT ? p.a[a_rows[r + row] + offsets[k]] : T(0);
    }
#pragma unroll
    for (int l = 0; l < BK * BN / COUNT; l++) {
      const int e = t + l * COUNT, row = e / BN, n = n0 + e % BN;
      bs[e] = row < count && n < p.columns ? p.dy[dy_rows[r + row] + n] : T(0);
    }
    __syncthreads();
#pragma unroll 2
    for (int row = 0; row < count; row++) {
      T a[TM], b[TN];
#pragma unroll
      for (int i = 0; i < TM; i++) a[i] = as[row * BM + ty * TM + i];
#pragma unroll
      for (int j = 0; j < TN; j++) b[j] = bs[row * BN + tx * TN + j];
#pragma unroll
      for (int i = 0; i < TM; i++)
#pragma unroll
        for (int j = 0; j < TN; j++) acc[i][j] = fused(a[i], b[j], acc[i][j]);
    }
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < TM; i++)
#pragma unroll
    for (int j = 0; j < TN; j++) {
      const int k = k0 + ty * TM + i, n = n0 + tx * TN + j;
      if (k < p.depth && n < p.columns) p.chains[(Index(blockIdx.y) * p.depth + k) * p.columns + n] = acc[i][j];
    }
}

#define OUTER(NAME, T, BM, BN, TM) \
  KERNEL(NAME, Outer<T>, (BM / TM) * (BN / 4)) { outer<T, BM, BN, TM>(p); }

OUTER(outer_f32_64, float, 64, 64, 8)
OUTER(outer_f32_32, float, 32, 32, 4)
OUTER(outer_f64_32, double, 32, 32, 4)

// --- The chains of a round, added to the gradient `(o, c, kh, kw)`.
template <typename T>
struct OuterSum {
  const T *chains;
  T *out;
  const int *classes, *offsets;
  int all;  // classes
  int images, columns, depth, channels, taps;
  int first, end;  // the round's blocks
};

template <typename T>
__device__ __forceinline__ void outer_sum(const OuterSum<T> &p) {
  const Index at = element();
  if (at >= Index(p.depth) * p.columns) return;
  const int k = at / p.columns, n = at % p.columns;
  T *out = p.out + (Index(n) * p.channels + k % p.channels) * p.taps + k / p.channels;
  T sum = p.first == 0 ? T(0) : *out;
  int from = 0;
  for (int c = 0; c < p.all; c++) {
    const int to = from + row_blocks(p.images, p.classes[2 * c]);
    if (p.offsets[Index(c) * p.depth + k] != ABSENT)
      for (int block = from < p.first ? p.first : from; block < to && block < p.end; block++)
        sum = add(sum, p.chains[(Index(block - p.first) * p.depth + k) * p.columns + n]);
    from = to;
  }
  *out = sum;
}
KERNEL(outer_sum_f32, OuterSum<float>, THREADS) { outer_sum(p); }
KERNEL(outer_sum_f64, OuterSum<double>, THREADS) { outer_sum(p); }
