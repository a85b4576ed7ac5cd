//! Results that were edited, damaged or exchanged. Every command reports them.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use brink_verify::{Images, LabelSpace, Layout, SecretKey, SensitiveSet};
use common::{GRID, Place, edit, hex, parsed};
use serde_json::{Value, json};

/// A finished run of the miniature, with one attack seed.
static DONE: LazyLock<Place> = LazyLock::new(|| {
    let place = Place::new(&GRID.replace("attack_seeds: 2", "attack_seeds: 1"));
    place.succeed(&["grid.yaml"]);
    place
});

/// Arguments for another attack seed, which tests with all sets again.
const MORE: [&str; 3] = ["grid.yaml", "--set", "attack_seeds=2"];

/// The records of one kind under `place`, in a fixed order.
fn files(place: &Place, kind: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(place.results().join("store").join(kind))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            if path.is_dir() {
                path.join("record.json")
            } else {
                path
            }
        })
        .collect();
    files.sort();
    files
}

/// The first record of `kind` for which `is` holds.
fn find(place: &Place, kind: &str, is: impl Fn(&Value) -> bool) -> PathBuf {
    let found = files(place, kind)
        .into_iter()
        .find(|path| is(&parsed(path)));
    found.expect("there is such a record")
}

/// Checks that all commands refuse bad results. Returns the first line of `check`.
fn refused(place: &Place) -> String {
    let csv = place.results().join("mini/table3.csv");
    let before = fs::read(&csv).unwrap();
    let table = place.run(&["table", "grid.yaml"]);
    assert_eq!(table.code, Some(2), "{}{}", table.stdout, table.stderr);
    assert_eq!(table.stdout, "");
    assert_eq!(fs::read(&csv).unwrap(), before, "the table was written");
    // A run refuses them, too.
    let run = place.run(&MORE);
    assert_eq!((run.code, &run.stderr), (Some(2), &table.stderr));
    let check = place.run(&["check", "grid.yaml"]);
    assert_eq!(check.code, Some(1), "{}", check.stdout);
    assert_eq!(check.stderr.lines().count(), 1, "{}", check.stderr);
    let first = check.stdout.lines().next().unwrap().to_owned();
    assert!(table.stderr.starts_with("error: "), "{}", table.stderr);
    assert!(table.stderr.contains(&first), "{}", table.stderr);
    first
}

#[test]
fn results_that_hold_are_counted() {
    let place = DONE.copy();
    let answer = place.succeed(&["check", "grid.yaml"]);
    insta::assert_snapshot!(answer.stdout);
}

#[test]
fn results_of_before_checksums_hold_and_say_so() {
    let place = DONE.copy();
    let table = fs::read(place.results().join("mini/table3.csv")).unwrap();
    for kind in ["targets", "sets", "runs"] {
        for path in files(&place, kind) {
            let mut record = parsed(&path);
            let fields = record.as_object_mut().unwrap();
            fields["format"] = json!(1);
            fields.shift_remove("sha256");
            fields.shift_remove("samples_sha256");
            fields.shift_remove("target_sha256");
            fs::write(&path, serde_json::to_string_pretty(&record).unwrap()).unwrap();
        }
    }
    place.succeed(&["table", "grid.yaml"]);
    assert_eq!(
        fs::read(place.results().join("mini/table3.csv")).unwrap(),
        table
    );
    let answer = place.succeed(&["check", "grid.yaml"]);
    insta::assert_snapshot!(answer.stdout);
    // Old samples are used, with a warning, if the untouched model gives them their labels.
    let answer = place.succeed(&MORE);
    let said = "because an older version made them";
    assert_eq!(answer.stderr.matches(said).count(), 4, "{}", answer.stderr);
}

#[test]
fn an_edited_record_is_refused() {
    let place = DONE.copy();
    let path = find(&place, "runs", |run| run["generator"] == "dbi");
    let whole = fs::read_to_string(&path).unwrap();
    for (what, into) in [
        ("\"hits\": ", "\"hits\": 1"),
        ("\"seed\": 0", "\"seed\": 00"),
        ("dbi", "aid"),
        ("\"format\": 2", "\"format\": 1"),
        ("\n}", "}"),
        ("\"sha256\"", "\"sha257\""),
    ] {
        assert!(whole.contains(what), "{what} is not in {whole}");
        fs::write(&path, whole.replacen(what, into, 1)).unwrap();
        let said = refused(&place);
        let name = path
            .strip_prefix(place.path())
            .unwrap()
            .display()
            .to_string();
        assert!(said.starts_with(&name), "{said}");
        assert!(said.contains("delete it and run the grid again"), "{said}");
    }
}

#[test]
fn an_edited_record_with_a_corrected_checksum_is_refused_where_it_contradicts_the_grid_or_another_record()
 {
    let place = DONE.copy();
    let other = "0123456789abcdef";
    type Edit = fn(&mut Value);
    let runs: [(&str, Edit); 13] = [
        ("both members flipped in 99 pairs", |run| {
            run["both"] = json!(99);
        }),
        ("single is out of 0", |run| {
            run["single"] = json!({"hits": 0, "of": 0});
        }),
        ("flipped", |run| run["single"]["hits"] = json!(5)),
        ("it counts 4 images and 2 pairs", |run| {
            run["single"] = json!({"hits": 0, "of": 4});
            run["pair"] = json!({"hits": 0, "of": 2});
            run["both"] = json!(0);
            run["classes"] = Value::Null;
        }),
        ("`generator` is \"dbi\"", |run| {
            run["generator"] = json!("dbi");
        }),
        ("`attack` is \"prune\"", |run| {
            run["attack"] = json!("prune");
        }),
        ("`spec` is", |run| run["spec"]["lr"] = json!(1e-4)),
        ("`spec`: unknown field", |run| {
            run["spec"]["rl"] = json!(1e-4);
        }),
        ("`set` is", |run| run["set"] = json!("0123456789abcdef")),
        ("`target` is", |run| {
            run["target"] = json!("0123456789abcdef");
        }),
        ("`seed` is 7", |run| run["seed"] = json!(7)),
        ("holds the record of", |run| {
            run["id"] = json!("0123456789abcdef");
        }),
        ("accuracy_before is", |run| {
            run["accuracy_before"]["hits"] = json!(0);
        }),
    ];
    let sets: [(&str, Edit); 5] = [
        ("`generator` is \"dbi\"", |set| {
            set["generator"] = json!("dbi");
        }),
        ("`target` is", |set| {
            set["target"] = json!("0123456789abcdef");
        }),
        ("`spec` is", |set| set["spec"]["samples"] = json!(7)),
        ("label_balance counts 13 images", |set| {
            set["label_balance"] = json!([6, 7]);
        }),
        ("`head_balance` is Some(0.25)", |set| {
            set["head_balance"] = json!(0.25);
        }),
    ];
    let targets: [(&str, Edit); 4] = [
        ("`dataset` is \"cifar10\"", |target| {
            target["dataset"] = json!("cifar10");
        }),
        ("`model` is \"vgg16\"", |target| {
            target["model"] = json!("vgg16");
        }),
        ("`spec` is", |target| {
            target["spec"]["train"]["epochs"] = json!(2);
        }),
        ("`seed` is 7", |target| target["seed"] = json!(7)),
    ];
    let ours = |record: &Value| record["generator"] == "ours";
    let changed = |record: &Value| ours(record) && record["spec"]["lr"] == 1e-3;
    let cases = [
        (find(&place, "runs", changed), &runs[..]),
        (find(&place, "sets", ours), &sets),
        (find(&place, "targets", |_| true), &targets),
    ];
    assert_eq!(other.len(), 16);
    for (path, edits) in cases {
        let whole = fs::read(&path).unwrap();
        for (said, change) in edits {
            edit(&path, change);
            let first = refused(&place);
            assert!(first.contains(said), "{first}, not {said}");
            fs::write(&path, &whole).unwrap();
        }
    }
    place.succeed(&["check", "grid.yaml"]);
}

/// The key of the miniature.
fn key() -> SecretKey {
    SecretKey::from_passphrase(b"test").unwrap()
}

/// Replaces the samples of `record`, and corrects their checksum in all records.
fn put_samples(place: &Place, record: &Path, bytes: &[u8]) {
    fs::write(record.with_file_name("set.safetensors"), bytes).unwrap();
    let sum = json!(hex(bytes));
    let old = parsed(record)["samples_sha256"].clone();
    edit(record, |record| record["samples_sha256"] = sum.clone());
    let runs = files(place, "runs").into_iter();
    for run in runs.filter(|run| parsed(run)["samples_sha256"] == old) {
        edit(&run, |run| run["samples_sha256"] = sum.clone());
    }
}

/// Changes the set of `generator` and seals it with the owner's key.
fn exchange(place: &Place, generator: &str, change: impl FnOnce(&mut SensitiveSet)) {
    let record = find(place, "sets", |set| set["generator"] == generator);
    let path = record.with_file_name("set.safetensors");
    let mut set = SensitiveSet::load(&path, &key()).unwrap();
    change(&mut set);
    put_samples(place, &record, &set.to_bytes(&key()).unwrap());
}

/// Runs steps that need all sets. Returns the error about the unusable set.
fn unusable(place: &Place) -> String {
    let answer = place.run(&MORE);
    assert_eq!(answer.code, Some(1), "{}", answer.stderr);
    let error = answer
        .stderr
        .lines()
        .find(|line| line.starts_with("error: "));
    error.expect("an error").to_owned()
}

#[test]
fn samples_of_another_model_are_refused() {
    let place = DONE.copy();
    // The same generator and number of samples, but for a target that was trained from another seed.
    let other = place.copy();
    other.succeed(&[
        "grid.yaml",
        "--force",
        "--set",
        "seed=1",
        "--only",
        "*/ours",
    ]);
    let ours = |set: &Value| set["generator"] == "ours";
    let own = find(&place, "sets", ours);
    let foreign = find(&other, "sets", |set| {
        ours(set) && set["id"] != parsed(&own)["id"]
    });
    let samples = foreign.with_file_name("set.safetensors");
    fs::copy(&samples, own.with_file_name("set.safetensors")).unwrap();
    let said = unusable(&place);
    assert!(said.contains("its SHA-256 is"), "{said}");
    assert!(said.contains("to make it again"), "{said}");
    let check = place.run(&["check", "grid.yaml"]);
    assert_eq!(check.code, Some(1));
    assert!(
        check.stdout.contains("set.safetensors: its SHA-256 is"),
        "{}",
        check.stdout
    );
    // Now with the right checksum in all records.
    put_samples(&place, &own, &fs::read(&samples).unwrap());
    let said = unusable(&place);
    assert!(said.contains("its pixels is"), "{said}");
}

#[test]
fn samples_that_were_changed_and_sealed_again_are_refused() {
    type Change = fn(&mut SensitiveSet);
    let changes: [(&str, Change); 6] = [
        ("its generator is \"dbi\"", |set| {
            set.generator = "dbi".to_owned();
        }),
        ("its pixels is", |set| {
            let grey = vec![0.5; set.images.data().len()];
            set.images = Images::new(set.images.shape(), grey).unwrap();
        }),
        ("its label balance is", |set| {
            set.labels[0] = 1 - set.labels[0];
        }),
        ("of its images another label", |set| {
            set.labels.iter_mut().for_each(|label| *label = 1 - *label);
        }),
        ("its layout is Singles", |set| set.layout = Layout::Singles),
        ("its label space is Classes", |set| {
            set.label_space = LabelSpace::Classes;
            set.key_check = None;
        }),
    ];
    for (said, change) in changes {
        let place = DONE.copy();
        exchange(&place, "ours", change);
        let error = unusable(&place);
        assert!(error.contains(said), "{error}, not {said}");
    }
}

#[test]
fn samples_that_another_key_sealed_are_refused() {
    let place = DONE.copy();
    let record = find(&place, "sets", |set| set["generator"] == "validset");
    let path = record.with_file_name("set.safetensors");
    let set = SensitiveSet::load(&path, &key()).unwrap();
    let stranger = SecretKey::from_passphrase(b"a stranger").unwrap();
    let bytes = set.to_bytes(&stranger).unwrap();
    put_samples(&place, &record, &bytes);
    let error = unusable(&place);
    assert!(error.contains("this key did not seal the set"), "{error}");
}

#[test]
fn a_flipped_bit_of_a_saved_state_is_told() {
    let place = Place::new(&GRID.replace("epochs: 1", "epochs: 1000"));
    let state = killed_with_a_state(&place, &["grid.yaml"]);
    let mut bytes = fs::read(&state).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&state, bytes).unwrap();
    let answer = place.run(&["grid.yaml"]);
    assert_eq!(answer.code, Some(1), "{}", answer.stderr);
    let name = state
        .strip_prefix(place.path())
        .unwrap()
        .display()
        .to_string();
    let said = format!("{name} is damaged: delete it and run the grid again");
    assert!(answer.stderr.contains(&said), "{}", answer.stderr);
    assert!(
        answer.stderr.contains("its checksum does not match"),
        "{}",
        answer.stderr
    );
}

/// Runs until a state is saved, then kills the program. Returns the file of the state.
fn killed_with_a_state(place: &Place, arguments: &[&str]) -> PathBuf {
    let folder = place.results().join("store/state");
    let state = || {
        let names = fs::read_dir(&folder).ok()?;
        let mut paths = names.map(|entry| entry.unwrap().path());
        // Ignore a state that is still being written.
        paths.find(|path| !path.to_string_lossy().contains(".partial"))
    };
    let all = [arguments, &["--save-every", "1"]].concat();
    let mut command = place.command(&all);
    let mut child = command.stderr(std::process::Stdio::null()).spawn().unwrap();
    while state().is_none() {
        assert_eq!(child.try_wait().unwrap(), None, "it ended without a state");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    state().unwrap()
}

#[test]
fn the_state_of_another_step_is_refused() {
    let place = Place::new(&GRID.replace("epochs: 1", "epochs: 1000"));
    let target = ["grid.yaml", "--set", "generators=[]", "--set", "attacks=[]"];
    let other = [&target[..], &["--set", "seed=1"]].concat();
    let state = killed_with_a_state(&place, &other);
    let plan = place.succeed(&["plan", "grid.yaml"]).stdout;
    let id = plan
        .split_whitespace()
        .find(|word| word.len() == 16)
        .unwrap();
    fs::rename(&state, state.with_file_name(id)).unwrap();
    let answer = place.run(&target);
    assert_eq!(answer.code, Some(1), "{}", answer.stderr);
    assert!(
        answer.stderr.contains("it is the state of step"),
        "{}",
        answer.stderr
    );
}

/// A target was made again from other images or weights, but records depend on the old one.
#[test]
fn what_rests_on_another_target_is_refused() {
    let place = DONE.copy();
    let target = find(&place, "targets", |_| true);
    edit(&target, |target| {
        target["content"]["sha256"] = json!("0".repeat(64));
    });
    let first = refused(&place);
    assert!(
        first.contains("it rests on other weights or images"),
        "{first}"
    );

    // The samples of a set were made again and differ, but the runs used the old ones.
    let place = DONE.copy();
    let set = find(&place, "sets", |set| set["generator"] == "dbi");
    edit(&set, |set| set["samples_sha256"] = json!("0".repeat(64)));
    let first = refused(&place);
    assert!(first.contains("it used other samples"), "{first}");
}

#[test]
fn a_record_that_others_rest_on_is_missed() {
    for (kind, needed) in [("sets", 3), ("targets", 16)] {
        let place = DONE.copy();
        let gone = find(&place, kind, |_| true);
        fs::remove_file(&gone).unwrap();
        let table = place.run(&["table", "grid.yaml"]);
        assert_eq!(table.code, Some(2), "{}", table.stderr);
        let name = gone
            .strip_prefix(place.path())
            .unwrap()
            .display()
            .to_string();
        let said = format!("{name} is gone, but {needed} records depend on it");
        assert!(table.stderr.contains(&said), "{}", table.stderr);
        assert_eq!(place.run(&["check", "grid.yaml"]).code, Some(1));
        // A run makes it again with the same bits, so nothing is missing.
        place.succeed(&["grid.yaml"]);
        place.succeed(&["check", "grid.yaml"]);
    }
}

/// A record without a checksum cannot depend on one with a checksum.
#[test]
fn a_record_that_is_put_back_to_format_1_is_refused() {
    let place = DONE.copy();
    let run = find(&place, "runs", |run| run["generator"] == "dbi");
    let mut record = parsed(&run);
    let fields = record.as_object_mut().unwrap();
    fields["format"] = json!(1);
    for field in ["sha256", "samples_sha256", "target_sha256"] {
        fields.shift_remove(field);
    }
    fs::write(&run, serde_json::to_string_pretty(&record).unwrap()).unwrap();
    let first = refused(&place);
    assert!(
        first.contains("it has no checksum, and the record of its target has one"),
        "{first}"
    );
}
