//! `data list`, `data fetch`, and targets whose images have changed.

mod common;

use std::fs;

use common::{GRID, Place, edit};

#[test]
fn a_fetch_that_cannot_begin_is_refused_and_one_that_fails_has_failed() {
    const ARCHIVE: &str = "cifar-10-binary.tar.gz";
    let nobody = "http://127.0.0.1:9/";
    let cases: [(&[&str], i32, &str); 6] = [
        (&["cifar10"], 2, "--data DIR"),
        (
            &["cifar10-jpeg", "--data", "d"],
            2,
            "cannot be downloaded by this program",
        ),
        (&["cifar10", "--data", "grid.yaml"], 2, "grid.yaml"),
        (
            &["cifar10", "--data", "d", "--url", "my.tar.gz"],
            2,
            "my.tar.gz is not the address",
        ),
        (&["cifar10", "--data", "here"], 2, "sha256 of the file is"),
        (
            &["cifar10", "--data", "d", "--url", nobody],
            1,
            "cannot be reached",
        ),
    ];
    for (arguments, code, said) in cases {
        let place = Place::new(GRID);
        fs::create_dir(place.path().join("here")).unwrap();
        fs::write(place.path().join("here").join(ARCHIVE), "not it").unwrap();
        let answer = place.run(&[&["data", "fetch"], arguments].concat());
        assert_eq!(answer.code, Some(code), "{arguments:?}: {}", answer.stderr);
        assert!(answer.stderr.contains(said), "{}", answer.stderr);
        assert!(!answer.stderr.contains("panicked"), "{}", answer.stderr);
    }
}

#[test]
fn a_list_is_given_whatever_lies_in_the_data_folder() {
    let place = Place::new(GRID);
    let folder = place.path().join("d/cifar10");
    fs::create_dir_all(&folder).unwrap();
    fs::create_dir(folder.join("test_batch.bin")).unwrap();
    for junk in [
        b"PAR1".to_vec(),
        vec![0xff; 100],
        b"PAR1\xff\xff\xff\x7fPAR1".to_vec(),
    ] {
        fs::write(folder.join("train-0.parquet"), junk).unwrap();
        let answer = place.succeed(&["data", "list", "--data", "d"]);
        let said =
            "cannot be used: d/cifar10/train-0.parquet: truncated or not readable as Parquet";
        assert!(answer.stdout.contains(said), "{}", answer.stdout);
        assert_eq!(answer.stderr, "");
    }
}

#[test]
fn a_target_is_not_continued_with_other_images() {
    let place = Place::new(&GRID.replace("table3", "table1"));
    // A set, too, would say that it rests on other images.
    place.succeed(&["grid.yaml", "--set", "generators=[]", "--set", "attacks=[]"]);
    let store = place.results().join("store");
    let target = fs::read_dir(store.join("targets")).unwrap().next().unwrap();
    let record = target.unwrap().path().join("record.json");
    edit(&record, |target| {
        let content = &mut target["content"];
        assert_eq!(content["verified"], true);
        assert_eq!(content["images"], 12_000);
        content["sha256"] = "0".repeat(64).into();
        content["verified"] = false.into();
    });
    let answer = place.run(&["grid.yaml"]);
    assert_eq!(answer.code, Some(1), "{}", answer.stderr);
    let said = "its images are others now";
    assert!(answer.stderr.contains(said), "{}", answer.stderr);
    let table = fs::read_to_string(place.results().join("mini/table1.md")).unwrap();
    let note = format!(
        "Fashion-MNIST: its images were not verified to be the official ones (sha256 of their pixels and labels {})",
        "0".repeat(64)
    );
    assert!(table.contains(&note), "{table}");
}
