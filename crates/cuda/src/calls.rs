//! The calls that open a GPU, each as a function without pointers.

use crate::driver::Driver;
use crate::error::Result;
use crate::memory::Shared;
use std::ffi::CStr;

/// A stream that does not wait for other streams.
const NON_BLOCKING: u32 = 1;

impl Driver {
    /// The number of GPUs.
    pub fn count(&self) -> Result<usize> {
        let count = self.number("cuDeviceGetCount", |n| {
            // SAFETY: `n` is a number to write.
            unsafe { (self.device_get_count)(n) }
        })?;
        Ok(usize::try_from(count).unwrap_or(0))
    }

    /// GPU `ordinal`.
    pub fn device(&self, ordinal: usize) -> Result<i32> {
        let ordinal = i32::try_from(ordinal).unwrap_or(i32::MAX);
        self.number("cuDeviceGet", |n| {
            // SAFETY: `n` is a number to write.
            unsafe { (self.device_get)(n, ordinal) }
        })
    }

    /// Its name.
    pub fn name(&self, device: i32) -> Result<String> {
        let mut name = [0u8; 256];
        // SAFETY: `name` has 256 bytes to write, of which the last one stays 0.
        let code = unsafe { (self.device_get_name)(name.as_mut_ptr().cast(), 255, device) };
        self.check("cuDeviceGetName", code)?;
        let name = CStr::from_bytes_until_nul(&name).unwrap_or_default();
        Ok(name.to_string_lossy().into_owned())
    }

    /// One of its attributes.
    pub fn attribute(&self, device: i32, which: i32) -> Result<i32> {
        self.number("cuDeviceGetAttribute", |n| {
            // SAFETY: `n` is a number to write.
            unsafe { (self.device_get_attribute)(n, which, device) }
        })
    }

    /// The version of CUDA that the driver has: 1000 times the major one, plus 10 times the minor one.
    pub fn version(&self) -> Result<i32> {
        self.number("cuDriverGetVersion", |n| {
            // SAFETY: `n` is a number to write.
            unsafe { (self.driver_get_version)(n) }
        })
    }

    /// Its context, which is never released: buffers of a static may outlive everything else.
    pub fn retain(&self, device: i32) -> Result<Shared> {
        let context = self.handle("cuDevicePrimaryCtxRetain", |h| {
            // SAFETY: `h` is a handle to write.
            unsafe { (self.primary_retain)(h, device) }
        })?;
        Ok(Shared(context))
    }

    /// Makes a context the current one of this thread.
    pub fn make_current(&self, context: Shared) -> Result<()> {
        // SAFETY: the context came from `retain`, and is never released.
        let code = unsafe { (self.set_current)(context.0) };
        self.check("cuCtxSetCurrent", code)
    }

    /// Loads PTX into the current context. It is never unloaded.
    pub fn load_module(&self, ptx: &CStr) -> Result<Shared> {
        let module = self.handle("cuModuleLoadData", |h| {
            // SAFETY: `h` is a handle to write, and the PTX ends with a zero byte.
            unsafe { (self.module_load_data)(h, ptx.as_ptr().cast()) }
        })?;
        Ok(Shared(module))
    }

    /// The kernel `name` of a module.
    pub fn function(&self, module: Shared, name: &CStr) -> Result<Shared> {
        let function = self.handle("cuModuleGetFunction", |h| {
            // SAFETY: `h` is a handle to write, the module came from `load_module`, and the name ends with a zero byte.
            unsafe { (self.module_get_function)(h, module.0, name.as_ptr()) }
        })?;
        Ok(Shared(function))
    }

    /// A stream of the current context. It is never destroyed.
    pub fn stream(&self) -> Result<Shared> {
        let stream = self.handle("cuStreamCreate", |h| {
            // SAFETY: `h` is a handle to write.
            unsafe { (self.stream_create)(h, NON_BLOCKING) }
        })?;
        Ok(Shared(stream))
    }

    /// Bytes of the current context's GPU that are free.
    pub fn free_memory(&self) -> Result<usize> {
        let (mut free, mut all) = (0, 0);
        // SAFETY: both are numbers to write.
        let code = unsafe { (self.mem_get_info)(&mut free, &mut all) };
        self.check("cuMemGetInfo", code)?;
        Ok(free)
    }
}
