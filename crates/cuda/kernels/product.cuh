// The planned product: convolutions, linear layers and their input gradients. Every element of the result is a sum of chains of at most
// CHAIN fused multiply-adds in the order of its own receptive field. The chains are added in order, then the epilogue's steps follow, each
// rounded by itself. So nothing depends on the batch, the tile, the block or the GPU.
//
// A block makes BM rows (output positions of one class, over images) times BN columns. Tables say where things are, see `ops::plan`: row r
// of a class belongs to image r / positions, and reads from its place's offset. Step k of a class multiplies `a[row + a(k)]` by row b(k) of
// the right operand, which lies in panels of 16 columns.
#pragma once
#include "common.cuh"

#define CHAIN 128
#define PANEL 16

template <typename T>
struct Product {
  const T *a, *b;
  const T *bias, *scale, *shift, *residual, *mask;  // null where there is none
  T *before;                                        // gets the sums with their bias, if not null
  T *out;
  const int *classes;  // of each: positions, steps, first position, first step
  const int *places;   // of each position: offset of a, offset of the result
  const int *steps;    // of each step: offset of a, row of b
  int images, a_image, o_image, columns, depth, relu;
};

template <typename T>
struct alignas(16) Four {
  T at[4];
};

template <typename T, int BM, int BN, int BK, int TM, int TN, int VEC>
__device__ __forceinline__ void product(const Product<T> &p) {
  constexpr int COUNT = (BM / TM) * (BN / TN);
  constexpr int ROW = BM + 4;
  SHARED(T, as, 2 * BK * ROW);
  SHARED(T, bs, 2 * BK * BN);
  static_assert(TN == 4 && TM % 4 == 0 && CHAIN % BK == 0, "four columns a thread; a chain is whole tiles");
  const int t = threadIdx.x;
  const int tx = t % (BN / TN), ty = t / (BN / TN);

  // The class of this block: the largest classes come first.
  int tile = blockIdx.x, at = 0;
  for (;;) {
    const int tiles = (p.images * p.classes[4 * at] + BM - 1) / BM;
    if (tile < tiles) break;
    tile -= tiles;
    at++;
  }
  const int positions = p.classes[4 * at], steps = p.classes[4 * at + 1];
  const int *places = p.places + 2 * p.classes[4 * at + 2];
  const int *step = p.steps + 2 * p.classes[4 * at + 3];
  const int rows = p.images * positions;
  const int m0 = tile * BM, n0 = blockIdx.y * BN;

  T acc[TM][TN], total[TM][TN];
#pragma unroll
  for (int i = 0; i < TM; i++)
#pragma unroll
    for (int j = 0; j < TN; j++) acc[i][j] = T(0), total[i][j] = T(0);
  bool ended = false;

  // A thread loads stretches of VEC steps of the left operand, and stretches of four columns of the right.
  constexpr int A_LOADS = BM * BK / VEC / COUNT, B_LOADS = BK * BN / 4 / COUNT;
  static_assert(A_LOADS * VEC * COUNT == BM * BK && B_LOADS * 4 * COUNT == BK * BN, "tiles divide among threads");
  Index a_row[A_LOADS];
#pragma unroll
  for (int l = 0; l < A_LOADS; l++) {
    int r = m0 + (t + l * COUNT) / (BK / VEC);
    if (r >= rows) r = rows - 1;  // a repeated row, never written
    a_row[l] = Index(r / positions) * p.a_image + places[2 * (r % positions)];
  }
  T av[A_LOADS][VEC];
  Four<T> bv[B_LOADS];

  auto fetch = [&](int k0) {
#pragma unroll
    for (int l = 0; l < A_LOADS; l++) {
      const int k = k0 + (t + l * COUNT) % (BK / VEC) * VEC;
      if (VEC == 4) {
        // Channels are a multiple of four, so a stretch of four steps lies in one pixel.
        Four<T> v = {};
        if (k < steps) v = *reinterpret_cast<const Four<T> *>(p.a + a_row[l] + step[2 * k]);
#pragma unroll
        for (int i = 0; i < VEC; i++) av[l][i] = v.at[i];
      } else {
        av[l][0] = k < steps ? p.a[a_row[l] + step[2 * k]] : T(0);
      }
    }
#pragma unroll
    for (int l = 0; l < B_LOADS; l++) {
      const int e = t + l * COUNT, k = k0 + e / (BN / 4), n = n0 + e % (BN / 4) * 4;
      Four<T> v = {};
      if (k < steps && n < p.columns)
        v = *reinterpret_cast<const Four<T> *>(p.b + (Index(n / PANEL) * p.depth + step[2 * k + 1]) * PANEL + n % PANEL);
      bv[l] = v;
    }
  };
  auto put = [&](int half) {
#pragma unroll
    for (int l = 0; l < A_LOADS; l++) {
      const int e = t + l * COUNT, r = e / (BK / VEC), k = e % (BK / VEC) * VEC;
#pragma unroll
      for (int v = 0; v < VEC; v++) as[(half * BK + k + v) * ROW + r] = av[l][v];
    }
#pragma unroll
    for (int l = 0; l < B_LOADS; l++) {
      const int e = t + l * COUNT, k = e / (BN / 4), n = e % (BN / 4) * 4;
      *reinterpret_cast<Four<T> *>(bs + (half * BK + k) * BN + n) = bv[l];
    }
  };

  // One step: a column of the left tile times a row of the right one.
  auto multiply = [&](int k) {
    T a[TM];
#pragma unroll
    for (int i = 0; i < TM; i += 4) {
      const Four<T> v = *reinterpret_cast<const Four<T> *>(as + k * ROW + ty * TM + i);
#pragma unroll
      for (int j = 0; j < 4; j++) a[i + j] = v.at[j];
    }
    const Four<T> b = *reinterpret_cast<const Four<T> *>(bs + k * BN + tx * TN);
#pragma unroll
    for (int i = 0; i < TM; i++)
#pragma unroll
      for (int j = 0; j < TN; j++) acc[i][j] = fused(a[i], b.at[j], acc[i][j]);
  };

  fetch(0);
  put(0);
  __syncthreads();
  int half = 0;
  for (int k0 = 0; k0 < steps; k0 += BK) {
    const bool more = k0 + BK < steps;
    if (more) fetch(k0 + BK);
    if (k0 + BK <= steps) {
#pragma unroll 2  // more would not leave registers for four blocks on a processor
      for (int k = 0; k < BK; k++) multiply(half * BK + k);
    } else {
      // Steps past the last would multiply zeros by zeros, which turns -0 into +0. So they are left out.
#pragma unroll 1
      for (int k = 0; k < steps - k0; k++) multiply(half * BK + k);
    }
    if ((k0 + BK) % CHAIN == 0 && more) {
#pragma unroll
      for (int i = 0; i < TM; i++)
#pragma unroll
        for (int j = 0; j < TN; j++) {
          total[i][j] = ended ? add(total[i][j], acc[i][j]) : acc[i][j];
          acc[i][j] = T(0);
        }
      ended = true;
    }
    if (more) {
      half ^= 1;
      put(half);
      __syncthreads();
    }
  }

  const int n = n0 + tx * TN;
  if (n >= p.columns) return;
  const bool whole = p.columns % 4 == 0;
  const int width = p.columns - n < TN ? p.columns - n : TN;
  auto load = [&](const T *from) {
    Four<T> v = {};
    if (whole) return *reinterpret_cast<const Four<T> *>(from);
#pragma unroll
    for (int j = 0; j < TN; j++)
      if (j < width) v.at[j] = from[j];
    return v;
  };
  auto store = [&](T *to, const Four<T> &v) {
    if (whole) {
      *reinterpret_cast<Four<T> *>(to) = v;
      return;
    }
#pragma unroll
    for (int j = 0; j < TN; j++)
      if (j < width) to[j] = v.at[j];
  };
#pragma unroll
  for (int i = 0; i < TM; i++) {
    const int r = m0 + ty * TM + i;
    if (r >= rows) continue;
    const Index to = Index(r / positions) * p.o_image + places[2 * (r % positions) + 1] + n;
    Four<T> y;
#pragma unroll
    for (int j = 0; j < TN; j++) y.at[j] = ended ? add(acc[i][j], total[i][j]) : acc[i][j];
    if (p.bias) {
      const Four<T> v = load(p.bias + n);
#pragma unroll
      for (int j = 0; j < TN; j++) y.at[j] = add(y.at[j], v.at[j]);
    }
    if (p.before) store(p.before + to, y);
    if (p.scale) {
      const Four<T> v = load(p.scale + n);
#pragma unroll
      for (int j = 0; j < TN; j++) y.at[j] = mul(y.at[j], v.at[j]);
    }
    if (p.shift) {
      const Four<T> v = load(p.shift + n);
#pragma unroll
      for (int j = 0; j < TN; j++) y.at[j] = add(y.at[j], v.at[j]);
    }
    if (p.residual) {
      const Four<T> v = load(p.residual + to);
#pragma unroll
      for (int j = 0; j < TN; j++) y.at[j] = add(y.at[j], v.at[j]);
    }
    if (p.relu) {
#pragma unroll
      for (int j = 0; j < TN; j++) y.at[j] = relu_of(y.at[j]);
    }
    if (p.mask) {
      const Four<T> v = load(p.mask + to);
#pragma unroll
      for (int j = 0; j < TN; j++) y.at[j] = masked_by(y.at[j], v.at[j]);
    }
    store(p.out + to, y);
  }
}

#define PRODUCT(NAME, T, BM, BN, BK, TM, VEC, BLOCKS) \
  KERNEL(NAME, Product<T>, (BM / TM) * (BN / 4), BLOCKS) { product<T, BM, BN, BK, TM, 4, VEC>(p); }

PRODUCT(product_f32_64_4, float, 64, 64, 16, 8, 4, 4)
PRODUCT(product_f32_64_1, float, 64, 64, 16, 8, 1, 3)
PRODUCT(product_f32_32_4, float, 32, 32, 16, 4, 4, 8)
PRODUCT(product_f32_32_1, float, 32, 32, 16, 4, 1, 6)
PRODUCT(product_f64_32_4, double, 32, 32, 16, 4, 4, 4)
PRODUCT(product_f64_32_1, double, 32, 32, 16, 4, 1, 4)
