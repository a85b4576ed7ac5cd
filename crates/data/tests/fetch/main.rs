//! Downloads from a misbehaving [`server`].

mod server;

use std::fs;
use std::io::{Cursor, Write};
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use brink_data::fetch::{Archive, Patience, Problem};
use brink_data::{Error, Fault, Id};
use flate2::Compression;
use flate2::write::GzEncoder;
use server::{Log, Reply, ranges, serve, serve_folder};
use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// A `.tar.gz` of `entries`, and its description. No server listens at its address.
fn pack(entries: &[(&str, &[u8])]) -> (Vec<u8>, Archive) {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::none()));
    for (name, contents) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(contents.len() as u64);
        header.set_mode(0o644);
        // Written directly, because the library refuses to write `..`.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        tar.append(&header, *contents).unwrap();
    }
    let packed = tar.into_inner().unwrap().finish().unwrap();
    let archive = describe("set.tar.gz", &packed, "set", "set");
    (packed, archive)
}

/// A `.zip` of `entries`, every second one compressed.
fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let methods = [CompressionMethod::Deflated, CompressionMethod::Stored];
    for ((name, contents), method) in entries.iter().zip(methods.into_iter().cycle()) {
        let options = SimpleFileOptions::default().compression_method(method);
        zip.start_file(*name, options).unwrap();
        zip.write_all(contents).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// The description of an archive. No server listens at its address.
fn describe(
    file: &'static str,
    packed: &[u8],
    folder: &'static str,
    into: &'static str,
) -> Archive {
    let sum = Sha256::digest(packed)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<String>();
    Archive {
        file,
        url: format!("http://127.0.0.1:9/{file}").leak(),
        bytes: packed.len() as u64,
        sha256: sum.leak(),
        folder,
        into,
    }
}

/// An archive of 300 kB, so that the client's buffer is filled several times.
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

/// The names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Checks that the folder holds the complete set and nothing else.
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
    let (url, log) = serve(&packed, &[Reply::Right]);
    let seen = get(&archive, root.path(), &url).unwrap();
    assert_complete(root.path());
    assert_eq!(ranges(&log), [None]);
    assert_eq!(seen.first(), Some(&(0, archive.bytes)));
    assert_eq!(seen.last(), Some(&(archive.bytes, archive.bytes)));
    assert!(seen.is_sorted());
}

#[test]
fn a_dropped_connection_is_taken_up_where_it_broke() {
    let (packed, archive) = sample();
    let root = tempfile::tempdir().unwrap();
    let (url, log) = serve(&packed, &[Reply::Half, Reply::Half, Reply::Right]);
    get(&archive, root.path(), &url).unwrap();
    assert_complete(root.path());
    let half = packed.len() / 2;
    let more = half + (packed.len() - half) / 2;
    let asked = [
        None,
        Some(format!("bytes={half}-")),
        Some(format!("bytes={more}-")),
    ];
    assert_eq!(ranges(&log), asked);
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

    let (url, log) = serve(&packed, &[Reply::Right]);
    let seen = get(&archive, root.path(), &url).unwrap();
    assert_complete(root.path());
    assert_eq!(ranges(&log), [Some(format!("bytes={}-", packed.len() / 2))]);
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
    // Only one byte is left; half of it is nothing.
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
    let (url, log) = serve(&packed, &[Reply::Whole]);
    get(&archive, root.path(), &url).unwrap();
    assert_complete(root.path());
    assert_eq!(ranges(&log), [Some("bytes=14-".to_owned())]);
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
    let (url, log) = serve(&packed, &[Reply::Right, Reply::Right]);
    get(&archive, root.path(), &url).unwrap();
    assert_complete(root.path());
    assert_eq!(ranges(&log).last(), Some(&None));
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
    let cases: [(Reply, usize, &str); 6] = [
        (Reply::Status(404), 0, "the server answers with status 404"),
        (Reply::Status(500), 10, "the server answers with status 500"),
        (Reply::Page, 0, "the server offers 26 bytes instead of"),
        (Reply::Page, 10, "the server offers 26 bytes instead of"),
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
        // The bytes on disk are kept.
        let part = fs::read(root.path().join("set.tar.gz.part")).unwrap_or_default();
        assert!(have == 0 || part == packed[..have], "{message}");
    }
}

/// Login pages, proxies and mirrors may send anything with status 200. It must not replace what was downloaded before.
#[test]
fn an_answer_that_is_not_the_file_leaves_the_part_as_it_is() {
    let (packed, archive) = sample();
    let half = packed.len() / 2;
    let another = "the server's file differs from the";
    let cases: [(&[Reply], &[usize], &str); 8] = [
        (
            &[Reply::TypedPage],
            &[0, half],
            "something other than the file (text/html; charset=utf-8)",
        ),
        (
            &[Reply::PartialPage],
            &[half],
            "other than the file (text/html)",
        ),
        (
            &[Reply::LoginPage, Reply::TypedPage],
            &[0, half],
            "other than the file (text/html; charset=utf-8)",
        ),
        (
            &[Reply::Json],
            &[0, half],
            r#"(of no type, which begins with `{"error": "not logged in"}`)"#,
        ),
        (&[Reply::OtherFile], &[half], another),
        (&[Reply::WrongTotal], &[half], "bytes instead of"),
        (
            &[Reply::Shorter],
            &[half],
            "the server offers 7 bytes instead of",
        ),
        (
            &[Reply::Status(416)],
            &[half],
            "asked for what follows byte",
        ),
    ];
    for (replies, lengths, expected) in cases {
        for &have in lengths {
            let root = tempfile::tempdir().unwrap();
            let part = root.path().join("set.tar.gz.part");
            fs::write(&part, &packed[..have]).unwrap();
            let (url, _) = serve(&packed, replies);
            let message = get(&archive, root.path(), &url).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
            assert!(message.contains("By hand"), "{message}");
            assert!(fs::read(&part).unwrap() == packed[..have], "{message}");
        }
    }
}

/// If a server without range support sends bytes again, they are compared, not written again. So a lost connection does no harm.
#[test]
fn a_server_without_ranges_goes_on_from_what_is_there() {
    let (packed, archive) = sample();
    let root = tempfile::tempdir().unwrap();
    let part = root.path().join("set.tar.gz.part");
    let have = packed.len() - 10;
    fs::write(&part, &packed[..have]).unwrap();
    let (url, _) = serve(&packed, &[Reply::WholeHalf]);
    assert!(get(&archive, root.path(), &url).is_err());
    assert!(fs::read(&part).unwrap() == packed[..have]);
    let (url, _) = serve(&packed, &[Reply::Whole]);
    get(&archive, root.path(), &url).unwrap();
    assert_complete(root.path());
}

fn patience() -> Patience {
    Patience {
        silence: Duration::from_millis(300),
        pause: Duration::from_millis(20),
        connections: 5,
    }
}

fn get_patiently(archive: &Archive, root: &Path, url: &str) -> Result<(), Error> {
    let archives = std::slice::from_ref(archive);
    Archive::fetch_patiently(archives, root, Some(url), &patience(), &mut |_, _| {})
}

#[test]
fn a_server_that_gives_a_byte_at_a_time_is_given_up() {
    let (packed, archive) = sample();
    let root = tempfile::tempdir().unwrap();
    let (url, log) = serve(&packed, &[Reply::OneByte; 100]);
    let begun = Instant::now();
    let error = get_patiently(&archive, root.path(), &url).unwrap_err();
    // 20, 40, 80 and 160 ms.
    assert!(begun.elapsed() >= Duration::from_millis(300));
    assert_eq!(ranges(&log).len(), 5);
    let message = error.to_string();
    let said = "5 connections in a row were lost with next to nothing gained, the last after 5 of";
    assert!(message.contains(said), "{message}");
    let part = fs::read(root.path().join("set.tar.gz.part")).unwrap();
    assert!(part == packed[..5], "the same command goes on from there");
    let waits = Patience::default();
    assert_eq!(
        (waits.connections, waits.pause),
        (5, Duration::from_secs(1))
    );
}

#[test]
fn a_server_that_falls_silent_is_left_and_asked_again() {
    let (packed, archive) = sample();
    let root = tempfile::tempdir().unwrap();
    let (url, log) = serve(&packed, &[Reply::Stall, Reply::Right]);
    get_patiently(&archive, root.path(), &url).unwrap();
    assert_complete(root.path());
    let half = packed.len() / 2;
    assert_eq!(ranges(&log), [None, Some(format!("bytes={half}-"))]);
}

#[test]
fn what_is_no_address_is_refused_before_anything_is_done() {
    let (_, archive) = sample();
    for address in [
        "",
        "set.tar.gz",
        "/home/me/set.tar.gz",
        "ftp://host/a",
        "http://",
        "file:///a",
    ] {
        let root = tempfile::tempdir().unwrap();
        let error = get(&archive, root.path(), address).unwrap_err();
        let message = error.to_string();
        assert!(matches!(error, Error::Address { .. }), "{message}");
        assert!(message.contains("By hand"), "{message}");
        assert!(names(root.path()).is_empty());
    }
}

#[test]
fn a_set_that_the_disk_cannot_hold_is_refused() {
    let (_, mut archive) = sample();
    archive.bytes = 1 << 62;
    let root = tempfile::tempdir().unwrap();
    let message = get(&archive, root.path(), "http://127.0.0.1:9/")
        .unwrap_err()
        .to_string();
    let path = root.path().to_str().unwrap();
    for said in [
        path,
        "needs at least 9223372036854775808 bytes",
        "make room",
    ] {
        assert!(message.contains(said), "{message}");
    }
    assert!(names(root.path()).is_empty());
}

/// Links could lead out of the folder, and devices are not photographs.
#[test]
fn what_is_no_file_in_an_archive_is_left_out() {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::none()));
    let entries = [
        ("set/link", tar::EntryType::Symlink),
        ("set/hard", tar::EntryType::Link),
        ("set/fifo", tar::EntryType::Fifo),
        ("set/link/evil", tar::EntryType::Regular),
    ];
    for (name, kind) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(0);
        header.set_mode(0o644);
        if kind.is_symlink() || kind.is_hard_link() {
            header.set_link_name("../..").unwrap();
        }
        tar.append_data(&mut header, name, &[][..]).unwrap();
    }
    let packed = tar.into_inner().unwrap().finish().unwrap();
    let archive = describe("set.tar.gz", &packed, "set", "set");
    let outer = tempfile::tempdir().unwrap();
    let root = outer.path().join("data");
    fs::create_dir(&root).unwrap();
    fs::write(root.join("set.tar.gz"), &packed).unwrap();
    archive.fetch(&root, None, &mut |_, _| {}).unwrap();
    assert_eq!(names(outer.path()), ["data"]);
    assert_eq!(names(&root.join("set")), ["link"]);
    assert_eq!(names(&root.join("set/link")), ["evil"]);
}

#[test]
fn an_archive_that_swells_is_refused() {
    let zeros = vec![0; 3 << 20];
    let zip = zip(&[("set/a", &zeros)]);
    let tar = {
        let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::best()));
        let mut header = tar::Header::new_gnu();
        header.set_size(zeros.len() as u64);
        tar.append_data(&mut header, "set/a", zeros.as_slice())
            .unwrap();
        tar.into_inner().unwrap().finish().unwrap()
    };
    for (packed, name) in [(zip, "set.zip"), (tar, "set.tar.gz")] {
        let archive = describe(name, &packed, "set", "set");
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join(name), &packed).unwrap();
        let message = archive
            .fetch(root.path(), None, &mut |_, _| {})
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("unpacks to more data than photographs need"),
            "{message}"
        );
        assert_eq!(names(root.path()), [name]);
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

/// A process that is killed during unpacking leaves a large folder behind. It must be removed.
#[test]
fn what_a_killed_process_has_unpacked_is_removed() {
    let (packed, archive) = sample();
    let root = tempfile::tempdir().unwrap();
    let left = root.path().join(".unpack-set.tar.gz/folder");
    fs::create_dir_all(&left).unwrap();
    fs::write(left.join("b.bin"), "half").unwrap();
    let (url, _) = serve(&packed, &[Reply::Right]);
    get(&archive, root.path(), &url).unwrap();
    assert_complete(root.path());
}

/// Two processes at once would unpack into the same folder.
#[test]
fn an_archive_that_another_process_unpacks_is_left_to_it() {
    let (packed, archive) = sample();
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join(archive.file);
    fs::write(&path, &packed).unwrap();
    let other = fs::File::open(&path).unwrap();
    other.try_lock().unwrap();
    let busy = problem(get(&archive, root.path(), archive.url));
    assert!(matches!(busy, Problem::Busy), "{busy}");
    drop(other);
    get(&archive, root.path(), archive.url).unwrap();
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
    let entries: [(&str, &[u8]); 7] = [
        ("set/../evil", b"1"),
        ("../evil", b"2"),
        ("evil", b"3"),
        ("set/deep/../../../evil", b"4"),
        ("/evil", b"5"),
        ("set/good", b"6"),
        ("set/deep/good", b"7"),
    ];
    let zip = zip(&entries);
    let zipped = describe("set.zip", &zip, "set", "set");
    let (tar, tarred) = pack(&entries);
    for (packed, archive) in [(zip, zipped), (tar, tarred)] {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join(archive.file), &packed).unwrap();
        archive.fetch(root.path(), None, &mut |_, _| {}).unwrap();
        assert_eq!(names(root.path()), ["set", archive.file]);
        assert_eq!(names(&root.path().join("set")), ["deep", "good"]);
        assert_eq!(names(&root.path().join("set/deep")), ["good"]);
    }
}

/// A set of three archives: two `.zip` files with branches of one tree, and a file that is not packed.
fn several() -> [(Vec<u8>, Archive); 3] {
    let noise: Vec<u8> = (0..100_000_u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let first = zip(&[
        ("tree/train/0/a.bin", &noise),
        ("tree/train/1/b.bin", b"b"),
        ("tree/readme", b"not wanted"),
    ]);
    let second = zip(&[("c.bin", &noise[1..]), ("deep/d.bin", b"d")]);
    let third = noise[2..].to_vec();
    let described = [
        describe("first.zip", &first, "tree/train", "set/train"),
        describe("second.zip", &second, "", "set"),
        describe("third.bin", &third, "", "set"),
    ];
    let mut packed = [first, second, third].into_iter();
    described.map(|archive| (packed.next().unwrap(), archive))
}

/// Fetches the set of several archives from the folder `url`. Returns the progress.
fn get_all(root: &Path, url: &str) -> Result<Vec<(u64, u64)>, Error> {
    let (archives, mut seen) = (several().map(|(_, archive)| archive), Vec::new());
    Archive::fetch_all(&archives, root, Some(url), &mut |done, total| {
        seen.push((done, total));
    })?;
    Ok(seen)
}

/// Serves the set of several archives.
fn serve_all(replies: &[Reply]) -> (String, Log) {
    let several = several();
    let files = several
        .each_ref()
        .map(|(packed, archive)| (archive.file, packed.as_slice()));
    serve_folder(&files, replies)
}

/// Checks that the folder holds the complete set of several archives and nothing else.
fn assert_all_complete(root: &Path) {
    let set = root.join("set");
    assert_eq!(names(root), ["set"]);
    assert_eq!(names(&set), ["c.bin", "deep", "third.bin", "train"]);
    assert_eq!(names(&set.join("train")), ["0", "1"]);
    let length = |name| fs::metadata(set.join(name)).unwrap().len();
    assert_eq!(
        [length("train/0/a.bin"), length("train/1/b.bin")],
        [100_000, 1]
    );
    assert_eq!([length("c.bin"), length("deep/d.bin")], [99_999, 1]);
    assert_eq!(length("third.bin"), 99_998);
}

#[test]
fn several_archives_become_one_set_with_one_progress() {
    let root = tempfile::tempdir().unwrap();
    let (url, log) = serve_all(&[Reply::Right; 3]);
    let seen = get_all(root.path(), &url).unwrap();
    assert_all_complete(root.path());
    let asked = ["first.zip", "second.zip", "third.bin"].map(|name| (name.to_owned(), None));
    assert_eq!(*log.lock().unwrap(), asked);
    let total = several().iter().map(|(_, archive)| archive.bytes).sum();
    assert_eq!(seen.first(), Some(&(0, total)));
    assert_eq!(seen.last(), Some(&(total, total)));
    assert!(seen.is_sorted());
}

#[test]
fn of_several_archives_none_is_asked_for_again() {
    let root = tempfile::tempdir().unwrap();
    let (url, _) = serve_all(&[Reply::Right, Reply::Half]);
    assert!(matches!(
        problem(get_all(root.path(), &url)),
        Problem::Unreachable(_)
    ));
    assert_eq!(
        names(root.path()),
        ["first.zip.part", "second.zip.part"],
        "nothing is unpacked before all are there"
    );

    let (url, log) = serve_all(&[Reply::Right; 2]);
    let seen = get_all(root.path(), &url).unwrap();
    assert_all_complete(root.path());
    let [(first, _), (second, _), _] = several();
    let half = second.len() / 2;
    let asked = [
        ("second.zip".to_owned(), Some(format!("bytes={half}-"))),
        ("third.bin".to_owned(), None),
    ];
    assert_eq!(*log.lock().unwrap(), asked);
    assert_eq!(seen[0].0, (first.len() + half) as u64);
}

#[test]
fn of_several_archives_those_put_there_by_hand_are_used_and_kept() {
    let root = tempfile::tempdir().unwrap();
    let [(first, _), _, (third, _)] = several();
    fs::write(root.path().join("first.zip"), first).unwrap();
    fs::write(root.path().join("third.bin"), third).unwrap();
    let (url, log) = serve_all(&[Reply::Right]);
    get_all(root.path(), &url).unwrap();
    assert_eq!(*log.lock().unwrap(), [("second.zip".to_owned(), None)]);
    for name in ["first.zip", "third.bin"] {
        fs::remove_file(root.path().join(name)).unwrap();
    }
    assert_all_complete(root.path());
}

#[test]
fn a_damaged_tree_is_repaired_and_foreign_files_stay() {
    let root = tempfile::tempdir().unwrap();
    let train = root.path().join("set/train");
    fs::create_dir_all(train.join("0")).unwrap();
    fs::write(train.join("0/a.bin"), b"damaged").unwrap();
    fs::write(train.join("0/notes.txt"), b"mine").unwrap();
    let (url, _) = serve_all(&[Reply::Right; 3]);
    get_all(root.path(), &url).unwrap();
    assert_eq!(fs::read(train.join("0/notes.txt")).unwrap(), b"mine");
    fs::remove_file(train.join("0/notes.txt")).unwrap();
    assert_all_complete(root.path());
}

#[test]
fn a_zip_that_cannot_be_read_is_named_and_leaves_nothing() {
    let packed = zip(&[("set/a", &[7; 1000]), ("set/b", b"b")]);
    // One is cut in the directory at the end. The other is changed inside a compressed file, which the entry's checksum detects.
    let cut = packed[..packed.len() - 30].to_vec();
    let mut changed = packed;
    changed[40] ^= 0x55;
    for damaged in [cut, changed] {
        let archive = describe("set.zip", &damaged, "set", "set");
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("set.zip"), &damaged).unwrap();
        let message = archive
            .fetch(root.path(), None, &mut |_, _| {})
            .unwrap_err()
            .to_string();
        assert!(message.contains("set.zip"), "{message}");
        assert!(message.contains("cannot be unpacked"), "{message}");
        assert_eq!(names(root.path()), ["set.zip"]);
    }
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
    let message = brink_data::fetch(Id::Cifar10Jpeg, root.path(), None, &mut |_, _| {})
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
    let message = brink_data::fetch(Id::Cifar10, root.path(), Some(&url), &mut |_, _| {})
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

#[test]
fn sets_of_several_archives_name_each_file_at_a_mirror() {
    for (id, first) in [
        (Id::Gtsrb, "GTSRB_Final_Training_Images.zip"),
        (Id::Flowers102, "102flowers.tgz"),
    ] {
        let root = tempfile::tempdir().unwrap();
        let (url, log) = serve_folder(&[(first, &[])], &[Reply::Status(404)]);
        let message = brink_data::fetch(id, root.path(), Some(&format!("{url}/")), &mut |_, _| {})
            .unwrap_err()
            .to_string();
        assert_eq!(*log.lock().unwrap(), [(first.to_owned(), None)]);
        let archive = &id.info().archives[0];
        for part in [archive.url, archive.sha256, "404"] {
            assert!(message.contains(part), "{part} is not in: {message}");
        }
    }
}
