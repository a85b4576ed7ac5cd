//! The program may be killed or stopped at any moment. The same command then resumes, and gives the records of an
//! undisturbed run.

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use brink_random::Stream;
use common::{GRID, Place, signal};

fn start(place: &Place, arguments: &[&str]) -> Child {
    let mut command = place.command(arguments);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

fn assert_same(place: &Place, undisturbed: &Place) {
    assert_eq!(place.records(), undisturbed.records());
    assert_eq!(place.payloads(), undisturbed.payloads());
    assert_eq!(place.states(), 0);
}

#[test]
fn killed_at_ten_random_moments() {
    let undisturbed = Place::new(GRID);
    let began = Instant::now();
    undisturbed.succeed(&["grid.yaml"]);
    let whole = began.elapsed();

    let arguments = ["grid.yaml", "--save-every", "1"];
    let mut place = Place::new(GRID);
    let mut stream = Stream::new(20).split("kill");
    let (mut kills, mut half_way) = (0, 0);
    while kills < 10 {
        let mut child = start(&place, &arguments);
        sleep(whole.mul_f32(0.02 + 0.13 * stream.uniform()));
        if child.try_wait().unwrap().is_some() {
            assert_same(&place, &undisturbed);
            place = Place::new(GRID);
            continue;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        half_way += usize::from(place.states() > 0);
    }
    assert!(half_way > 0, "no kill hit a step with a saved state");
    let answer = place.succeed(&arguments);
    assert!(
        answer.stdout.contains("false alarms: 0 of"),
        "{}",
        answer.stdout
    );
    assert_same(&place, &undisturbed);
}

#[cfg(unix)]
#[test]
fn interrupted_it_saves_its_state_and_goes_on_later() {
    for (name, code) in [("INT", 130), ("TERM", 143)] {
        interrupted_by(name, code);
    }
}

#[cfg(unix)]
fn interrupted_by(name: &str, code: i32) {
    let grid = GRID.replace(
        "epochs: 1, images: 300, batch: 50",
        "epochs: 2, images: 300, batch: 10",
    );
    let place = Place::new(&grid);
    let mut command = place.command(&["grid.yaml", "--only", "*/ours", "--save-every", "20"]);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    while place.states() == 0 {
        assert_eq!(child.try_wait().unwrap(), None);
        sleep(Duration::from_millis(5));
    }
    signal(&child, name);
    let mut said = String::new();
    let mut stderr = child.stderr.take().unwrap();
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(code), "{said}");
    let last = "error: fashion-mnist-resnet20: interrupted; its state is saved; run the same command to go on\n";
    assert!(said.ends_with(last), "{said}");
    assert_eq!(place.states(), 1);
    let status = place.succeed(&["status", "grid.yaml"]).stdout;
    assert!(
        status.contains("half-way: fashion-mnist-resnet20\n"),
        "{status}"
    );

    place.succeed(&["grid.yaml", "--only", "*/ours"]);
    let undisturbed = Place::new(&grid);
    undisturbed.succeed(&["grid.yaml", "--only", "*/ours"]);
    assert_same(&place, &undisturbed);
}

/// As under `nohup`: the run survives the end of its terminal.
#[cfg(unix)]
#[test]
fn an_ignored_hangup_does_not_end_it() {
    let place = Place::new(&GRID.replace("epochs: 1", "epochs: 3"));
    let nothing = ["generators=[]", "attacks=[]", "reports=[]"];
    let nothing = nothing.iter().flat_map(|change| ["--set", *change]);
    let arguments: Vec<&str> = std::iter::once("grid.yaml").chain(nothing).collect();
    let runner = place.command(&arguments);
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]);
    shell.arg(runner.get_program()).args(runner.get_args());
    let mut child = shell
        .current_dir(place.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    stderr.read_line(&mut said).unwrap();
    assert!(said.ends_with("fashion-mnist-resnet20: begins\n"), "{said}");
    signal(&child, "HUP");
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{said}");
}

#[test]
fn two_runners_do_not_share_a_results_folder() {
    let place = Place::new(&GRID.replace("epochs: 1", "epochs: 1000"));
    let mut first = start(&place, &["grid.yaml"]);
    let lock = place.results().join("store/lock");
    while fs::metadata(&lock).map_or(0, |lock| lock.len()) == 0 {
        sleep(Duration::from_millis(10));
    }
    let second = place.run(&["grid.yaml"]);
    // Reading is allowed meanwhile.
    let status = place.run(&["status", "grid.yaml"]);
    let pid = first.id();
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(second.code, Some(2), "{}", second.stderr);
    let holder = format!("is in use by process {pid} on ");
    assert!(second.stderr.contains(&holder), "{}", second.stderr);
    assert_eq!(status.code, Some(0), "{}", status.stderr);
}
