//! One GPU: its name, its memory, its kernels, and one stream of work.

use crate::driver::Driver;
use crate::error::{Error, Result};
use crate::kernels;
use crate::memory::{Memory, Pool, Shared};
use crate::session::{Session, Staged};
use crate::tables::Tables;
use std::collections::HashMap;
use std::ffi::CString;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Numbers of `cuDeviceGetAttribute`.
const PROCESSORS: i32 = 16;
const MAJOR: i32 = 75;
const MINOR: i32 = 76;

/// A GPU. Its work is done in one stream, by one thread at a time.
pub struct Gpu {
    pub(crate) driver: Arc<Driver>,
    pub(crate) context: Shared,
    pub(crate) stream: Shared,
    functions: HashMap<&'static str, Shared>,
    pub(crate) pool: Arc<Pool>,
    pub(crate) tables: Tables,
    /// Held during a session.
    pub(crate) staged: Mutex<Staged>,
    ordinal: usize,
    name: String,
    version: i32,
    pub(crate) processors: usize,
}

/// The number of GPUs of this machine.
///
/// # Errors
/// If there is no driver, or it fails.
pub fn count() -> Result<usize> {
    Driver::load(None)?.count()
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
        let count = driver.count()?;
        if ordinal >= count {
            return Err(Error::NoGpu { ordinal, count });
        }
        let device = driver.device(ordinal)?;
        let name = driver.name(device)?;
        let attribute = |which| driver.attribute(device, which);
        let (major, minor) = (attribute(MAJOR)?, attribute(MINOR)?);
        if major < 8 {
            return Err(Error::TooOld { name, major, minor });
        }
        let processors = usize::try_from(attribute(PROCESSORS)?).unwrap_or(1);
        let context = driver.retain(device)?;
        driver.make_current(context)?;
        let module = driver.load_module(kernels::ptx())?;
        let mut functions = HashMap::new();
        for &(name, _) in kernels::ALL {
            let symbol = CString::new(name).expect("a name has no zero byte");
            functions.insert(name, driver.function(module, &symbol)?);
        }
        let stream = driver.stream()?;
        let budget = match memory {
            Memory::Share(share) => (driver.free_memory()? as f64 * share) as usize,
            Memory::Bytes(bytes) => bytes,
        };
        let version = driver.version()?;
        let driver = Arc::new(driver);
        Ok(Arc::new(Self {
            pool: Arc::new(Pool::new(driver.clone(), [context, stream], budget)),
            driver,
            context,
            stream,
            functions,
            tables: Tables::default(),
            staged: Mutex::default(),
            ordinal,
            name,
            version,
            processors: processors.max(1),
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
        // After a panic the copies are still there, and may still be read.
        let staged = self.staged.lock().unwrap_or_else(PoisonError::into_inner);
        self.driver.make_current(self.context)?;
        Ok(Session::on(self, staged))
    }
}

/// The version of the driver's kernel module, if the system tells it.
fn kernel_module() -> Option<String> {
    let text = std::fs::read_to_string("/proc/driver/nvidia/version").ok()?;
    let words = text.lines().next()?.split_whitespace();
    let number =
        |word: &&str| word.contains('.') && word.bytes().next().is_some_and(|b| b.is_ascii_digit());
    words.into_iter().find(number).map(str::to_owned)
}
