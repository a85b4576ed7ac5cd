//! The owner's key never leaks: not into messages about a mistyped grid, and not into results.

mod common;

use std::fs;
use std::path::Path;

use common::{Answer, GRID, Place};

/// A secret that no message has by chance.
const CANARY: &str = "Xq7canaryZ";

/// A secret of hexadecimal digits.
const DIGITS: &str = "5a17c0ffee5a17c0ffee5a17c0ffee99";

fn assert_silent(answer: &Answer, about: &str) {
    for secret in [CANARY, DIGITS] {
        for said in [&answer.stdout, &answer.stderr] {
            assert!(!said.contains(secret), "{about}\n{said}");
        }
    }
}

/// The miniature with `lines` in place of its key.
fn with_key(lines: &str) -> String {
    let grid = GRID.replace("key: {passphrase: test}\n", &format!("{lines}\n"));
    assert_ne!(grid, GRID);
    grid
}

#[test]
fn a_mistyped_key_is_not_shown() {
    let keys = [
        "key: {passhprase: SECRET}",
        "key: {passphrase SECRET}",
        "key: {passphrase:SECRET}",
        "key: {passphrase: {a: SECRET}}",
        "key: {passphrase: [SECRET]}",
        "key: {SECRET}",
        "key: {SECRET: passphrase}",
        "key: {? SECRET}",
        "key: {passphrase: SECRET, hex: SECRET}",
        "key: {passphrase: SECRET, passphrase: SECRET}",
        "key: {SECRET, SECRET}",
        "key: {passphrase: SECRET",
        "key: passphrase: SECRET}",
        "key: {passphrase: \"SECRET}",
        "key: {passphrase: 'SECRET}",
        "key: {passphrase: SECRET}}",
        "key: {passphrase: SECRET: x}",
        "key: {passphrase: !SECRET x}",
        "key: {passphrase: &SECRET}",
        "key: {passphrase: *SECRET}",
        "key: {passphrase: @SECRET}",
        "key: {passphrase: `SECRET}",
        "key: {passphrase: %SECRET}",
        "key: {passphrase: \"\\SECRET\"}",
        "key: SECRET",
        "key: 'SECRET'",
        "key: [passphrase, SECRET]",
        "key: - SECRET",
        "key:\n  - passphrase: SECRET",
        "key:\n  passphrase: SECRET\n hex: SECRET",
        "key:\n  passphrase:\n    SECRET: a",
        "key:\n  passphrase: |\n    SECRET\n  hex: a",
        "key:\n  passphrase: SECRET\n  SECRET",
        "key:\n\tpassphrase: SECRET",
        "key:\npassphrase: SECRET",
        "key:\n- SECRET",
        "key: >\n  SECRET",
        "key: {\n  passhprase:\n    SECRET\n  }",
        "key: {passphrase: SECRET}\nkey: {passphrase: SECRET}",
        "key: {passphrase: SECRET}\nkey: SECRET",
        "\"key\": {passhprase: SECRET}",
        "? key\n: SECRET",
        "Key: {passphrase: SECRET}",
        "kye: {passphrase: SECRET}",
        "keys: {passphrase: SECRET}",
        "secret: SECRET",
        "passphrase: SECRET",
        "hex: SECRET",
        "hex: SECRET # the key",
        "password: SECRET",
        "phrase: SECRET",
        "token: {value: SECRET}",
        "mine: {secret: SECRET}",
        "owner:\n  passwd: SECRET",
        "k SECRET",
        "k\nSECRET",
        "key {passphrase: SECRET}",
        "key = SECRET",
        "key={passphrase: SECRET}",
        "key: {hex: SECRETz}",
        "key: {hex: SECRET9}",
        "key: {hex: 0xSECRET}",
        "key: {hex: SE CRET}",
        // Mistakes on neighbouring lines.
        "key: {passphrase: SECRET}\nattack_seeds: many",
        "attack_seeds: many\nkey: {passphrase: SECRET}",
        "attack_seeds: [1\nkey: {passphrase: SECRET}",
        "key: {passphrase: SECRET}\n  attack_seeds: 3",
        "key: {passphrase: SECRET}\n]",
        "key: {passphrase: SECRET}\n\tseed: 1",
        "key: {passphrase: SECRET}, seed: x",
        "title: \"a\nkey: {passphrase: SECRET}\nseed: \"x",
        // Keys in other places.
        "key: {passphrase: test}\ndesk: [key.passhprase=SECRET]",
        "key: {passphrase: test}\ndesk: [\"key=SECRET\"]",
        "key: {passphrase: test}\ndesk: [keys.passphrase=SECRET]",
        "key: {passphrase: test}\ndesk: [passphrase=SECRET]",
        "key: {passphrase: test}\ndesk: key.passphrase=SECRET",
        "key: {passphrase: test}\ndesk: [key.passphrase: SECRET]",
        "key: {passphrase: test}\ndesk: [key: {passphrase: SECRET}]",
        "key: {passphrase: test}\ndesk:\n  - key={passhprase: SECRET}\n  - seed=x",
        "key: {passphrase: test}\ndesk:\n  - >-\n    key=\n    {passphrase:\n    SECRET",
        "key: {passphrase: test}\ndesk:\n  key.passphrase: SECRET",
        "key: {passphrase: test}\ndesk: {key: {passhprase: SECRET}}",
        "key: {passphrase: test}\ndesk: {key: SECRET}",
        "key: {passphrase: test}\nscales: {desk: {keys: {passphrase: SECRET}}}",
        "key: {passphrase: test}\npresets: {targets: {key: SECRET}}",
        "key: {passphrase: test}\nslice: {key: {passphrase: SECRET}}",
        // Aliases.
        "key: {passphrase: &k SECRET}\nsample_sets: *k",
        "key: {passphrase: &k SECRET}\nreports: *k",
        "key: &k {passphrase: SECRET}\nslice: *k",
        "key: &k {passhprase: SECRET}\nslice: *k",
        "key: {passphrase: &k SECRET}\ndesk: [*k]",
        "key: {passphrase: &k SECRET}\ndesk: [*k, seed=x]",
        "key: {passphrase: &k SECRET}\nhead_balance: *k",
        "x: &k SECRET\nkey: {passphrase: *k}",
        "x: &k {key: {passhprase: SECRET}}\n<<: *k",
    ];
    for lines in keys {
        for secret in [CANARY, DIGITS] {
            let lines = lines.replace("SECRET", secret);
            let place = Place::new(&with_key(&lines));
            for scale in ["desk", "paper"] {
                for command in ["plan", "table"] {
                    let answer = place.run(&[command, "grid.yaml", "--scale", scale]);
                    assert_silent(&answer, &lines);
                    let code = answer.code.unwrap();
                    assert!(code == 2 || code == 0, "{lines}\n{}", answer.stderr);
                }
            }
        }
    }
}

#[test]
fn the_key_cannot_be_shown_by_an_alias() {
    let key = format!("key: &k {{passphrase: &p {CANARY}}}");
    let titled = with_key(&key).replace("title: A miniature\n", "");
    for grid in [
        format!("{titled}title: *p\n"),
        format!(
            "title: &t {CANARY}\n{}",
            titled.replace(&key, "key: {passphrase: *t}")
        ),
    ] {
        let answer = Place::new(&grid).run(&["plan", "grid.yaml"]);
        assert_eq!(answer.code, Some(2), "{grid}");
        assert_silent(&answer, &grid);
        assert!(
            answer.stderr.contains("an alias shares"),
            "{}",
            answer.stderr
        );
    }
}

/// Files without the lines of a grid.
#[test]
fn a_grid_in_one_line_or_no_grid_at_all_shows_no_key() {
    for text in [
        "{name: a, title: a, key: {passhprase: SECRET}, targets: []}",
        "{name: a, title: a, key: {passphrase: SECRET}, targets: []}",
        "{name: a, title: a, key: {passphrase: SECRET}, targets: [}",
        "  name: a\n  key: {passphrase: SECRET}\n  targets: []",
        "  name: a\n  key: {passphrase: SECRET\n  targets: []",
        "name: a\rkey: {passhprase: SECRET}\rtargets: []",
        "SECRET",
        "SECRET: a",
        "- SECRET",
        "\"SECRET",
        "key: {passphrase: SECRET}",
    ] {
        for secret in [CANARY, DIGITS] {
            let place = Place::new(&text.replace("SECRET", secret));
            let answer = place.run(&["plan", "grid.yaml"]);
            assert_eq!(answer.code, Some(2), "{text}");
            // An unknown name is shown, because the user must find it.
            if !text.starts_with("SECRET:") {
                assert_silent(&answer, text);
            }
        }
    }
}

#[test]
fn a_mistyped_change_of_the_key_is_not_shown() {
    let place = Place::new(GRID);
    for change in [
        "key=SECRET",
        "key",
        "key.passphras=SECRET",
        "key.passphrase=[SECRET",
        "key.passphrase={a: SECRET}",
        "key.passphrase.SECRET=1",
        "key.hex=SECRETz",
        "key.hex=SECRET9",
        "key={passhprase: SECRET}",
        "key={passphrase: SECRET",
        "key={passphrase: SECRET, hex: SECRET}",
        "key: {passphrase: SECRET}",
        "key.passphrase:SECRET",
        "key.passphrase SECRET",
        "keys.passphrase=SECRET",
        "Key.passphrase=SECRET",
        "kye=SECRET",
        " key =SECRET",
        "passphrase=SECRET",
        "targets.fashion-mnist-resnet20.key.passphrase=SECRET",
        "targets.fashion-mnist-resnet20={key: SECRET}",
        "generators.ours.passphrase=SECRET",
        "desk=[key.passphrase=SECRET]",
        "secret=SECRET",
        "password=SECRET",
        "mine.token=SECRET",
        "mine={phrase: SECRET}",
        "mine.SECRET",
        "SECRET",
        ".key=SECRET",
        "key.=SECRET",
    ] {
        for secret in [CANARY, DIGITS] {
            let change = change.replace("SECRET", secret);
            for set in [vec!["--set", &change], vec![&format!("--set={change}")]] {
                let answer = place.run(&[&["plan", "grid.yaml"], &set[..]].concat());
                assert_eq!(answer.code, Some(2), "{change}");
                assert_silent(&answer, &change);
            }
        }
    }
}

#[test]
fn a_mistyped_command_line_shows_no_key() {
    let place = Place::new(GRID);
    let (set, option) = (
        format!("key.passphrase={CANARY}"),
        format!("--key={CANARY}"),
    );
    for arguments in [
        &["plan", "grid.yaml", &set][..],
        &["grid.yaml", &set],
        &["grid.yaml", "--sett", &set],
        &["grid.yaml", &option],
        &["grid.yaml", &format!("--key-fil={DIGITS}")],
        &["grid.yaml", "--key-file", DIGITS],
        &["grid.yaml", "--key-file", CANARY],
        &["grid.yaml", "--scale", "desk", &format!("--sett={set}")],
    ] {
        let answer = place.run(arguments);
        assert_eq!(answer.code, Some(2), "{arguments:?}");
        assert_silent(&answer, &format!("{arguments:?}"));
    }
}

#[test]
fn a_wrong_key_file_or_variable_is_not_shown() {
    let place = Place::new(GRID);
    for secret in [
        CANARY,
        "5a17c0ffee5a17c0ffee5a17c0ffee9",
        "5a17c0ffee",
        "5a17c0ffee5a17c0ffee 5a17c0ffee99",
    ] {
        fs::write(place.path().join("key"), secret).unwrap();
        let of_file = place.run(&["plan", "grid.yaml", "--key-file", "key"]);
        let mut command = place.command(&["plan", "grid.yaml"]);
        let of_variable = Answer::new(&command.env("BRINK_KEY", secret).output().unwrap());
        for answer in [of_file, of_variable] {
            assert_eq!(answer.code, Some(2), "{secret}");
            assert!(!answer.stderr.contains(secret), "{}", answer.stderr);
        }
    }
}

/// Whatever the source of the key, no output has it: not the records, tables, figures or the page.
#[test]
fn nothing_that_is_written_holds_the_key() {
    let small = "\
name: small
title: Small
reports: [table1]
key: {passphrase: test}
targets:
  - dataset: fashion-mnist
    model: resnet20
    width: 0.25
    train: {epochs: 1, images: 20, batch: 10}
    test_images: 10
  - {dataset: cifar10, model: resnet20} # missing: the message has a command
";
    let key = format!("key: {{passphrase: {CANARY}}}");
    let hex = format!("key: {{hex: {DIGITS}}}");
    let desk = format!("key: {{passphrase: test}}\ndesk: {{key: {{passphrase: {CANARY}}}}}");
    let set = format!("key.passphrase={CANARY}");
    let cases: [(&str, &[&str], Option<&str>); 6] = [
        (&key, &[], None),
        (&hex, &[], None),
        (&desk, &[], None),
        ("key: {passphrase: test}", &["--set", &set], None),
        ("key: {passphrase: test}", &["--key-file", "key"], None),
        ("key: {passphrase: test}", &[], Some(DIGITS)),
    ];
    for (lines, arguments, variable) in cases {
        let place = Place::new(&small.replace("key: {passphrase: test}", lines));
        fs::write(place.path().join("key"), DIGITS).unwrap();
        for command in [
            &["grid.yaml"][..],
            &["table", "grid.yaml"],
            &["plot", "grid.yaml"],
            &["report", "grid.yaml"],
            &["status", "grid.yaml"],
            &["plan", "grid.yaml"],
        ] {
            let mut command = place.command(&[command, arguments].concat());
            if let Some(digits) = variable {
                command.env("BRINK_KEY", digits);
            }
            let answer = Answer::new(&command.output().unwrap());
            assert_eq!(answer.code, Some(0), "{}", answer.stderr);
            assert_silent(&answer, lines);
        }
        let written = everything_in(&place.results());
        assert!(written.len() > 5);
        for (path, bytes) in written {
            for secret in [CANARY, DIGITS] {
                let mut windows = bytes.windows(secret.len());
                assert!(
                    !windows.any(|window| window == secret.as_bytes()),
                    "{lines}: {path}"
                );
            }
        }
    }
}

fn everything_in(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(everything_in(&path));
        } else {
            files.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
    files
}
