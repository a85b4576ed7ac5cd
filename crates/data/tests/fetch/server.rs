//! A local server that misbehaves as real servers and networks do.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How the server treats one connection.
#[derive(Clone, Copy)]
pub enum Reply {
    /// A correct answer, with range support.
    Right,
    /// Like `Right`, but the connection is dropped after half of the body.
    Half,
    /// The whole file, whatever the requested range.
    Whole,
    /// Like `Whole`, but the connection is dropped after half of the body.
    WholeHalf,
    /// One byte in the middle is wrong.
    WrongByte,
    /// A range with the wrong start.
    WrongRange,
    /// A file that is one byte too long, without its length.
    TooLong,
    /// A small page, like the login pages of public networks.
    Page,
    /// The same page with its content type, but without its length.
    TypedPage,
    /// The same page in place of the requested range.
    PartialPage,
    /// A redirect to the same page at another address.
    LoginPage,
    /// An error in JSON, without content type and length.
    Json,
    /// Another file of the same type, without its length.
    OtherFile,
    /// A range of a longer file.
    WrongTotal,
    /// No such range, because the file is shorter.
    Shorter,
    /// Like `Right`, but the connection is dropped after one byte.
    OneByte,
    /// Like `Right`, but the server pauses for seconds after half of the body.
    Stall,
    /// An error status.
    Status(u16),
}

/// The requests to a server: file name and `Range` header of each.
pub type Log = Arc<Mutex<Vec<(String, Option<String>)>>>;

pub fn ranges(log: &Log) -> Vec<Option<String>> {
    let log = log.lock().unwrap();
    log.iter().map(|(_, range)| range.clone()).collect()
}

/// Serves `file` with one reply per connection, then stops. Returns the address and the log of requests.
pub fn serve(file: &[u8], replies: &[Reply]) -> (String, Log) {
    let (folder, log) = serve_folder(&[("archive.tar.gz", file)], replies);
    (format!("{folder}/archive.tar.gz"), log)
}

/// Like [`serve`], for several files in a folder. Returns the folder's address.
pub fn serve_folder(files: &[(&str, &[u8])], replies: &[Reply]) -> (String, Log) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let log = Log::default();
    let files: HashMap<String, Vec<u8>> = files
        .iter()
        .map(|&(name, file)| (name.to_owned(), file.to_vec()))
        .collect();
    let (replies, requests) = (replies.to_vec(), log.clone());
    thread::spawn(move || {
        for reply in replies {
            let (stream, _) = listener.accept().unwrap();
            let (name, range) = request(&stream);
            requests.lock().unwrap().push((name.clone(), range.clone()));
            let file = files.get(&name).cloned().unwrap_or_else(page);
            // Errors are ignored: the client may close the connection. A thread each: a waiting client may connect again.
            thread::spawn(move || answer(stream, &file, reply, range.as_deref()));
        }
    });
    (url, log)
}

/// The requested file and range.
fn request(stream: &TcpStream) -> (String, Option<String>) {
    let lines = BufReader::new(stream).lines().map(Result::unwrap);
    let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let name = head[0].split(' ').nth(1).unwrap().trim_start_matches('/');
    let range = head.iter().find_map(|line| {
        let line = line.to_ascii_lowercase();
        line.strip_prefix("range: ").map(str::to_owned)
    });
    (name.to_owned(), range)
}

fn answer(
    mut stream: TcpStream,
    file: &[u8],
    reply: Reply,
    range: Option<&str>,
) -> std::io::Result<()> {
    let from = range.map(|range| {
        range
            .trim_start_matches("bytes=")
            .trim_end_matches('-')
            .parse::<usize>()
            .unwrap()
    });
    let mut body = file.to_vec();
    let mut head = "200 OK".to_owned();
    if let Reply::LoginPage = reply {
        // The client requests the login page with another connection.
        let host = format!("http://{}/login", stream.local_addr()?);
        let head = format!("302 Found\r\nLocation: {host}\r\nContent-Length: 0");
        return write!(stream, "HTTP/1.1 {head}\r\nConnection: close\r\n\r\n");
    }
    match (reply, from) {
        (Reply::TypedPage, _) => {
            (head, body) = (
                "200 OK\r\nContent-Type: text/html; charset=utf-8".into(),
                page(),
            );
        }
        (Reply::PartialPage, Some(from)) => {
            let to = file.len() - 1;
            let range = format!("Content-Range: bytes {from}-{to}/{}", file.len());
            head = format!("206 Partial\r\nContent-Type: text/html\r\n{range}");
            body = page();
        }
        (Reply::Json, _) => body = br#"{"error": "not logged in"}"#.to_vec(),
        (Reply::OtherFile, _) => body.iter_mut().skip(8).for_each(|byte| *byte ^= 1),
        (Reply::Shorter, Some(_)) => {
            (head, body) = ("416 No\r\nContent-Range: bytes */7".into(), Vec::new());
        }
        (Reply::Status(status), _) => (head, body) = (format!("{status} No"), Vec::new()),
        (Reply::Page, _) => body = page(),
        (Reply::Whole | Reply::WholeHalf, _) | (_, None) => {}
        (_, Some(from)) if from >= file.len() => (head, body) = ("416 No".to_owned(), Vec::new()),
        (_, Some(from)) => {
            let shown = if matches!(reply, Reply::WrongRange) {
                from - 1
            } else {
                from
            };
            let total = match reply {
                Reply::WrongTotal => file.len() + 1,
                _ => file.len(),
            };
            head = format!(
                "206 Partial\r\nContent-Range: bytes {shown}-{}/{total}",
                file.len() - 1
            );
            body.drain(..from);
        }
    }
    match reply {
        Reply::TooLong => body.push(0),
        Reply::TypedPage | Reply::PartialPage | Reply::Json | Reply::OtherFile => {}
        _ => head += &format!("\r\nContent-Length: {}", body.len()),
    }
    match reply {
        Reply::Half | Reply::WholeHalf | Reply::Stall => body.truncate(body.len() / 2),
        Reply::OneByte => body.truncate(1),
        Reply::WrongByte => {
            let middle = body.len() / 2;
            body[middle] ^= 1;
        }
        _ => {}
    }
    write!(stream, "HTTP/1.1 {head}\r\nConnection: close\r\n\r\n")?;
    stream.write_all(&body)?;
    if let Reply::Stall = reply {
        thread::sleep(Duration::from_secs(5));
    }
    Ok(())
}

fn page() -> Vec<u8> {
    b"<html>Please log in</html>".to_vec()
}
