//! TensorFlow Serving: `POST /v1/models/NAME:predict`.

use brink_verify::Images;
use serde_json::{Value, json};

use super::api::{Api, Request, listed};
use crate::{Answer, Encoding, Error};

pub struct TensorFlow;

impl Api for TensorFlow {
    fn request(&self, images: &Images, encoding: Encoding) -> Result<Request, Error> {
        let mut instances = encoding.all(images)?;
        if encoding == Encoding::Png {
            instances = instances
                .into_iter()
                .map(|png| json!({"b64": png}))
                .collect();
        }
        Ok(Request::json(&json!({"instances": instances})))
    }

    fn answers(&self, json: &Value) -> Result<Vec<Answer>, String> {
        listed(json.get("predictions"), "/predictions")
    }
}
