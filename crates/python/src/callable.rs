//! A Python callable as a deployed model.

use std::cell::RefCell;
use std::rc::Rc;

use brink_endpoint::{Answer, Deployed, Error};
use brink_verify::Images;
use numpy::{PyArray1, PyArray2, PyArrayMethods, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// A callable, and the exception that it raised.
#[derive(Clone)]
pub struct Callable {
    predict: Rc<Py<PyAny>>,
    raised: Rc<RefCell<Option<PyErr>>>,
}

impl Callable {
    /// The callable `predict`.
    pub fn new(predict: Py<PyAny>) -> Self {
        Self {
            predict: Rc::new(predict),
            raised: Rc::default(),
        }
    }

    /// The exception that the callable raised, if there is one: it says more than what followed from it.
    pub fn raised(&self) -> Option<PyErr> {
        self.raised.take()
    }

    fn answers(&self, py: Python<'_>, images: &Images) -> PyResult<Result<Vec<Answer>, String>> {
        let [c, h, w] = images.shape();
        let pixels = PyArray1::from_slice(py, images.data());
        let pixels = pixels.reshape([images.len(), c, h, w])?;
        let answer = self.predict.call1(py, (pixels,))?;
        let numpy = py.import("numpy")?;
        let answer = numpy.call_method1("asarray", (answer,))?;
        let shape = answer.cast::<PyUntypedArray>()?.shape().to_vec();
        let integers = numpy.call_method1(
            "issubdtype",
            (answer.getattr("dtype")?, numpy.getattr("integer")?),
        )?;
        let cast = |dtype: &str| {
            let how = PyDict::new(py);
            how.set_item("copy", false)?;
            answer.call_method("astype", (dtype,), Some(&how))
        };
        let sent = images.len();
        Ok(match shape[..] {
            [n, _] if n == sent => {
                let scores = cast("float32")?;
                let scores = scores.cast::<PyArray2<f32>>()?.readonly();
                let rows = scores.as_array();
                let rows = rows
                    .rows()
                    .into_iter()
                    .map(|row| Answer::Scores(row.to_vec()));
                Ok(rows.collect())
            }
            [n] if n == sent && integers.is_truthy()? => {
                let labels = cast("int64")?;
                let labels = labels.cast::<PyArray1<i64>>()?.readonly();
                let labels = labels.as_array();
                let labels = labels.iter().map(|&label| {
                    let whole = u32::try_from(label);
                    whole
                        .map(Answer::Label)
                        .map_err(|_| format!("the label {label}"))
                });
                labels.collect()
            }
            _ => {
                let dtype = answer.getattr("dtype")?;
                Err(format!(
                    "an array {shape:?} of {dtype} for {sent} images; return scores ({sent}, classes), or whole labels ({sent},)"
                ))
            }
        })
    }
}

impl Deployed for Callable {
    fn place(&self) -> String {
        "predict".to_owned()
    }

    fn ask(&self, images: &Images) -> Result<Vec<Answer>, Error> {
        let problem = |problem| Error::Answer {
            place: self.place(),
            problem,
        };
        let answers = Python::attach(|py| self.answers(py, images));
        match answers {
            Ok(answers) => answers.map_err(problem),
            Err(raised) => {
                let text = raised.to_string();
                self.raised.replace(Some(raised));
                Err(problem(text))
            }
        }
    }
}
