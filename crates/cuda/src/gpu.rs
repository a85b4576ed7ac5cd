//! One GPU: its name, its memory, its kernels, and one stream of work.

use crate::driver::Driver;
use crate::error::{Error, Result};
use crate::kernels::{self, PTX};
use crate::memory::{Memory, Pool, Shared};
use crate::session::Session;
use crate::tables::Tables;
use std::collections::HashMap;
use std::ffi::CString;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Numbers of `cuDeviceGetAttribute`.
const PROCESSORS: i32 = 16;
const MAJOR: i32 = 75;
const MINOR: i32 = 76;

/// A stream that does not wait for other streams.
const NON_BLOCKING: u32 = 1;

/// A GPU. Its work is done in one stream, by one thread at a time.
pub struct Gpu {
    pub(crate) driver: Arc<Driver>,
    pub(crate) context: Shared,
    pub(crate) stream: Shared,
    functions: HashMap<&'static str, Shared>,
    pub(crate) pool: Arc<Pool>,
    pub(crate) tables: Tables,
    /// Held during a session.
    pub(crate) busy: Mutex<()>,
    ordinal: usize,
    name: String,
    version: i32,
    pub(crate) processors: usize,
}

impl Gpu {
    /// Opens GPU `ordinal` of this machine, counted from 0.
    ///
    /// # Errors
    /// If there is no driver or no such GPU, it is too old, or it cannot load the kernels.
    pub fn open(ordinal: usize, memory: Memory) -> Result<Arc<Self>> {
        Self::of(Driver::load(None)?, ordinal, memory)
    }

    /// The same with the driver library at `path`.
    ///
    /// # Errors
    /// As [`Gpu::open`].
    pub fn open_with(path: &Path, ordinal: usize, memory: Memory) -> Result<Arc<Self>> {
        Self::of(Driver::load(Some(path))?, ordinal, memory)
    }

    fn of(driver: Driver, ordinal: usize, memory: Memory) -> Result<Arc<Self>> {
        // SAFETY of the calls below: each pointer is to a variable of the type that `cuda.h` names, which lives during the call.
        let count = driver.number("cuDeviceGetCount", |n| unsafe {
            (driver.device_get_count)(n)
        })?;
        let count = usize::try_from(count).unwrap_or(0);
        if ordinal >= count {
            return Err(Error::NoGpu { ordinal, count });
        }
        let device = driver.number("cuDeviceGet", |n| unsafe {
            (driver.device_get)(n, ordinal as i32)
        })?;
        let mut name = [0u8; 256];
        let code = unsafe { (driver.device_get_name)(name.as_mut_ptr().cast(), 255, device) };
        driver.check("cuDeviceGetName", code)?;
        let name = String::from_utf8_lossy(name.split(|&byte| byte == 0).next().unwrap_or(&[]));
        let attribute = |which| {
            driver.number("cuDeviceGetAttribute", |n| unsafe {
                (driver.device_get_attribute)(n, which, device)
            })
        };
        let (major, minor) = (attribute(MAJOR)?, attribute(MINOR)?);
        if major < 8 {
            let name = name.into_owned();
            return Err(Error::TooOld { name, major, minor });
        }
        let processors = usize::try_from(attribute(PROCESSORS)?).unwrap_or(1).max(1);
        let version = driver.number("cuDriverGetVersion", |n| unsafe {
            (driver.driver_get_version)(n)
        })?;
        // The context is never released: buffers of a static may outlive everything else.
        let context = driver.handle("cuDevicePrimaryCtxRetain", |h| unsafe {
            (driver.primary_retain)(h, device)
        })?;
        driver.check("cuCtxSetCurrent", unsafe { (driver.set_current)(context) })?;
        let module = driver.handle("cuModuleLoadData", |h| unsafe {
            (driver.module_load_data)(h, PTX.as_ptr().cast())
        })?;
        let mut functions = HashMap::new();
        for &(name, _) in kernels::ALL {
            let symbol = CString::new(name).expect("a name has no zero byte");
            let function = driver.handle("cuModuleGetFunction", |h| unsafe {
                (driver.module_get_function)(h, module, symbol.as_ptr())
            })?;
            functions.insert(name, Shared(function));
        }
        let stream = driver.handle("cuStreamCreate", |h| unsafe {
            (driver.stream_create)(h, NON_BLOCKING)
        })?;
        let (mut free, mut all) = (0, 0);
        let code = unsafe { (driver.mem_get_info)(&mut free, &mut all) };
        driver.check("cuMemGetInfo", code)?;
        let budget = match memory {
            Memory::Share(share) => (free as f64 * share) as usize,
            Memory::Bytes(bytes) => bytes,
        };
        let driver = Arc::new(driver);
        let context = Shared(context);
        Ok(Arc::new(Self {
            pool: Arc::new(Pool::new(driver.clone(), context, budget)),
            driver,
            context,
            stream: Shared(stream),
            functions,
            tables: Tables::default(),
            busy: Mutex::new(()),
            ordinal,
            name: name.into_owned(),
            version,
            processors,
        }))
    }

    /// Its number on this machine.
    pub fn ordinal(&self) -> usize {
        self.ordinal
    }

    /// Its name, with the version of its driver.
    pub fn description(&self) -> String {
        let (major, minor) = (self.version / 1000, self.version % 1000 / 10);
        let driver = match kernel_module() {
            Some(version) => format!("driver {version}, "),
            None => String::new(),
        };
        format!("{} ({driver}CUDA {major}.{minor})", self.name)
    }

    /// Bytes of its memory that may be used.
    pub fn budget(&self) -> usize {
        self.pool.budget()
    }

    pub(crate) fn function(&self, name: &str) -> Shared {
        self.functions[name]
    }

    /// Waits until no other thread uses the GPU. Whoever holds a session does not wait for rayon's threads: one of them may wait for the
    /// session.
    pub(crate) fn session(&self) -> Result<Session<'_>> {
        let busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the context lives as long as the process.
        let code = unsafe { (self.driver.set_current)(self.context.0) };
        self.driver.check("cuCtxSetCurrent", code)?;
        Ok(Session::on(self, busy))
    }
}

/// The version of the driver's kernel module, if the system tells it.
fn kernel_module() -> Option<String> {
    let text = std::fs::read_to_string("/proc/driver/nvidia/version").ok()?;
    let words = text.lines().next()?.split_whitespace();
    let number = |word: &&str| word.contains('.') && word.bytes().next().is_some_and(|b| b.is_ascii_digit());
    words.into_iter().find(number).map(str::to_owned)
}
