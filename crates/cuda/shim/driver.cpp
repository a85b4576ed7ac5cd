// A stand-in for NVIDIA's driver library, for tests: the calls that Brink makes, on a CPU. Device memory is the heap's, filled with NaN
// before its first use, and every pointer is checked. Kernels run through the shim. Copies and kernels wait until the stream is waited for,
// so host memory that is freed too early shows.
//
//   BRINK_FAKE_CUDA_MEMORY   bytes of device memory (default 1 GiB)
//   BRINK_FAKE_CUDA_DEVICES  number of devices (default 2)
//   BRINK_FAKE_CUDA_WRONG    a kernel that reads one wrong bit, in the first element of its operand; KERNEL:1 on GPU 1 only
#include "shim.h"
#include KERNELS

#include <functional>
#include <mutex>

// With NVIDIA's own header a compiler checks every declaration here: `scripts/cuda/compile` does so.
#ifdef NVIDIA_HEADER
#include NVIDIA_HEADER
#else
typedef int CUresult;
typedef int CUdevice;
typedef int CUdevice_attribute;
typedef unsigned long long CUdeviceptr;
typedef struct CUctx_st *CUcontext;
typedef struct CUmod_st *CUmodule;
typedef struct CUfunc_st *CUfunction;
typedef struct CUstream_st *CUstream;
#endif

static const CUresult SUCCESS = CUresult(0), INVALID_VALUE = CUresult(1), OUT_OF_MEMORY = CUresult(2), NOT_INITIALIZED = CUresult(3),
                      NO_DEVICE = CUresult(100), INVALID_DEVICE = CUresult(101), INVALID_IMAGE = CUresult(200), INVALID_CONTEXT = CUresult(201), NOT_FOUND = CUresult(500);

static std::mutex mutex;
static std::map<CUdeviceptr, size_t> memory;
static size_t used, launches, synchronisations;
static bool initialised;
static thread_local CUcontext context;

// The work of the stream.
static std::vector<std::function<void()>> queue;
static void run_queue() {
  for (auto &work : queue) work();
  queue.clear();
}

static size_t number(const char *name, size_t otherwise) {
  const char *text = getenv(name);
  return text ? strtoull(text, nullptr, 10) : otherwise;
}
static size_t total() { return number("BRINK_FAKE_CUDA_MEMORY", size_t(1) << 30); }
static int devices() { return int(number("BRINK_FAKE_CUDA_DEVICES", 2)); }

// Whether `bytes` at `at` are inside one allocation.
static bool inside(CUdeviceptr at, size_t bytes) {
  auto after = memory.upper_bound(at);
  if (after == memory.begin()) return false;
  --after;
  return at + bytes <= after->first + after->second;
}

// Whether this kernel is the wrong one on the current device.
static bool is_wrong(const char *kernel) {
  const char *wrong = getenv("BRINK_FAKE_CUDA_WRONG");
  const std::string on_this = std::string(kernel) + ":" + std::to_string(reinterpret_cast<intptr_t>(context) - 100);
  return wrong && (wrong == std::string(kernel) || wrong == on_this);
}

#define LOCKED                                 \
  std::lock_guard<std::mutex> guard(mutex);    \
  if (!initialised) return NOT_INITIALIZED;
#define IN_CONTEXT                             \
  LOCKED                                       \
  if (!context) return INVALID_CONTEXT;

#pragma GCC visibility push(default)
extern "C" {

CUresult cuInit(unsigned flags) {
  std::lock_guard<std::mutex> guard(mutex);
  if (flags != 0) return INVALID_VALUE;
  if (devices() == 0) return NO_DEVICE;
  initialised = true;
  return SUCCESS;
}

CUresult cuDriverGetVersion(int *version) {
  *version = 13000;
  return SUCCESS;
}

CUresult cuDeviceGetCount(int *count) {
  LOCKED
  *count = devices();
  return SUCCESS;
}

CUresult cuDeviceGet(CUdevice *device, int ordinal) {
  LOCKED
  if (ordinal < 0 || ordinal >= devices()) return INVALID_DEVICE;
  *device = 100 + ordinal;  // not the ordinal itself
  return SUCCESS;
}

CUresult cuDeviceGetName(char *name, int len, CUdevice device) {
  LOCKED
  snprintf(name, len, "Stand-in %d", device - 100);
  return SUCCESS;
}

CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute attribute, CUdevice) {
  LOCKED
  switch (int(attribute)) {
    case 16: *value = 4; return SUCCESS;   // multiprocessors
    case 75: *value = 8; return SUCCESS;   // compute capability, major
    case 76: *value = 0; return SUCCESS;   // minor
  }
  return INVALID_VALUE;
}

CUresult cuDevicePrimaryCtxRetain(CUcontext *made, CUdevice device) {
  LOCKED
  *made = reinterpret_cast<CUcontext>(intptr_t(device));
  return SUCCESS;
}

CUresult cuCtxSetCurrent(CUcontext to) {
  LOCKED
  context = to;
  return SUCCESS;
}

CUresult cuModuleLoadData(CUmodule *module, const void *image) {
  IN_CONTEXT
  if (!strstr(static_cast<const char *>(image), ".target sm_80")) return INVALID_IMAGE;
  *module = reinterpret_cast<CUmodule>(1);
  return SUCCESS;
}

CUresult cuModuleGetFunction(CUfunction *function, CUmodule, const char *name) {
  IN_CONTEXT
  for (auto &kernel : shim::kernels())
    if (!strcmp(kernel.name, name)) {
      *function = reinterpret_cast<CUfunction>(&kernel);
      return SUCCESS;
    }
  return NOT_FOUND;
}

CUresult cuStreamCreate(CUstream *stream, unsigned) {
  IN_CONTEXT
  *stream = reinterpret_cast<CUstream>(1);
  return SUCCESS;
}

CUresult cuStreamSynchronize(CUstream stream) {
  IN_CONTEXT
  if (!stream) shim::fail("the default stream");
  synchronisations++;
  run_queue();
  return SUCCESS;
}

CUresult cuMemGetInfo_v2(size_t *free, size_t *all) {
  IN_CONTEXT
  *all = total();
  *free = total() > used ? total() - used : 0;
  return SUCCESS;
}

CUresult cuMemAlloc_v2(CUdeviceptr *at, size_t bytes) {
  IN_CONTEXT
  if (bytes == 0) return INVALID_VALUE;
  if (used + bytes > total()) return OUT_OF_MEMORY;
  // No byte more than was asked for, so that the sanitizer sees what lies behind.
  void *made = nullptr;
  if (posix_memalign(&made, 256, bytes)) return OUT_OF_MEMORY;
  memset(made, 0xff, bytes);
  *at = reinterpret_cast<CUdeviceptr>(made);
  memory[*at] = bytes;
  used += bytes;
  return SUCCESS;
}

CUresult cuMemFree_v2(CUdeviceptr at) {
  IN_CONTEXT
  auto found = memory.find(at);
  if (found == memory.end()) shim::fail("memory that is not the device's is freed");
  run_queue();
  used -= found->second;
  memory.erase(found);
  free(reinterpret_cast<void *>(at));
  return SUCCESS;
}

CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t bytes, CUstream stream) {
  IN_CONTEXT
  if (!stream || !inside(to, bytes)) return INVALID_VALUE;
  queue.push_back([=] { memcpy(reinterpret_cast<void *>(to), from, bytes); });
  return SUCCESS;
}

CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t bytes, CUstream stream) {
  IN_CONTEXT
  if (!stream || !inside(from, bytes)) return INVALID_VALUE;
  queue.push_back([=] { memcpy(to, reinterpret_cast<const void *>(from), bytes); });
  return SUCCESS;
}

CUresult cuLaunchKernel(CUfunction function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared,
                        CUstream stream, void **parameters, void **extra) {
  IN_CONTEXT
  if (!stream || gx == 0 || gy == 0 || gy > 65535 || gz != 1 || shared != 0 || extra) return INVALID_VALUE;
  const auto &kernel = *reinterpret_cast<const shim::Kernel *>(function);
  launches++;
  const bool damaged = is_wrong(kernel.name);
  const char *given = static_cast<const char *>(parameters[0]);
  // The driver copies the arguments during the call.
  auto arguments = std::make_shared<std::vector<uint64_t>>((kernel.bytes + 7) / 8);
  memcpy(arguments->data(), given, kernel.bytes);
  queue.push_back([=, &kernel] {
    // The first argument is what the kernel reads.
    if (damaged) *reinterpret_cast<uint32_t *>(arguments->front()) ^= 1;
    shim::launch(kernel, {gx, gy, gz}, {bx, by, bz}, arguments->data());
  });
  return SUCCESS;
}

CUresult cuGetErrorName(CUresult error, const char **name) {
  *name = error == OUT_OF_MEMORY ? "CUDA_ERROR_OUT_OF_MEMORY" : error == INVALID_VALUE ? "CUDA_ERROR_INVALID_VALUE" : "CUDA_ERROR";
  return SUCCESS;
}

// --- For tests only.
size_t brink_fake_used() { return used; }
size_t brink_fake_launches() { return launches; }
size_t brink_fake_synchronisations() { return synchronisations; }
size_t brink_fake_kernels() { return shim::kernels().size(); }
size_t brink_fake_bytes(const char *name) {
  for (auto &kernel : shim::kernels())
    if (!strcmp(kernel.name, name)) return kernel.bytes;
  return 0;
}

}  // extern "C"
#pragma GCC visibility pop
