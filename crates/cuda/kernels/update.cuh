// The steps of optimisers, element by element, with the roundings of `ops::update`.
#pragma once
#include "common.cuh"

// 0 if it is closer to 0 than `least`.
__device__ __forceinline__ float flushed(float x, float least) { return fabsf(x) < least ? 0.f : x; }

struct Sgd {
  float *weight, *velocity;  // velocity is null without momentum
  const float *grad;
  Index count;
  float lr, momentum, decay, least;
  int decays, first, nesterov;
};

KERNEL(sgd, Sgd, THREADS) {
  const Index at = element();
  if (at >= p.count) return;
  const float w = p.weight[at];
  float g = p.decays ? add(p.grad[at], mul(p.decay, w)) : p.grad[at];
  if (p.velocity) {
    const float v = flushed(p.first ? g : add(mul(p.momentum, p.velocity[at]), g), p.least);
    p.velocity[at] = v;
    g = p.nesterov ? add(g, mul(p.momentum, v)) : v;
  }
  p.weight[at] = sub(w, mul(p.lr, g));
}

struct Adam {
  float *weight, *mean, *square;
  const float *grad;
  Index count;
  float keep1, keep2, take1, take2, size, root, eps, decay, least, faint;
  int decays;
};

KERNEL(adam, Adam, THREADS) {
  const Index at = element();
  if (at >= p.count) return;
  const float w = p.weight[at];
  const float g = p.decays ? add(p.grad[at], mul(p.decay, w)) : p.grad[at], seen = flushed(g, p.faint);
  const float m = flushed(add(mul(p.keep1, p.mean[at]), mul(p.take1, g)), p.least);
  const float v = flushed(add(mul(p.keep2, p.square[at]), mul(mul(p.take2, seen), seen)), p.least);
  p.mean[at] = m;
  p.square[at] = v;
  p.weight[at] = sub(w, mul(p.size, quotient(m, add(quotient(root(v), p.root), p.eps))));
}
