//! MLflow's scoring server: `POST /invocations`.

use brink_verify::Images;
use serde_json::{Value, json};

use super::api::{Api, Request, listed};
use crate::{Answer, Encoding, Error};

pub struct MlFlow;

impl Api for MlFlow {
    fn request(&self, images: &Images, encoding: Encoding) -> Result<Request, Error> {
        Ok(Request::json(&json!({"inputs": encoding.all(images)?})))
    }

    fn answers(&self, json: &Value) -> Result<Vec<Answer>, String> {
        listed(json.get("predictions"), "/predictions")
    }
}
