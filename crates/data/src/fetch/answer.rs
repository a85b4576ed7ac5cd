//! Checks a server's answer before any file is changed. Login pages, proxies and mirrors may send anything with status 200.

use ureq::Body;
use ureq::http::{Response, StatusCode, header};

use super::{Archive, Problem};

/// A part of the archive that a server offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offer {
    /// The offset in the archive where it begins.
    pub(super) from: u64,
    /// Whether the server announced its length, and the length is right.
    pub(super) fits: bool,
}

/// The part of the archive in `response`, where the request was for the bytes from `have` on.
///
/// # Errors
/// If the head of the response shows that it is something else.
pub(super) fn judge(
    archive: &Archive,
    response: &Response<Body>,
    have: u64,
) -> Result<Offer, Problem> {
    let expected = archive.bytes;
    let size = |found| Problem::Size { found, expected };
    let length = response.body().content_length();
    let range = header_of(response, header::CONTENT_RANGE).unwrap_or_default();
    match response.status() {
        StatusCode::OK | StatusCode::PARTIAL_CONTENT if is_page(response) => Err(Problem::Page {
            kind: kind(response),
            begins: String::new(),
        }),
        StatusCode::OK => match length {
            Some(found) if found != expected => Err(size(found)),
            length => Ok(Offer {
                from: 0,
                fits: length.is_some(),
            }),
        },
        StatusCode::PARTIAL_CONTENT => match bounds(range) {
            Some((from, to, total)) if from == have => match total.unwrap_or(expected) {
                found if found != expected => Err(size(found)),
                _ if to >= expected => Err(size(to.saturating_add(1))),
                _ => Ok(Offer { from, fits: true }),
            },
            _ => Err(Problem::Range { asked: have }),
        },
        // The server's file is shorter, so it is another file.
        StatusCode::RANGE_NOT_SATISFIABLE => {
            let found = range.strip_prefix("bytes */");
            Err(match found.and_then(|found| found.parse().ok()) {
                Some(found) => size(found),
                None => Problem::Range { asked: have },
            })
        }
        status => Err(Problem::Status(status.as_u16())),
    }
}

/// Checks that `first`, the first bytes of the body, can be the beginning of the archive.
///
/// # Errors
/// If they cannot.
pub(super) fn recognise(
    archive: &Archive,
    response: &Response<Body>,
    first: &[u8],
) -> Result<(), Problem> {
    let name = archive.file;
    // `first` may be shorter than the magic number.
    let marked = |mark: &[u8]| first.iter().zip(mark).all(|(found, mark)| found == mark);
    let right = if name.ends_with(".zip") {
        marked(b"PK")
    } else if name.ends_with(".gz") || name.ends_with(".tgz") {
        marked(b"\x1f\x8b")
    } else if name.ends_with(".mat") {
        marked(b"MATLAB")
    } else {
        let text = first.trim_ascii_start().to_ascii_lowercase();
        !text.starts_with(b"<!doctype") && !text.starts_with(b"<html")
    };
    if right {
        return Ok(());
    }
    /// Bytes to show in the message: enough to recognise a page.
    const SHOWN: usize = 40;
    let shown = String::from_utf8_lossy(&first[..first.len().min(SHOWN)]);
    let shown: String = shown
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    Err(Problem::Page {
        kind: kind(response),
        begins: format!(", which begins with `{}`", shown.trim()),
    })
}

fn is_page(response: &Response<Body>) -> bool {
    let kind = kind(response).to_ascii_lowercase();
    ["text/html", "application/xhtml"]
        .iter()
        .any(|page| kind.starts_with(page))
}

/// The content type of a response.
fn kind(response: &Response<Body>) -> String {
    let kind = header_of(response, header::CONTENT_TYPE);
    kind.unwrap_or("of no type").to_owned()
}

fn header_of(response: &Response<Body>, name: header::HeaderName) -> Option<&str> {
    response.headers().get(name)?.to_str().ok()
}

/// The first and last byte of a `Content-Range`, and the total length if it is known.
fn bounds(range: &str) -> Option<(u64, u64, Option<u64>)> {
    let (range, total) = range.strip_prefix("bytes ")?.split_once('/')?;
    let (from, to) = range.split_once('-')?;
    let total = match total {
        "*" => None,
        total => Some(total.parse().ok()?),
    };
    Some((from.parse().ok()?, to.parse().ok()?, total))
}

#[cfg(test)]
mod tests {
    use super::bounds;

    #[test]
    fn a_range_has_two_ends_and_mostly_a_total() {
        assert_eq!(bounds("bytes 5-9/10"), Some((5, 9, Some(10))));
        assert_eq!(bounds("bytes 5-9/*"), Some((5, 9, None)));
        for wrong in [
            "",
            "bytes",
            "bytes 5-9",
            "bytes */10",
            "5-9/10",
            "bytes 5-/10",
            "bytes a-b/c",
        ] {
            assert_eq!(bounds(wrong), None, "{wrong}");
        }
    }
}
