//! NVIDIA's driver library, loaded at run time: the functions that this crate calls, and nothing else.
//!
//! The declarations are those of `cuda.h`. The tests' stand-in for the library has the same ones, and `scripts/cuda/compile` compares it with
//! NVIDIA's header.

use crate::error::{Error, Result};
use libloading::Library;
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::mem::ManuallyDrop;
use std::path::Path;

/// The library's names.
const NAMES: [&str; 2] = if cfg!(windows) {
    ["nvcuda.dll", "nvcuda.dll"]
} else {
    ["libcuda.so.1", "libcuda.so"]
};

/// A pointer of the driver, to something that only the driver looks into.
pub(crate) type Handle = *mut c_void;

macro_rules! functions {
    ($($(#[$doc:meta])* $name:ident = $symbol:literal($($argument:ty),*);)*) => {
        /// The functions of the library. All return an error code, 0 if there is none.
        pub(crate) struct Driver {
            $($(#[$doc])* pub $name: unsafe extern "system" fn($($argument),*) -> c_int,)*
            /// Keeps the functions loaded, to the end of the process: NVIDIA's own threads may run in it.
            _library: ManuallyDrop<Library>,
        }

        impl Driver {
            fn of(library: Library) -> std::result::Result<Self, libloading::Error> {
                // SAFETY: the types are those of `cuda.h` for these names, and `_library` is never unloaded.
                unsafe {
                    Ok(Self {
                        $($name: *library.get(concat!($symbol, "\0"))?,)*
                        _library: ManuallyDrop::new(library),
                    })
                }
            }
        }
    };
}

functions! {
    init = "cuInit"(c_uint);
    driver_get_version = "cuDriverGetVersion"(*mut c_int);
    device_get_count = "cuDeviceGetCount"(*mut c_int);
    device_get = "cuDeviceGet"(*mut c_int, c_int);
    device_get_name = "cuDeviceGetName"(*mut c_char, c_int, c_int);
    device_get_attribute = "cuDeviceGetAttribute"(*mut c_int, c_int, c_int);
    primary_retain = "cuDevicePrimaryCtxRetain"(*mut Handle, c_int);
    set_current = "cuCtxSetCurrent"(Handle);
    module_load_data = "cuModuleLoadData"(*mut Handle, *const c_void);
    module_get_function = "cuModuleGetFunction"(*mut Handle, Handle, *const c_char);
    stream_create = "cuStreamCreate"(*mut Handle, c_uint);
    stream_synchronize = "cuStreamSynchronize"(Handle);
    mem_get_info = "cuMemGetInfo_v2"(*mut usize, *mut usize);
    mem_alloc = "cuMemAlloc_v2"(*mut u64, usize);
    mem_free = "cuMemFree_v2"(u64);
    to_device = "cuMemcpyHtoDAsync_v2"(u64, *const c_void, usize, Handle);
    to_host = "cuMemcpyDtoHAsync_v2"(*mut c_void, u64, usize, Handle);
    /// Function, grid, block, shared memory, stream, parameters, extra.
    launch_kernel = "cuLaunchKernel"(
        Handle, c_uint, c_uint, c_uint, c_uint, c_uint, c_uint, c_uint, Handle, *mut *mut c_void, *mut *mut c_void
    );
    get_error_name = "cuGetErrorName"(c_int, *mut *const c_char);
}

/// The driver's code for a lack of memory, and for a machine without GPUs.
pub(crate) const OUT_OF_MEMORY: c_int = 2;
const NO_DEVICE: c_int = 100;

impl Driver {
    /// Loads the library of this machine, or the one at `path`, and initialises it.
    pub fn load(path: Option<&Path>) -> Result<Self> {
        let driver = match path {
            Some(path) => Self::open(path).map_err(|error| Error::Library {
                path: path.to_owned(),
                problem: error.to_string(),
            })?,
            None => NAMES
                .into_iter()
                .map(|name| Self::open(Path::new(name)))
                .reduce(|first, next| first.or_else(|error| next.map_err(|_| error)))
                .expect("there are names")
                .map_err(|error| Error::NoDriver {
                    problem: error.to_string(),
                })?,
        };
        // SAFETY: initialisation takes no pointers.
        let code = unsafe { (driver.init)(0) };
        if code == NO_DEVICE {
            let problem = "it finds no GPU".to_owned();
            return Err(Error::NoDriver { problem });
        }
        driver.check("cuInit", code)?;
        Ok(driver)
    }

    fn open(path: &Path) -> std::result::Result<Self, libloading::Error> {
        // SAFETY: the initialisers of NVIDIA's library may run at any time.
        let library = unsafe { Library::new(path)? };
        Self::of(library)
    }

    /// An error if `code` is one.
    pub fn check(&self, call: &'static str, code: c_int) -> Result<()> {
        if code == 0 {
            return Ok(());
        }
        let mut name = std::ptr::null();
        // SAFETY: the driver sets `name` to a text that is never freed, or leaves it null.
        let name = unsafe {
            (self.get_error_name)(code, &mut name);
            match name.is_null() {
                true => "an unknown error".to_owned(),
                false => CStr::from_ptr(name).to_string_lossy().into_owned(),
            }
        };
        Err(Error::Call { call, code, name })
    }

    /// The number that `get` writes.
    pub fn number(
        &self,
        call: &'static str,
        get: impl FnOnce(*mut c_int) -> c_int,
    ) -> Result<c_int> {
        let mut number = 0;
        let code = get(&mut number);
        self.check(call, code)?;
        Ok(number)
    }

    /// The handle that `get` writes.
    pub fn handle(
        &self,
        call: &'static str,
        get: impl FnOnce(*mut Handle) -> c_int,
    ) -> Result<Handle> {
        let mut handle = std::ptr::null_mut();
        let code = get(&mut handle);
        self.check(call, code)?;
        Ok(handle)
    }
}
