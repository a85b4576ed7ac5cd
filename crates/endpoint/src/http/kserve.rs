//! KServe's second protocol, as Triton, MLServer, OpenVINO and others speak it: `POST /v2/models/NAME/infer`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use brink_verify::Images;
use serde_json::{Value, json};

use super::api::{Api, Request};
use crate::image::png;
use crate::{Answer, Encoding, Error};

/// The protocol, with the name of the model's input.
pub struct KServe {
    pub input: String,
}

impl Api for KServe {
    fn request(&self, images: &Images, encoding: Encoding) -> Result<Request, Error> {
        let n = images.len();
        let each = || (0..n).map(|i| images.image(i));
        let input = if encoding == Encoding::Png {
            let data: Result<Vec<String>, Error> = each()
                .map(|image| Ok(STANDARD.encode(png(image, images.shape())?)))
                .collect();
            json!({"name": self.input, "shape": [n], "datatype": "BYTES", "data": data?})
        } else {
            let [a, b, c] = encoding.shape(images.shape());
            let data = each().flat_map(|image| encoding.pixels(image, images.shape()));
            let data: Vec<f32> = data.collect();
            json!({"name": self.input, "shape": [n, a, b, c], "datatype": "FP32", "data": data})
        };
        Ok(Request::json(&json!({"inputs": [input]})))
    }

    fn answers(&self, json: &Value) -> Result<Vec<Answer>, String> {
        let output = json.pointer("/outputs/0").ok_or("no `outputs`")?;
        let shape: Option<Vec<usize>> =
            output
                .get("shape")
                .and_then(Value::as_array)
                .and_then(|it| {
                    let sides = it.iter().map(|side| side.as_u64());
                    sides.map(|side| usize::try_from(side?).ok()).collect()
                });
        let shape = shape.ok_or("the output has no `shape`")?;
        let data = output.get("data").and_then(Value::as_array);
        let data = data.ok_or("the output has no `data`")?;
        // Some servers nest the numbers, others do not.
        if data.iter().any(Value::is_array) {
            return data.iter().map(Answer::from_json).collect();
        }
        let datatype = output.get("datatype").and_then(Value::as_str).unwrap_or("");
        let are_scores = datatype.starts_with("FP") || datatype.starts_with("BF");
        match shape[..] {
            [n] | [n, 1] if !are_scores && n == data.len() => {
                data.iter().map(Answer::from_json).collect()
            }
            [n, classes] if n.checked_mul(classes) == Some(data.len()) && classes > 0 => data
                .chunks(classes)
                .map(|row| Answer::from_json(&row.into()))
                .collect(),
            _ => Err(format!(
                "{} numbers of shape {shape:?} instead of scores for each image",
                data.len()
            )),
        }
    }
}
