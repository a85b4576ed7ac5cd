//! One signal ends the program, whatever it is doing, and damages nothing.
#![cfg(unix)]

mod common;

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::{GRID, Place, signal};

/// What a signal may take to end the program. An idle machine needs two seconds at most.
const PROMPTLY: Duration = Duration::from_secs(6);

fn start(place: &Place, arguments: &[&str]) -> Child {
    let mut command = place.command(arguments);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// Reads what the program says, up to a line with `end`.
fn read_until(child: &mut Child, end: &str) -> BufReader<impl Read + use<>> {
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains(end) {
        line.clear();
        assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "no {end}");
    }
    stderr
}

/// Sends the signal, and returns what the program then says.
fn interrupt(mut child: Child, mut stderr: impl Read, name: &str, code: i32) -> String {
    let began = Instant::now();
    signal(&child, name);
    let ended = child.wait().unwrap().code();
    let took = began.elapsed();
    let mut said = String::new();
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!(ended, Some(code), "{said}");
    assert!(took < PROMPTLY, "{took:?}");
    said
}

/// Whether the program said last that a step was interrupted, and how much of its work is lost.
fn tells_the_loss(said: &str, step: &str) -> bool {
    let last = said.lines().last().unwrap_or_default();
    last.starts_with(&format!("error: {step}: interrupted; its last "))
        && last.ends_with(" s are not saved; run the same command to go on")
}

/// One step of training, whose state is saved; then all 2,000 embedded test images.
#[test]
fn while_a_model_is_tested() {
    let grid = GRID
        .replace("images: 300, batch: 50", "images: 10, batch: 10")
        .replace("    test_images: 100\n", "");
    let only = ["grid.yaml", "--set", "generators=[]", "--set", "attacks=[]"];
    let place = Place::new(&grid);
    // The portable code takes long enough to be interrupted, and computes the same bits.
    let slowly = ["--isa", "portable", "--save-every", "1"];
    let mut child = start(&place, &[&only[..], &slowly].concat());
    while place.states() == 0 {
        assert_eq!(child.try_wait().unwrap(), None);
        sleep(Duration::from_millis(5));
    }
    let stderr = read_until(&mut child, "begins");
    sleep(Duration::from_millis(500));
    let said = interrupt(child, stderr, "INT", 130);
    assert!(tells_the_loss(&said, "fashion-mnist-resnet20"), "{said}");
    assert_eq!((place.records().len(), place.states()), (0, 1));

    place.succeed(&only);
    let undisturbed = Place::new(&grid);
    undisturbed.succeed(&only);
    assert_eq!(place.records(), undisturbed.records());
    assert_eq!(place.payloads(), undisturbed.payloads());
}

#[test]
fn in_the_middle_of_an_iteration_of_minutes() {
    let place = Place::new(&GRID.replace("ours: {samples: 6", "ours: {samples: 4000"));
    place.succeed(&["grid.yaml", "--set", "generators=[]", "--set", "attacks=[]"]);
    let run = ["grid.yaml", "--only", "*/ours", "--isa", "portable"];

    let mut child = start(&place, &run);
    let stderr = read_until(&mut child, "ours: begins");
    sleep(Duration::from_secs(4));
    let said = interrupt(child, stderr, "TERM", 143);
    let step = "fashion-mnist-resnet20/ours";
    assert!(tells_the_loss(&said, step), "{said}");

    // A second signal waits for nothing, and so nothing is said.
    let mut child = start(&place, &run);
    let stderr = read_until(&mut child, "ours: begins");
    sleep(Duration::from_secs(4));
    signal(&child, "INT");
    sleep(Duration::from_millis(200));
    assert_eq!(interrupt(child, stderr, "TERM", 143), "");
}

/// A million points, twice.
#[test]
fn while_a_plane_is_cut() {
    let grid = GRID.replace("resnet20", "resnet20\n    width: 0.5");
    let place = Place::new(&format!("{grid}slice: {{attack: identity, side: 999}}\n"));
    let mut child = start(&place, &["grid.yaml", "--only", "*/slice"]);
    let stderr = read_until(&mut child, "slice: begins");
    sleep(Duration::from_secs(1));
    let said = interrupt(child, stderr, "INT", 130);
    assert!(said.contains("/ours/slice: interrupted; "), "{said}");
}

/// While the grid file is being read, of which nobody writes any.
#[test]
fn before_there_is_a_plan() {
    let place = Place::new(GRID);
    let pipe = place.path().join("pipe.yaml");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let mut child = start(&place, &["plan", "pipe.yaml"]);
    // Opening it waits for a reader.
    let _writer = File::options().write(true).open(&pipe).unwrap();
    let stderr = child.stderr.take().unwrap();
    let said = interrupt(child, stderr, "TERM", 143);
    assert_eq!(said, "error: interrupted; run the same command to go on\n");
}

/// From a server that takes the connection and does not answer.
#[test]
fn while_data_is_fetched() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/data", server.local_addr().unwrap());
    let place = Place::new(GRID);
    let fetch = ["data", "fetch", "cifar10", "--data", ".", "--url", &url];
    let mut child = start(&place, &fetch);
    let _connection = server.accept().unwrap();
    let stderr = child.stderr.take().unwrap();
    let said = interrupt(child, stderr, "INT", 130);
    assert_eq!(said, "error: interrupted; run the same command to go on\n");
}
