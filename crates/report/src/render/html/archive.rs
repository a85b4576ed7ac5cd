//! What the page shows on demand, as compressed JSON. The browser unpacks it without fetching anything.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::Value;

use crate::render::base64::{base64, bytes};

/// The element that holds the archive.
const OPEN: &str = "<script type=\"text/plain\" id=\"archive\">";

/// The archive as text in base 64, which closes no element.
pub fn pack(value: &Value) -> String {
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    // Writing to memory does not fail.
    let _ = packer.write_all(value.to_string().as_bytes());
    base64(&packer.finish().unwrap_or_default())
}

/// The archive of a page.
pub fn unpack(page: &str) -> Option<Value> {
    let (_, after) = page.split_once(OPEN)?;
    let (text, _) = after.split_once("</script>")?;
    let packed = bytes(text.trim())?;
    let mut json = Vec::new();
    GzDecoder::new(&packed[..]).read_to_end(&mut json).ok()?;
    serde_json::from_slice(&json).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_packed_comes_out_again() {
        let value = json!({"journal": {"note": "</script>"}, "steps": [1, 2, 3]});
        let page = format!("<p>{OPEN}{}</script></p>", pack(&value));
        assert_eq!(unpack(&page).unwrap(), value);
        assert_eq!(unpack("<p></p>"), None);
    }
}
