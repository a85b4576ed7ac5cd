//! Downloads against a server on this machine that misbehaves in the ways that servers and networks do.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use data::fetch::{Archive, Problem};
use data::{Error, Fault, Id};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

/// How the server treats one connection.
#[derive(Clone, Copy)]
enum Reply {
    /// As HTTP wants it, with ranges.
    Right,
    /// As `Right`, but the connection is dropped when half of the body has been sent.
    Half,
    /// The whole file, whatever range was asked for.
    Whole,
    /// One byte in the middle is another one.
    WrongByte,
    /// A range that begins elsewhere.
    WrongRange,
    /// A file one byte too long, its length not announced.
    TooLong,
    /// A small page, as the login pages of public networks.
    Page,
    /// No file.
    Status(u16),
}

/// Serves `file`, one reply a connection, then is gone. Returns the address and the `Range` header of each request so far.
fn serve(file: &[u8], replies: &[Reply]) -> (String, Arc<Mutex<Vec<Option<String>>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/archive.tar.gz", listener.local_addr().unwrap());
    let ranges = Arc::new(Mutex::new(Vec::new()));
    let (file, replies, log) = (file.to_vec(), replies.to_vec(), ranges.clone());
    thread::spawn(move || {
        for reply in replies {
            let (stream, _) = listener.accept().unwrap();
            let range = requested_range(&stream);
            log.lock().unwrap().push(range.clone());
            // The client may hang up early; that is its good right.
            let _ = answer(stream, &file, reply, range.as_deref());
        }
    });
    (url, ranges)
}

fn requested_range(stream: &TcpStream) -> Option<String> {
    let lines = BufReader::new(stream)
        .lines()
        .map(|line| line.unwrap().to_ascii_lowercase());
    let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    head.iter()
        .find_map(|line| line.strip_prefix("range: "))
        .map(str::to_owned)
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
    match (reply, from) {
        (Reply::Status(status), _) => (head, body) = (format!("{status} No"), Vec::new()),
        (Reply::Page, _) => body = b"<html>Please log in</html>".to_vec(),
        (Reply::Whole, _) | (_, None) => {}
        (_, Some(from)) if from >= file.len() => (head, body) = ("416 No".to_owned(), Vec::new()),
        (_, Some(from)) => {
            let shown = if matches!(reply, Reply::WrongRange) {
                from - 1
            } else {
                from
            };
            head = format!(
                "206 Partial\r\nContent-Range: bytes {shown}-{}/{}",
                file.len() - 1,
                file.len()
            );
            body.drain(..from);
        }
    }
    match reply {
        Reply::TooLong => body.push(0),
        _ => head += &format!("\r\nContent-Length: {}", body.len()),
    }
    match reply {
        Reply::Half => body.truncate(body.len() / 2),
        Reply::WrongByte => {
            let middle = body.len() / 2;
            body[middle] ^= 1;
        }
        _ => {}
    }
    write!(stream, "HTTP/1.1 {head}\r\nConnection: close\r\n\r\n")?;
    stream.write_all(&body)
}

/// A `.tar.gz` of `entries`, and its description with an address at which nobody listens.
fn pack(entries: &[(&str, &[u8])]) -> (Vec<u8>, Archive) {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::none()));
    for (name, contents) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(contents.len() as u64);
        header.set_mode(0o644);
        // Written by hand, because the library rightly refuses to write `..`.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        tar.append(&header, *contents).unwrap();
    }
    let packed = tar.into_inner().unwrap().finish().unwrap();
    let sum = Sha256::digest(&packed)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<String>();
    let archive = Archive {
        file: "set.tar.gz",
        url: "http://127.0.0.1:9/set.tar.gz",
        bytes: packed.len() as u64,
        sha256: sum.leak(),
        folder: "set",
    };
    (packed, archive)
}

/// An archive of 300 kB: some reads of the client's buffer.
fn sample() -> (Vec<u8>, Archive) {
    let noise: Vec<u8> = (0..300_000_u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    pack(&[("set/a.bin", &noise), ("set/readme.html", b"hello")])
}

fn get(archive: &Archive, root: &Path, url: &str) -> Result<Vec<(u64, u64)>, Error> {
    let mut seen = Vec::new();
    archive.fetch(root, Some(url), &mut |done, total| seen.push((done, total)))?;
    Ok(seen)
}

fn problem(result: Result<Vec<(u64, u64)>, Error>) -> Problem {
    match result {
        Err(Error::Download { problem, .. }) => *problem,
        other => panic!("no download error: {other:?}"),
    }
}

/// Names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The set is there, whole, and nothing else is.
fn assert_complete(root: &Path) {
    assert_eq!(names(root), ["set"]);
    assert_eq!(names(&root.join("set")), ["a.bin", "readme.html"]);
    assert_eq!(fs::read(root.join("set/a.bin")).unwrap().len(), 300_000);
    assert_eq!(fs::read(root.join("set/readme.html")).unwrap(), b"hello");
}

#[test]
fn a_good_server_is_asked_once_and_progress_reaches_the_end() {
    let (packed, archive) = sample();
    let root = tempfile::tempdir().unwrap();
    let (url, ranges) = serve(&packed, &[Reply::Right]);
    let seen = get(&archive, root.path(), &url).unwrap();
    assert_complete(root.path());
    assert_eq!(*ranges.lock().unwrap(), [None]);
    assert_eq!(seen.first(), Some(&(0, archive.bytes)));
    assert_eq!(seen.last(), Some(&(archive.bytes, archive.bytes)));
    assert!(seen.is_sorted());
}

#[test]
fn a_dropped_connection_is_taken_up_where_it_broke() {
    let (packed, archive) = sample();
    let root = tempfile::tempdir().unwrap();
    let (url, ranges) = serve(&packed, &[Reply::Half, Reply::Half, Reply::Right]);
    get(&archive, root.path(), &url).unwrap();
    assert_complete(root.path());
    let half = packed.len() / 2;
    let more = half + (packed.len() - half) / 2;
    let asked = [
        None,
        Some(format!("bytes={half}-")),
        Some(format!("bytes={more}-")),
    ];
    assert_eq!(*ranges.lock().unwrap(), asked);
}

#[test]
fn a_lost_server_leaves_a_part_that_the_next_call_completes() {
    let (packed, archive) = sample();
    let root = tempfile::tempdir().unwrap();
    let (url, _) = serve(&packed, &[Reply::Half]);
    assert!(matches!(
        problem(get(&archive, root.path(), &url)),
        Problem::Unreachable(_)
    ));
    assert_eq!(names(root.path()), ["set.tar.gz.part"]);

    let (url, ranges) = serve(&packed, &[Reply::Right]);
    let seen = get(&archive, root.path(), &url).unwrap();
    assert_complete(root.path());
    assert_eq!(
        *ranges.lock().unwrap(),
        [Some(format!("bytes={}-", packed.len() / 2))]
    );
    assert_eq!(
        seen[0].0,
        packed.len() as u64 / 2,
        "progress goes on from there, too"
    );
}

#[test]
fn a_connection_that_brings_nothing_ends_the_attempts() {
    let (packed, archive) = pack(&[("set/a", b"")]);
    let root = tempfile::tempdir().unwrap();
    fs::write(
        root.path().join("set.tar.gz.part"),
        &packed[..packed.len() - 1],
    )
    .unwrap();
    // Half of the one byte that is left is none.
    let (url, _) = serve(&packed, &[Reply::Half]);
    let problem = problem(get(&archive, root.path(), &url));
    assert!(
        matches!(problem, Problem::Cut { have, .. } if have == archive.bytes - 1),
        "{problem}"
    );
}

#[test]
fn a_server_without_ranges_starts_the_file_anew() {
    let (packed, archive) = sample();
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("set.tar.gz.part"), b"something else").unwrap();
    let (url, ranges) = serve(&packed, &[Reply::Whole]);
    get(&archive, root.path(), &url).unwrap();
    assert_complete(root.path());
    assert_eq!(*ranges.lock().unwrap(), [Some("bytes=14-".to_owned())]);
}

#[test]
fn a_part_that_is_too_long_is_thrown_away() {
    let (packed, archive) = sample();
    let root = tempfile::tempdir().unwrap();
    fs::write(
        root.path().join("set.tar.gz.part"),
        vec![0; packed.len() + 1],
    )
    .unwrap();
    let (url, ranges) = serve(&packed, &[Reply::Right, Reply::Right]);
    get(&archive, root.path(), &url).unwrap();
    assert_complete(root.path());
    assert_eq!(ranges.lock().unwrap().last(), Some(&None));
}

#[test]
fn a_wrong_byte_is_never_unpacked_and_does_not_stay() {
    let (packed, archive) = sample();
    let root = tempfile::tempdir().unwrap();
    let (url, _) = serve(&packed, &[Reply::WrongByte]);
    let error = get(&archive, root.path(), &url).unwrap_err();
    let message = error.to_string();
    assert!(matches!(problem(Err(error)), Problem::Checksum { .. }));
    assert!(
        message.contains(archive.sha256) && message.contains(&url),
        "{message}"
    );
    assert!(names(root.path()).is_empty());
}

#[test]
fn what_is_not_the_file_is_refused() {
    let (packed, archive) = sample();
    let cases: [(Reply, usize, &str); 5] = [
        (Reply::Status(404), 0, "the server answers with status 404"),
        (Reply::Status(500), 10, "the server answers with status 500"),
        (Reply::Page, 0, "the server offers 26 bytes instead of"),
        (Reply::TooLong, 0, "bytes instead of"),
        (
            Reply::WrongRange,
            10,
            "asked for what follows byte 10 and sends something else",
        ),
    ];
    for (reply, have, expected) in cases {
        let root = tempfile::tempdir().unwrap();
        if have > 0 {
            fs::write(root.path().join("set.tar.gz.part"), &packed[..have]).unwrap();
        }
        let (url, _) = serve(&packed, &[reply]);
        let message = get(&archive, root.path(), &url).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
        assert!(!root.path().join("set").exists());
    }
}

#[test]
fn without_a_network_the_message_says_what_to_do_by_hand() {
    let (_, archive) = sample();
    let root = tempfile::tempdir().unwrap();
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let message = get(&archive, root.path(), &format!("http://127.0.0.1:{port}/"))
        .unwrap_err()
        .to_string();
    let place = root.path().join("set.tar.gz");
    for part in [
        "cannot be reached",
        archive.url,
        archive.sha256,
        "By hand",
        place.to_str().unwrap(),
    ] {
        assert!(message.contains(part), "{part} is not in: {message}");
    }
}

#[test]
fn an_archive_put_there_by_hand_is_unpacked_and_kept() {
    let (packed, archive) = sample();
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("set.tar.gz"), &packed).unwrap();
    archive
        .fetch(root.path(), None, &mut |_, _| {
            panic!("nothing is downloaded")
        })
        .unwrap();
    assert_eq!(names(root.path()), ["set", "set.tar.gz"]);
    assert_eq!(names(&root.path().join("set")), ["a.bin", "readme.html"]);
}

#[test]
fn a_truncated_archive_put_there_by_hand_is_named() {
    let (packed, archive) = sample();
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("set.tar.gz");
    fs::write(&file, &packed[..1000]).unwrap();
    let error = archive
        .fetch(root.path(), None, &mut |_, _| {})
        .unwrap_err();
    let message = error.to_string();
    assert!(
        message.contains(file.to_str().unwrap()) && message.contains(archive.sha256),
        "{message}"
    );
    assert!(matches!(error, Error::File { fault, .. } if matches!(*fault, Fault::Checksum { .. })));
    assert_eq!(
        names(root.path()),
        ["set.tar.gz"],
        "what a person put there is theirs to delete"
    );
}

#[test]
fn a_damaged_folder_is_repaired_and_foreign_files_stay() {
    let (packed, archive) = sample();
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("set")).unwrap();
    fs::write(root.path().join("set/a.bin"), b"damaged").unwrap();
    fs::write(root.path().join("set/notes.txt"), b"mine").unwrap();
    let (url, _) = serve(&packed, &[Reply::Right]);
    get(&archive, root.path(), &url).unwrap();
    assert_eq!(
        names(&root.path().join("set")),
        ["a.bin", "notes.txt", "readme.html"]
    );
    assert_eq!(
        fs::read(root.path().join("set/a.bin")).unwrap().len(),
        300_000
    );
}

#[test]
fn nothing_in_an_archive_leads_out_of_its_folder() {
    let entries: [(&str, &[u8]); 5] = [
        ("set/../evil", b"1"),
        ("../evil", b"2"),
        ("evil", b"3"),
        ("set/deep/evil", b"4"),
        ("set/good", b"5"),
    ];
    let (packed, archive) = pack(&entries);
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("set.tar.gz"), &packed).unwrap();
    archive.fetch(root.path(), None, &mut |_, _| {}).unwrap();
    assert_eq!(names(root.path()), ["set", "set.tar.gz"]);
    assert_eq!(names(&root.path().join("set")), ["good"]);
}

#[test]
fn an_archive_without_the_folder_is_refused() {
    let (packed, archive) = pack(&[("other/file", b"1")]);
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("set.tar.gz"), &packed).unwrap();
    let message = archive
        .fetch(root.path(), None, &mut |_, _| {})
        .unwrap_err()
        .to_string();
    assert!(message.contains("no files in a folder set"), "{message}");
}

#[test]
fn two_downloads_at_once_do_not_mix() {
    let (packed, archive) = sample();
    let root = tempfile::tempdir().unwrap();
    let other = fs::File::create(root.path().join("set.tar.gz.part")).unwrap();
    other.try_lock().unwrap();
    let (url, _) = serve(&packed, &[Reply::Right]);
    assert!(matches!(
        problem(get(&archive, root.path(), &url)),
        Problem::Busy
    ));
    drop(other);
    get(&archive, root.path(), &url).unwrap();
    assert_complete(root.path());
}

#[test]
fn an_unwritable_folder_is_named() {
    let (_, archive) = sample();
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("file");
    fs::write(&file, b"").unwrap();
    let message = archive
        .fetch(&file, None, &mut |_, _| {})
        .unwrap_err()
        .to_string();
    assert!(
        message.contains(file.to_str().unwrap()) && message.contains("cannot be written"),
        "{message}"
    );
}

#[test]
fn a_set_without_an_archive_says_how_to_get_it() {
    let root = tempfile::tempdir().unwrap();
    let message = data::fetch(Id::Cifar10Jpeg, root.path(), None, &mut |_, _| {})
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("cifar10-jpeg") && message.contains("datasets.md"),
        "{message}"
    );
}

#[test]
fn fetch_names_the_official_address_even_when_a_mirror_fails() {
    let root = tempfile::tempdir().unwrap();
    let (url, _) = serve(&[], &[Reply::Status(404)]);
    let message = data::fetch(Id::Cifar10, root.path(), Some(&url), &mut |_, _| {})
        .unwrap_err()
        .to_string();
    for part in [
        url.as_str(),
        "404",
        "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        "170052171",
    ] {
        assert!(message.contains(part), "{part} is not in: {message}");
    }
}
