//! A server of one's own: a template of the request, and a pointer to the answers.
//!
//! The template is JSON. Where it has the text `$images`, all images of the question stand as an array; where it has `$image`, one image
//! stands, and each request holds one. The pointer is a JSON pointer (RFC 6901) to an array with an answer for each image, or for `$image`
//! to the answer itself.

use brink_verify::Images;
use serde_json::Value;

use super::api::{Api, Request, listed};
use crate::{Answer, Encoding, Error};

const ALL: &str = "$images";
const ONE: &str = "$image";

pub struct Custom {
    template: Value,
    answers: String,
    one_by_one: bool,
}

impl Custom {
    pub fn new(template: &str, answers: &str) -> Result<Self, Error> {
        let refused = |problem: String| Error::Setting {
            field: "--template",
            problem,
        };
        let template: Value =
            serde_json::from_str(template).map_err(|e| refused(format!("not JSON: {e}")))?;
        let one_by_one = match (places(&template, ALL), places(&template, ONE)) {
            (1, 0) => false,
            (0, 1) => true,
            _ => {
                let problem = format!(
                    "write \"{ALL}\" once where the array of images stands, or \"{ONE}\" for one image"
                );
                return Err(refused(problem));
            }
        };
        if !answers.is_empty() && !answers.starts_with('/') {
            return Err(Error::Setting {
                field: "--answer",
                problem: format!(
                    "`{answers}` is not a JSON pointer; begin it with `/`, e.g. /predictions"
                ),
            });
        }
        Ok(Self {
            template,
            answers: answers.to_owned(),
            one_by_one,
        })
    }
}

impl Api for Custom {
    fn one_by_one(&self) -> bool {
        self.one_by_one
    }

    fn request(&self, images: &Images, encoding: Encoding) -> Result<Request, Error> {
        let (name, value) = match self.one_by_one {
            true => (ONE, encoding.json(images.image(0), images.shape())?),
            false => (ALL, Value::Array(encoding.all(images)?)),
        };
        let mut request = self.template.clone();
        fill(&mut request, name, &value);
        Ok(Request::json(&request))
    }

    fn answers(&self, json: &Value) -> Result<Vec<Answer>, String> {
        let at = &self.answers;
        let found = json.pointer(at);
        match self.one_by_one {
            true => {
                let found = found.ok_or_else(|| format!("nothing at `{at}`"))?;
                Ok(vec![Answer::from_json(found)?])
            }
            false => listed(found, at),
        }
    }
}

/// How often the text `name` stands in `json`.
fn places(json: &Value, name: &str) -> usize {
    match json {
        Value::String(text) => usize::from(text == name),
        Value::Array(entries) => entries.iter().map(|entry| places(entry, name)).sum(),
        Value::Object(entries) => entries.values().map(|entry| places(entry, name)).sum(),
        _ => 0,
    }
}

/// Puts `value` where the text `name` stands.
fn fill(json: &mut Value, name: &str, value: &Value) {
    match json {
        Value::String(text) if text == name => *json = value.clone(),
        Value::Array(entries) => entries
            .iter_mut()
            .for_each(|entry| fill(entry, name, value)),
        Value::Object(entries) => entries
            .values_mut()
            .for_each(|entry| fill(entry, name, value)),
        _ => {}
    }
}
