// All kernels, one translation unit: `scripts/cuda/compile` makes PTX of it, and the tests compile it for a CPU.
#include "product.cuh"
#include "windows.cuh"
#include "maps.cuh"
#include "negative.cuh"
#include "weights.cuh"
#include "outer.cuh"
#include "columns.cuh"
#include "update.cuh"
