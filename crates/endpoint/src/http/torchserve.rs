//! TorchServe with an image handler: `POST /predictions/NAME` with one PNG, and the classes with their shares in return.

use brink_verify::Images;
use serde_json::Value;

use super::api::{Api, Request, only};
use crate::image::png;
use crate::{Answer, Encoding, Error};

pub struct TorchServe;

impl Api for TorchServe {
    fn fits(&self, encoding: Encoding) -> Result<(), Error> {
        match encoding {
            Encoding::Png => Ok(()),
            _ => Err(only("png")),
        }
    }

    fn one_by_one(&self) -> bool {
        true
    }

    fn request(&self, images: &Images, _: Encoding) -> Result<Request, Error> {
        Ok(Request {
            content_type: "image/png",
            body: png(images.image(0), images.shape())?,
        })
    }

    fn answers(&self, json: &Value) -> Result<Vec<Answer>, String> {
        Ok(vec![Answer::from_json(json)?])
    }
}
