//! What one thread does on a GPU: memory, copies and launches. A session may also only count the memory.

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::kernels::{Arguments, Kernel};
use crate::memory::{Buffer, Count};
use std::ffi::c_void;
use std::ptr;
use std::sync::{Arc, MutexGuard};

/// Numbers that are copied as they are.
///
/// # Safety
/// Every pattern of bits is a value of the type, and it has no padding.
pub(crate) unsafe trait Plain: Copy + Default {}
// SAFETY: these are numbers, or arrays of numbers.
unsafe impl Plain for f32 {}
// SAFETY: as above.
unsafe impl Plain for f64 {}
// SAFETY: as above.
unsafe impl Plain for [i32; 2] {}
// SAFETY: as above.
unsafe impl Plain for [i32; 4] {}

/// Work of one thread.
pub(crate) struct Session<'a>(Mode<'a>);

enum Mode<'a> {
    On {
        gpu: &'a Gpu,
        _busy: MutexGuard<'a, ()>,
    },
    Counting(Arc<Count>),
}

impl<'a> Session<'a> {
    pub fn on(gpu: &'a Gpu, busy: MutexGuard<'a, ()>) -> Self {
        Self(Mode::On { gpu, _busy: busy })
    }

    /// A session that does nothing but count its memory.
    pub fn counting(count: Arc<Count>) -> Self {
        Self(Mode::Counting(count))
    }

    /// Memory for `count` elements of `size` bytes.
    pub fn buffer(&self, count: usize, size: usize) -> Result<Buffer> {
        let Some(bytes) = count.checked_mul(size) else {
            return Err(Error::TooLarge { what: "a map" });
        };
        match &self.0 {
            Mode::On { gpu, .. } => gpu.pool.take(bytes),
            Mode::Counting(counter) => Ok(counter.take(bytes)),
        }
    }

    /// The values on the device.
    pub fn upload<T: Plain>(&self, values: &[T]) -> Result<Buffer> {
        let buffer = self.buffer(values.len(), size_of::<T>())?;
        if let Mode::On { gpu, .. } = &self.0 {
            let bytes = size_of_val(values);
            assert!(bytes <= buffer.bytes(), "a buffer has room for its values");
            if bytes > 0 {
                // SAFETY: `values` has `bytes` readable bytes and the buffer as many writable ones. Where a GPU reads pageable memory itself,
                // the copy may outlive the call, so the stream is waited for.
                let codes = unsafe {
                    let to = gpu.driver.to_device;
                    let from = values.as_ptr().cast();
                    let copied = to(buffer.address(), from, bytes, gpu.stream.0);
                    [copied, (gpu.driver.stream_synchronize)(gpu.stream.0)]
                };
                gpu.driver.check("cuMemcpyHtoDAsync", codes[0])?;
                gpu.driver.check("cuStreamSynchronize", codes[1])?;
            }
        }
        Ok(buffer)
    }

    /// The first `count` values of each buffer, when all work before is done.
    pub fn download<T: Plain>(&self, buffers: &[(&Buffer, usize)]) -> Result<Vec<Vec<T>>> {
        let mut all: Vec<Vec<T>> = buffers
            .iter()
            .map(|&(_, count)| vec![T::default(); count])
            .collect();
        if let Mode::On { gpu, .. } = &self.0 {
            for (values, (buffer, _)) in all.iter_mut().zip(buffers) {
                let bytes = size_of_val(&values[..]);
                assert!(bytes <= buffer.bytes(), "a buffer has that many values");
                if bytes > 0 {
                    // SAFETY: the buffer has `bytes` readable bytes and `values` as many writable ones; `values` is not touched before the
                    // stream is waited for.
                    let code = unsafe {
                        let to = gpu.driver.to_host;
                        to(
                            values.as_mut_ptr().cast(),
                            buffer.address(),
                            bytes,
                            gpu.stream.0,
                        )
                    };
                    gpu.driver.check("cuMemcpyDtoHAsync", code)?;
                }
            }
            // SAFETY: the stream lives as long as the GPU.
            let code = unsafe { (gpu.driver.stream_synchronize)(gpu.stream.0) };
            gpu.driver.check("cuStreamSynchronize", code)?;
        }
        Ok(all)
    }

    /// Runs a kernel on `grid` blocks. The addresses among the arguments are of buffers with the sizes that the kernel needs.
    pub fn launch<A: Arguments>(
        &self,
        kernel: &Kernel<A>,
        grid: (usize, usize),
        arguments: A,
    ) -> Result<()> {
        let Mode::On { gpu, .. } = &self.0 else {
            return Ok(());
        };
        let (Ok(x @ ..=0x7fff_ffff), Ok(y @ ..=0xffff)) =
            (u32::try_from(grid.0), u32::try_from(grid.1))
        else {
            return Err(Error::TooLarge { what: "a map" });
        };
        if x == 0 || y == 0 {
            return Ok(());
        }
        let mut parameters = [ptr::from_ref(&arguments).cast::<c_void>().cast_mut()];
        // SAFETY: the kernel takes one structure of the type `A`, which the driver copies during the call. What the kernel reads and writes
        // is inside buffers: `forward` and `backward` make each with the number of elements that its kernel counts, and the tests run
        // every kernel with the address sanitizer. A buffer that is dropped before the kernel has run is used again only by later work of
        // the same stream.
        let code = unsafe {
            (gpu.driver.launch_kernel)(
                gpu.function(kernel.name).0,
                x,
                y,
                1,
                kernel.threads,
                1,
                1,
                0,
                gpu.stream.0,
                parameters.as_mut_ptr(),
                ptr::null_mut(),
            )
        };
        gpu.driver.check("cuLaunchKernel", code)
    }
}
