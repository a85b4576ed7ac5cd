//! The Python package `brink`: [`protect()`] and [`verify()`] of the owner's crate for any callable of NumPy arrays.
//!
//! The same inputs give the same bits as the command line.

mod callable;

use std::env;
use std::path::PathBuf;

use brink_data::Split;
use brink_endpoint::{Encoding, Endpoint, Expected};
use brink_keys::{PublicKey, Signer};
use brink_mark::Promise;
use brink_owner::{Error, Shown, Wanted};
use brink_random::Stream;
use brink_verify::Images;
use callable::Callable;
use numpy::{PyArray4, PyArrayMethods, PyReadonlyArray4};
use pyo3::exceptions::{PyFileExistsError, PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use zeroize::Zeroizing;

/// The variable with a secret key in hexadecimal digits.
const KEY: &str = "BRINK_KEY";
/// Images that show what the answers are.
const PROBED: usize = 8;

/// What a verification found.
#[pyclass(frozen, get_all, module = "brink")]
struct Verdict {
    verdict: String,
    reason: Option<String>,
    like: Option<String>,
    images: u64,
    asked: usize,
    flipped: Vec<usize>,
    p_value: f64,
    false_alarm: f64,
    /// What the command line says.
    text: String,
}

#[pymethods]
impl Verdict {
    fn __str__(&self) -> String {
        self.text.clone()
    }

    fn __repr__(&self) -> String {
        let (verdict, asked, flips) = (&self.verdict, self.asked, self.flipped.len());
        format!("<Verdict {verdict:?}: {flips} of {asked} pairs flipped>")
    }
}

/// What was made.
#[pyclass(frozen, get_all, module = "brink")]
struct Protection {
    pairs: usize,
    queries: u64,
    left_out: usize,
    dropped: u64,
    images_if_intact: u64,
}

#[pymethods]
impl Protection {
    fn __repr__(&self) -> String {
        let (pairs, queries) = (self.pairs, self.queries);
        format!("<Protection of {pairs} pairs from {queries} queries>")
    }
}

/// A fresh secret key of 64 hexadecimal digits.
#[pyfunction]
fn new_key() -> PyResult<String> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut seed[..]).map_err(|e| PyOSError::new_err(e.to_string()))?;
    Ok(Signer::from_seed(&seed).to_hex().to_string())
}

/// The public key of a secret key. It verifies, and cannot sign.
#[pyfunction]
fn public_key(key: &str) -> PyResult<String> {
    Ok(signer(key)?.public().to_string())
}

/// Makes pairs of images beside the decision boundary of `predict`, and writes them, signed, to `out`.
#[pyfunction]
#[pyo3(signature = (predict, images, out = PathBuf::from("model.brink"), *, key = None, user = "owner", pairs = 150,
    false_alarms = 1e-3, change = 0.25, miss = 0.01, margin = None, head = false, classes = None, eight_bit = false, batch = 32, seed = None,
    force = false))]
#[expect(clippy::too_many_arguments, reason = "each is a keyword in Python")]
fn protect(
    predict: Py<PyAny>,
    images: &Bound<'_, PyAny>,
    out: PathBuf,
    key: Option<String>,
    user: &str,
    pairs: usize,
    false_alarms: f64,
    change: f64,
    miss: f64,
    margin: Option<f64>,
    head: bool,
    classes: Option<usize>,
    eight_bit: bool,
    batch: usize,
    seed: Option<u64>,
    force: bool,
) -> PyResult<Protection> {
    if out.exists() && !force {
        let path = out.display();
        return Err(PyFileExistsError::new_err(format!(
            "{path} exists; give another name, or force=True"
        )));
    }
    let callable = Callable::new(predict);
    let raise = |error: Error| callable.raised().unwrap_or_else(|| exception(&error));
    brink_owner::check_folder(&out).map_err(raise)?;
    let key = key.or_else(|| env::var(KEY).ok()).map(Zeroizing::new);
    let key = key.ok_or_else(|| {
        PyValueError::new_err(format!(
            "no key; give key=brink.new_key(), or set the variable {KEY}"
        ))
    })?;
    let signer = signer(&key)?;
    let wanted = Wanted {
        user: user.to_owned(),
        pairs,
        promise: Promise {
            false_alarm: false_alarms,
            change,
            miss,
        },
        margin,
        head,
        seed: chosen(seed)?,
        pixels: match eight_bit {
            true => Encoding::Png,
            false => Encoding::ChannelsFirst,
        },
        protocol: None,
    };
    wanted.check().map_err(raise)?;
    let images = levels(images)?;
    let probed: Vec<usize> = (0..PROBED.min(images.len())).collect();
    let probed = Images::new(images.shape(), images.images(&probed));
    let probed = probed.map_err(|e| raise(e.into()))?;
    let expected = Expected {
        classes,
        ..Expected::default()
    };
    let endpoint = open(&callable, expected, &probed, batch).map_err(raise)?;
    let made = brink_owner::protect(&endpoint, &images, &wanted, &mut |_| {}).map_err(raise)?;
    let bytes = made.mark.to_bytes(&signer).map_err(|e| raise(e.into()))?;
    brink_owner::write(&out, &bytes).map_err(raise)?;
    let about = &made.mark.about;
    let risks = about.risks().map_err(|e| raise(e.into()))?;
    Ok(Protection {
        pairs: made.mark.set.samples(),
        queries: about.queries,
        left_out: made.left_out,
        dropped: about.measured.dropped,
        images_if_intact: 2 * risks.least_pairs(),
    })
}

/// Asks `predict` pair by pair whether it is still the protected model.
#[pyfunction]
#[pyo3(signature = (predict, mark = PathBuf::from("model.brink"), *, signer = None, fresh_only = false, batch = 32, seed = None))]
fn verify(
    predict: Py<PyAny>,
    mark: PathBuf,
    signer: Option<&str>,
    fresh_only: bool,
    batch: usize,
    seed: Option<u64>,
) -> PyResult<Verdict> {
    let callable = Callable::new(predict);
    let raise = |error: Error| callable.raised().unwrap_or_else(|| exception(&error));
    let signed = brink_owner::trusted(&mark, Some(trusted(signer)?), None).map_err(raise)?;
    let (set, about) = (&signed.mark.set, &signed.mark.about);
    let expected = Expected {
        kind: Some(about.answers),
        classes: Some(set.classes),
        names: about.names.clone(),
    };
    let none = Images::new(set.images.shape(), Vec::new()).map_err(|e| raise(e.into()))?;
    let endpoint = open(&callable, expected, &none, batch).map_err(raise)?;
    let mut shown = Shown::beside(&mark, &signed.id).map_err(raise)?;
    let mut stream = Stream::new(chosen(seed)?);
    let asked = brink_owner::ask(&signed, &mut shown, fresh_only, &mut stream, &endpoint);
    let said = asked.map_err(raise)?.said;
    if let Some(raised) = callable.raised() {
        return Err(raised);
    }
    Ok(Verdict {
        verdict: said.verdict.to_string(),
        text: said.to_string(),
        reason: said.reason,
        like: said.like,
        images: said.images,
        asked: said.asked,
        flipped: said.flipped,
        p_value: said.p_value,
        false_alarm: said.false_alarm,
    })
}

fn open(
    callable: &Callable,
    expected: Expected,
    images: &Images,
    batch: usize,
) -> Result<Endpoint, Error> {
    if batch == 0 {
        return Err(Error::Correct("batch: 0 images cannot be asked".to_owned()));
    }
    let deployed = Box::new(callable.clone());
    Ok(Endpoint::open(deployed, expected, images, batch)?)
}

/// The key whose signature counts: the one that is named, else that of the variable.
fn trusted(named: Option<&str>) -> PyResult<PublicKey> {
    if let Some(named) = named {
        return named
            .parse()
            .map_err(|e: brink_keys::Error| PyValueError::new_err(format!("signer: {e}")));
    }
    let key = env::var(KEY).map(Zeroizing::new).map_err(|_| {
        PyValueError::new_err(format!(
            "no signer; give signer=brink.public_key(key), or set the variable {KEY}"
        ))
    })?;
    Ok(signer(&key)?.public())
}

fn signer(digits: &str) -> PyResult<Signer> {
    Signer::from_hex(digits).map_err(|e| PyValueError::new_err(format!("key: {e}")))
}

fn chosen(seed: Option<u64>) -> PyResult<u64> {
    match seed {
        Some(seed) => Ok(seed),
        None => getrandom::u64().map_err(|e| PyOSError::new_err(e.to_string())),
    }
}

/// Images (n, channels, height, width) of 8 bits, or of floats in [0, 1], which are rounded to 8 bits: pairs only start from them.
fn levels(images: &Bound<'_, PyAny>) -> PyResult<Split> {
    let shape = |dims: &[usize]| [dims[1], dims[2], dims[3]];
    let split = |shape: [usize; 3], levels: Vec<u8>| {
        let each = shape.iter().product::<usize>();
        let count = levels.len().checked_div(each).unwrap_or(0);
        if count < 2 {
            return Err(PyValueError::new_err(format!(
                "images: {count} images of {shape:?}; pairs need at least two"
            )));
        }
        // Nobody asks for their labels.
        Ok(Split::new(shape, levels, vec![0; count]))
    };
    if let Ok(bytes) = images.cast::<PyArray4<u8>>() {
        let bytes = bytes.readonly();
        let bytes = bytes.as_array();
        return split(shape(bytes.shape()), bytes.iter().copied().collect());
    }
    let floats: PyReadonlyArray4<'_, f32> = images.extract().map_err(|_| {
        PyValueError::new_err(
            "images: give an array (n, channels, height, width) of uint8, or of float32 in [0, 1]",
        )
    })?;
    let floats = floats.as_array();
    if let Some(value) = floats.iter().find(|value| !(0.0..=1.0).contains(*value)) {
        return Err(PyValueError::new_err(format!(
            "images: a pixel is {value}; scale pixels to [0, 1], and normalise them in predict"
        )));
    }
    let levels = floats.iter().map(|value| (value * 255.0).round() as u8);
    split(shape(floats.shape()), levels.collect())
}

fn exception(error: &Error) -> PyErr {
    let text = error.in_full();
    match error.is_no_answer() {
        true => PyRuntimeError::new_err(text),
        false => PyValueError::new_err(text),
    }
}

/// Checks that a deployed classifier is still yours: protects any callable, and asks it again.
#[pymodule(name = "brink")]
mod module {
    #[pymodule_export]
    use super::{Protection, Verdict, new_key, protect, public_key, verify};
}
