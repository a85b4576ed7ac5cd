//! What one thread does on a GPU: memory, copies and launches. A session may also only count the memory.

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::kernels::{Arguments, Kernel};
use crate::memory::{Buffer, Count};
use std::cell::RefCell;
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
unsafe impl Plain for i32 {}
// SAFETY: as above.
unsafe impl Plain for [i32; 2] {}
// SAFETY: as above.
unsafe impl Plain for [i32; 4] {}

/// Work of one thread.
pub(crate) struct Session<'a>(Mode<'a>);

enum Mode<'a> {
    On {
        gpu: &'a Gpu,
        staged: RefCell<MutexGuard<'a, Staged>>,
    },
    Counting(Arc<Count>),
}

/// What copies to the device read, until the stream is waited for.
#[derive(Default)]
pub(crate) struct Staged {
    copies: Vec<Vec<u8>>,
    bytes: usize,
}

/// More bytes are not kept: the stream is waited for.
const STAGED: usize = 64 << 20;

impl<'a> Session<'a> {
    pub fn on(gpu: &'a Gpu, staged: MutexGuard<'a, Staged>) -> Self {
        let staged = RefCell::new(staged);
        Self(Mode::On { gpu, staged })
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

    /// The values on the device. The copy need not be over when this returns.
    pub fn upload<T: Plain>(&self, values: &[T]) -> Result<Buffer> {
        let buffer = self.buffer(values.len(), size_of::<T>())?;
        let bytes = size_of_val(values);
        if let Mode::On { gpu, staged } = &self.0
            && bytes > 0
        {
            assert!(bytes <= buffer.bytes(), "a buffer has room for its values");
            // SAFETY: `values` has `bytes` readable bytes, without padding.
            let copy = unsafe { std::slice::from_raw_parts(values.as_ptr().cast::<u8>(), bytes) };
            let copy = copy.to_vec();
            // SAFETY: `copy` has `bytes` readable bytes and the buffer as many writable ones. The bytes stay where they are until the stream
            // was waited for: `wait` alone drops them.
            let code = unsafe {
                let to = gpu.driver.to_device;
                to(buffer.address(), copy.as_ptr().cast(), bytes, gpu.stream.0)
            };
            let full = {
                let mut staged = staged.borrow_mut();
                staged.copies.push(copy);
                staged.bytes += bytes;
                staged.bytes > STAGED
            };
            gpu.driver.check("cuMemcpyHtoDAsync", code)?;
            if full {
                self.wait()?;
            }
        }
        Ok(buffer)
    }

    /// Waits until all work before is done.
    pub fn wait(&self) -> Result<()> {
        let Mode::On { gpu, staged } = &self.0 else {
            return Ok(());
        };
        // SAFETY: the stream lives as long as the GPU.
        let code = unsafe { (gpu.driver.stream_synchronize)(gpu.stream.0) };
        gpu.driver.check("cuStreamSynchronize", code)?;
        **staged.borrow_mut() = Staged::default();
        Ok(())
    }

    /// The first `count` values of each buffer, when all work before is done.
    pub fn download<T: Plain>(&self, buffers: &[(&Buffer, usize)]) -> Result<Vec<Vec<T>>> {
        Ok(self.download_both::<T, T>(buffers, &[])?.0)
    }

    /// The same for buffers of two types, after one wait.
    #[allow(clippy::type_complexity)]
    pub fn download_both<A: Plain, B: Plain>(
        &self,
        first: &[(&Buffer, usize)],
        second: &[(&Buffer, usize)],
    ) -> Result<(Vec<Vec<A>>, Vec<Vec<B>>)> {
        let (mut a, mut b) = (room(first), room(second));
        // The driver may write until the stream was waited for, also after an error.
        let copied = self
            .copy_back(first, &mut a)
            .and_then(|()| self.copy_back(second, &mut b));
        let waited = self.wait();
        copied?;
        waited?;
        Ok((a, b))
    }

    /// Begins to copy the buffers to `all`, which no one may touch before [`Session::wait`].
    fn copy_back<T: Plain>(&self, buffers: &[(&Buffer, usize)], all: &mut [Vec<T>]) -> Result<()> {
        let Mode::On { gpu, .. } = &self.0 else {
            return Ok(());
        };
        for (values, (buffer, _)) in all.iter_mut().zip(buffers) {
            let bytes = size_of_val(&values[..]);
            assert!(bytes <= buffer.bytes(), "a buffer has that many values");
            if bytes > 0 {
                // SAFETY: the buffer has `bytes` readable bytes and `values` as many writable ones; `download_both` alone calls this, and waits
                // before it returns.
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
        Ok(())
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
        // is inside buffers: whoever launches makes each with the number of elements that its kernel counts, and the tests run
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

/// Vectors for the values of buffers.
fn room<T: Plain>(buffers: &[(&Buffer, usize)]) -> Vec<Vec<T>> {
    let vector = |&(_, count): &(&Buffer, usize)| vec![T::default(); count];
    buffers.iter().map(vector).collect()
}
