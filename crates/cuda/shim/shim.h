// Runs a CUDA kernel's source on a CPU. Each thread of a block is a fiber; `__syncthreads()` hands over to the next one. What a missing
// barrier would leave to chance shows: the fibers of a block run in another order from one barrier to the next, and shared memory is
// poisoned before each block. Arithmetic is IEEE's, fused only where the source says so.
#pragma once
#define SHIM
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <ucontext.h>
#include <vector>

#define __global__
#define __device__
#define __forceinline__ inline

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
};
static dim3 threadIdx, blockIdx, blockDim, gridDim;

static inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
static inline double __fma_rn(double a, double b, double c) { return std::fma(a, b, c); }
static inline float __fadd_rn(float a, float b) { return a + b; }
static inline double __dadd_rn(double a, double b) { return a + b; }
static inline float __fsub_rn(float a, float b) { return a - b; }
static inline double __dsub_rn(double a, double b) { return a - b; }
static inline float __fmul_rn(float a, float b) { return a * b; }
static inline double __dmul_rn(double a, double b) { return a * b; }
static inline float __fdiv_rn(float a, float b) { return a / b; }
static inline double __ddiv_rn(double a, double b) { return a / b; }
static inline float __fsqrt_rn(float a) { return std::sqrt(a); }
static inline float __double2float_rn(double a) { return float(a); }

namespace shim {

[[noreturn]] static void fail(const char *problem) {
  fprintf(stderr, "shim: %s\n", problem);
  abort();
}

// --- The kernels of this library.
struct Kernel {
  const char *name;
  void (*run)(const void *arguments);
  unsigned threads;
  size_t bytes;  // of the arguments
};

static std::vector<Kernel> &kernels() {
  static std::vector<Kernel> all;
  return all;
}

// The first of a kernel's launch bounds.
static inline unsigned threads(int first, int = 0) { return unsigned(first); }

struct Registered {
  Registered(Kernel kernel) { kernels().push_back(kernel); }
};

// --- Fibers. They live as long as the library, as making one takes system calls.
constexpr size_t STACK = 64 << 10;

// A function that jumps: its caller may not assume what it leaves in the registers.
#ifdef __clang__
#define JUMPS __attribute__((noinline))
#else
#define JUMPS __attribute__((noipa))
#endif

struct Fiber {
  std::unique_ptr<char[]> stack;
  void *state[5];
  bool started = false, waits = false, done = false;
};

static std::vector<Fiber> fibers;
static ucontext_t first;
static void *scheduler[5];
static unsigned current;
static const Kernel *kernel;
static const void *arguments;

JUMPS static void back() { __builtin_longjmp(scheduler, 1); }
JUMPS static void leave(Fiber &fiber) {
  if (__builtin_setjmp(fiber.state) == 0) back();
}

static void entry() {
  for (;;) {
    kernel->run(arguments);
    fibers[current].done = true;
    leave(fibers[current]);
  }
}

JUMPS static void jump(Fiber &fiber) { __builtin_longjmp(fiber.state, 1); }
JUMPS static void resume(unsigned thread) {
  Fiber &fiber = fibers[thread];
  current = thread;
  threadIdx.x = thread;
  if (__builtin_setjmp(scheduler) != 0) return;
  if (fiber.started) jump(fiber);
  fiber.started = true;
  fiber.stack.reset(new char[STACK]);
  static ucontext_t context;
  getcontext(&context);
  context.uc_stack.ss_sp = fiber.stack.get();
  context.uc_stack.ss_size = STACK;
  context.uc_link = nullptr;
  makecontext(&context, entry, 0);
  swapcontext(&first, &context);
}

static void barrier() {
  Fiber &fiber = fibers[current];
  fiber.waits = true;
  leave(fiber);
  fiber.waits = false;
}

// --- Shared memory: poisoned before each block.
static uint64_t block;
static uint64_t random = 0x9e3779b97f4a7c15;

static uint64_t draw() {
  random ^= random << 13, random ^= random >> 7, random ^= random << 17;
  return random;
}

static void shared(void *memory, size_t bytes, uint64_t &poisoned) {
  if (poisoned == block) return;
  poisoned = block;
  memset(memory, 0xff, bytes);  // not a number, in both element types
}

static void run_block(unsigned threads) {
  block++;
  for (unsigned t = 0; t < threads; t++) fibers[t].done = false;
  static std::vector<unsigned> order;
  order.resize(threads);
  for (unsigned t = 0; t < threads; t++) order[t] = t;
  for (unsigned phase = 0;; phase++) {
    switch ((block + phase) % 3) {
      case 0:  // backwards or forwards again
        for (unsigned t = 0; t < threads / 2; t++) std::swap(order[t], order[threads - 1 - t]);
        break;
      default:
        for (unsigned t = threads; t-- > 1;) std::swap(order[t], order[draw() % (t + 1)]);
    }
    unsigned ended = 0;
    for (unsigned t : order) {
      resume(t);
      ended += fibers[t].done;
    }
    if (ended == threads) return;
    if (ended != 0) fail("a barrier that not every thread reaches");
  }
}

static void launch(const Kernel &which, dim3 grid, dim3 threads, const void *of) {
  if (threads.x != which.threads || threads.y != 1 || threads.z != 1) fail("a kernel has another number of threads");
  if (fibers.size() < threads.x) fibers.resize(threads.x);
  kernel = &which;
  arguments = of;
  gridDim = grid;
  blockDim = threads;
  for (blockIdx.y = 0; blockIdx.y < grid.y; blockIdx.y++)
    for (blockIdx.x = 0; blockIdx.x < grid.x; blockIdx.x++) run_block(threads.x);
}

}  // namespace shim

static inline void __syncthreads() { shim::barrier(); }

#define KERNEL(NAME, ARGUMENTS, ...)                                                                             \
  static void NAME(const ARGUMENTS &p);                                                                          \
  static shim::Registered registered_##NAME({#NAME, [](const void *p) { NAME(*static_cast<const ARGUMENTS *>(p)); }, \
                                             shim::threads(__VA_ARGS__), sizeof(ARGUMENTS)});                             \
  static void NAME(const ARGUMENTS &p)

#define SHARED(TYPE, NAME, COUNT)                           \
  alignas(16) static TYPE NAME[COUNT];                      \
  static uint64_t NAME##_poisoned;                          \
  shim::shared(NAME, sizeof(NAME), NAME##_poisoned)
