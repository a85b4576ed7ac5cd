//! The task `image-classification` of Hugging Face's inference API: one image a request, and the names of classes in return.

use brink_verify::Images;
use serde_json::{Value, json};

use super::api::{Api, Request, only};
use crate::{Answer, Encoding, Error};

pub struct HuggingFace;

impl Api for HuggingFace {
    fn fits(&self, encoding: Encoding) -> Result<(), Error> {
        match encoding {
            Encoding::Png => Ok(()),
            _ => Err(only("png")),
        }
    }

    fn one_by_one(&self) -> bool {
        true
    }

    fn request(&self, images: &Images, encoding: Encoding) -> Result<Request, Error> {
        let image = encoding.json(images.image(0), images.shape())?;
        let request = json!({"inputs": image, "parameters": {"top_k": 1}});
        Ok(Request::json(&request))
    }

    fn answers(&self, json: &Value) -> Result<Vec<Answer>, String> {
        // A list of lists if the server sees a batch of one.
        let list = match json.pointer("/0") {
            Some(inner) if inner.is_array() => inner,
            _ => json,
        };
        Ok(vec![Answer::from_json(list)?])
    }
}
