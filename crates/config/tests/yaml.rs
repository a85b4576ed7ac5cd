//! The exact messages for wrong grid files and overrides, and the values of right ones.

use brink_config::{
    checked::{Count, NonNegative},
    yaml::{self, Document, Place, Sweep, Veil},
};
use proptest::prelude::*;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::json;

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Grid {
    name: String,
    #[serde(default)]
    generators: Vec<Generator>,
    #[serde(default)]
    seeds: Vec<u32>,
    #[serde(default)]
    quick: bool,
    #[serde(default)]
    training: Ours,
    limit: Option<Ours>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Generator {
    Ours(Ours),
    Dbi {
        #[serde(default)]
        iterations: usize,
    },
    Validset,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Ours {
    iterations: Count,
    lr: NonNegative,
}

impl Default for Ours {
    fn default() -> Self {
        Self {
            iterations: Count::literal(10_000),
            lr: NonNegative::literal(1e-3),
        }
    }
}

fn ours(iterations: usize, lr: f64) -> Ours {
    Ours {
        iterations: Count::new(iterations).unwrap(),
        lr: NonNegative::new(lr).unwrap(),
    }
}

fn grid(generators: Vec<Generator>) -> Grid {
    Grid {
        name: "t".to_owned(),
        generators,
        seeds: vec![],
        quick: false,
        training: Ours::default(),
        limit: None,
    }
}

fn argued(index: usize, argument: &str) -> Place {
    Place::Argument {
        index,
        shown: argument.to_owned(),
    }
}

/// The whole message about `text`.
fn message(text: &str, overrides: &[&str]) -> String {
    let error = yaml::parse_with::<Grid>("grid.yaml", text, overrides).expect_err(text);
    error.to_string()
}

#[test]
fn a_message_shows_place_value_and_fix() {
    let text = "name: t\ngenerators:\n  - ours:\n      iteratons: 500\n";
    let expected = "\
grid.yaml:4:7: unknown field `iteratons`
  |
4 |       iteratons: 500
  |       ^^^^^^^^^
  = did you mean `iterations`?";
    assert_eq!(message(text, &[]), expected);

    let text = "name: t\ngenerators: [ours: {lr: -1e-3}]\n";
    let expected = "\
grid.yaml:2:25: `-1e-3` is not a number, 0 or above
  |
2 | generators: [ours: {lr: -1e-3}]
  |                         ^^^^^";
    assert_eq!(message(text, &[]), expected);
}

#[test]
fn every_mistake_is_found_where_it_stands() {
    let cases = [
        // (text, line:column, message, hint)
        (
            "nme: t",
            "1:1",
            "unknown field `nme`",
            "did you mean `name`?",
        ),
        (
            "colour: t",
            "1:1",
            "unknown field `colour`",
            "known: name, generators, seeds, quick, training, limit",
        ),
        (
            "seeds: [1]",
            "1:1",
            "the field `name` is missing",
            "add `name: ...` here",
        ),
        (
            "",
            "1:1",
            "the field `name` is missing",
            "add `name: ...` here",
        ),
        (
            "name:",
            "1:5",
            "an empty value is not text",
            "write a value, or leave the field out",
        ),
        ("name: [t]", "1:7", "a list is not text", ""),
        ("- name: t", "1:1", "a list is not a mapping", ""),
        (
            "name: t\nname: u",
            "2:1",
            "`name` is written twice",
            "delete one",
        ),
        (
            "name: t\nseeds: 3",
            "2:8",
            "`3` is not a list",
            "write `[3]`",
        ),
        (
            "name: t\nseeds: [1, 2.5]",
            "2:12",
            "`2.5` is not a whole number from 0 to 4294967295",
            "",
        ),
        (
            "name: t\nseeds: [-1]",
            "2:9",
            "`-1` is not a whole number from 0 to 4294967295",
            "",
        ),
        (
            "name: t\nseeds: [4294967296]",
            "2:9",
            "`4294967296` is not a whole number from 0 to 4294967295",
            "",
        ),
        (
            "name: t\nseeds: [one]",
            "2:9",
            "`one` is not a whole number from 0 to 4294967295",
            "",
        ),
        (
            "name: t\nquick: yes",
            "2:8",
            "`yes` is not true or false",
            "write `true`, without quotes",
        ),
        (
            "name: t\ntraining: {iterations: 0}",
            "2:24",
            "`0` is not a whole number from 1 to 1000000000",
            "",
        ),
        (
            "name: t\ntraining: {iterations: -5}",
            "2:24",
            "`-5` is not a whole number from 1 to 1000000000",
            "",
        ),
        (
            "name: t\ntraining: {lr: fast}",
            "2:16",
            "`fast` is not a number, 0 or above",
            "",
        ),
        (
            "name: t\ntraining: {lr: .nan}",
            "2:16",
            "`.nan` is not a number, 0 or above",
            "write a finite number",
        ),
        ("name: t\ntraining: 5", "2:11", "`5` is not a mapping", ""),
        (
            "name: t\ngenerators: [uors]",
            "2:14",
            "unknown name `uors`",
            "did you mean `ours`?",
        ),
        (
            "name: t\ngenerators:\n- uors: {}",
            "3:3",
            "unknown name `uors`",
            "did you mean `ours`?",
        ),
        (
            "name: t\ngenerators: [x]",
            "2:14",
            "unknown name `x`",
            "known: ours, dbi, validset",
        ),
        (
            "name: t\ngenerators: [[]]",
            "2:14",
            "a list is not a name",
            "",
        ),
        ("name: t\ngenerators: [{}]", "2:14", "a name is missing", ""),
        (
            "name: t\ngenerators: [validset: 5]",
            "2:24",
            "`validset` has no settings",
            "",
        ),
        (
            "name: t\ngenerators:\n  - ours:\n    iterations: 5",
            "4:5",
            "only one name is allowed here, not `ours` and `iterations`",
            "indent `iterations` if it belongs to `ours`, or make it `- iterations`",
        ),
        (
            "name: t\n  seeds: []",
            "2:8",
            "mapping values are not allowed in this context",
            "check colons, indentation, brackets and quotes here and on the line before",
        ),
        (
            "name: \"t",
            "1:7",
            "unclosed quote",
            "check colons, indentation, brackets and quotes here and on the line before",
        ),
        (
            "name: t\n---\nname: u",
            "3:1",
            "a second document begins here",
            "keep one; `---` and `...` stand between documents",
        ),
        (
            "name: !secret t",
            "1:7",
            "`!secret` is a tag; tags are not supported",
            "delete it, or put the text in quotes",
        ),
        (
            "name: *t",
            "1:7",
            "this alias, `*name`, has no anchor, `&name`",
            "write the value out, or put the text in quotes",
        ),
        (
            "seeds: &s [*s]",
            "1:12",
            "this alias is inside the value that it stands for",
            "write the value out",
        ),
        (
            "? [a]\n: b",
            "1:3",
            "a list is not a name",
            "write a word before the colon",
        ),
        ("~: b", "1:1", "a name is missing before the colon", ""),
        (
            "name: t\nseeds: [1e3]",
            "2:9",
            "`1e3` is not a whole number from 0 to 4294967295",
            "write `1000`",
        ),
    ];
    let describe = |text: &str| {
        let error = yaml::parse::<Grid>("grid.yaml", text).expect_err(text);
        let Place::Line { line, column, .. } = error.place() else {
            panic!("{text:?} has no line: {error}");
        };
        let place = format!("{line}:{column}");
        (
            place,
            error.message().to_owned(),
            error.hint().unwrap_or_default().to_owned(),
        )
    };
    for (text, place, message, hint) in cases {
        let found = describe(text);
        assert_eq!(
            (found.0.as_str(), found.1.as_str(), found.2.as_str()),
            (place, message, hint),
            "{text:?}"
        );
    }
}

#[test]
fn a_name_alone_stands_for_its_defaults_and_takes_nothing_from_its_neighbours() {
    let expected = grid(vec![
        Generator::Ours(Ours::default()),
        Generator::Dbi { iterations: 7 },
        Generator::Ours(Ours::default()),
        Generator::Ours(ours(5, 1e-3)),
        Generator::Validset,
        Generator::Dbi { iterations: 0 },
        Generator::Validset,
    ]);
    let text = "
name: t
generators:
  - ours
  - dbi: {iterations: 7}
  - ours:
  - ours: {iterations: 5}
  - validset
  - dbi
  - validset: {}
";
    assert_eq!(yaml::parse::<Grid>("grid.yaml", text).unwrap(), expected);
}

#[test]
fn nothing_stands_for_defaults_and_optional_values() {
    let text = "name: t\ntraining:\nlimit:\n";
    assert_eq!(
        yaml::parse::<Grid>("grid.yaml", text).unwrap(),
        grid(vec![])
    );
    let text = "name: t\nlimit: {}\n";
    let limited = Grid {
        limit: Some(Ours::default()),
        ..grid(vec![])
    };
    assert_eq!(yaml::parse::<Grid>("grid.yaml", text).unwrap(), limited);
}

#[test]
fn text_is_taken_as_it_is_written() {
    for (written, expected) in [
        ("0123", "0123"),
        ("1e5", "1e5"),
        ("true", "true"),
        ("yes", "yes"),
        ("\"a\\tb\"", "a\tb"),
        ("'it''s'", "it's"),
        ("|\n  x\n  y\n", "x\ny\n"),
        ("two\n  lines", "two lines"),
    ] {
        let text = format!("name: {written}\n");
        assert_eq!(
            yaml::parse::<Grid>("grid.yaml", &text).unwrap().name,
            expected,
            "{text:?}"
        );
    }
}

#[test]
fn anchors_and_merged_mappings_are_read_as_written_out() {
    let text = "name: &n 007\ntraining: &t {lr: 1}\nlimit: {<<: *t, iterations: 3}\ngenerators: [ours: *t]\n";
    let read: Grid = yaml::parse("grid.yaml", text).unwrap();
    assert_eq!(read.limit, Some(ours(3, 1.0)));
    assert_eq!(read.generators, [Generator::Ours(ours(10_000, 1.0))]);
    assert_eq!(
        yaml::parse::<Vec<String>>("list", "[&n 007, *n]").unwrap(),
        ["007", "007"]
    );
}

#[test]
fn overrides_reach_fields_items_and_names() {
    let text = "name: t\nseeds: [1, 2]\ngenerators:\n  - ours: {iterations: 5}\n  - dbi\n";
    let base = || Grid {
        seeds: vec![1, 2],
        ..grid(vec![
            Generator::Ours(ours(5, 1e-3)),
            Generator::Dbi { iterations: 0 },
        ])
    };
    let read = |overrides: &[&str]| yaml::parse_with::<Grid>("grid.yaml", text, overrides).unwrap();
    assert_eq!(read(&[]), base());
    assert_eq!(read(&["name=u"]).name, "u");
    assert_eq!(read(&["name=a=b"]).name, "a=b");
    assert_eq!(read(&["seeds=[7]"]).seeds, [7]);
    assert_eq!(read(&["seeds.1=7"]).seeds, [1, 7]);
    assert_eq!(read(&["training.lr=1e-5"]).training, ours(10_000, 1e-5));
    assert_eq!(read(&["limit={lr: 0}"]).limit, Some(ours(10_000, 0.0)));
    assert_eq!(
        read(&["generators.ours.lr=0"]).generators[0],
        Generator::Ours(ours(5, 0.0))
    );
    assert_eq!(
        read(&["generators.ours={lr: 0}"]).generators[0],
        Generator::Ours(ours(10_000, 0.0))
    );
    assert_eq!(
        read(&["generators.0.ours.iterations=6"]).generators[0],
        Generator::Ours(ours(6, 1e-3))
    );
    assert_eq!(
        read(&["generators.dbi.iterations=9"]).generators[1],
        Generator::Dbi { iterations: 9 }
    );
    assert_eq!(
        read(&["generators.1.dbi.iterations=9"]).generators[1],
        Generator::Dbi { iterations: 9 }
    );
    assert_eq!(
        read(&["generators.1=validset"]).generators[1],
        Generator::Validset
    );
    assert_eq!(read(&["generators=[]", "seeds=[]", "name=t"]), grid(vec![]));
    assert_eq!(read(&["name=u", "name=v"]).name, "v", "the last one wins");
    assert_eq!(
        yaml::parse_with::<Grid>("grid.yaml", "", &["name=t"]).unwrap(),
        grid(vec![])
    );
}

#[test]
fn an_override_may_mend_the_file() {
    assert_eq!(
        yaml::parse_with::<Grid>("grid.yaml", "seeds: x\n", &["seeds=[]", "name=t"]).unwrap(),
        grid(vec![])
    );
}

#[test]
fn a_wrong_override_is_named_instead_of_a_line() {
    let text = "name: t\nseeds: [1]\ngenerators: [ours, dbi, ours: {lr: 1}]\n";
    let cases = [
        (
            "training.iteratons=5",
            "unknown field `iteratons`\n  = did you mean `iterations`?",
        ),
        ("training.lr=-1", "`-1` is not a number, 0 or above"),
        ("training={lr: fast}", "`fast` is not a number, 0 or above"),
        (
            "sedes=[1]",
            "unknown field `sedes`\n  = did you mean `seeds`?",
        ),
        (
            "seeds",
            "there is no equals sign\n  = write path=value, e.g. attack_seeds=3",
        ),
        (
            ".seeds=[1]",
            "a part of the path is empty\n  = write path=value, e.g. attack_seeds=3",
        ),
        (
            "seeds=[1",
            "unclosed bracket '['\n  = close every `[` and `{`, and put commas between entries",
        ),
        (
            "seeds.1=5",
            "`seeds` has no item 1\n  = items are counted from 0, and there are 1",
        ),
        ("name.first=5", "`name` is `t`, which has no `first` inside"),
        (
            "generators.dib.iterations=5",
            "`generators` has no item `dib`\n  = did you mean `dbi`?",
        ),
        (
            "generators.ours.lr=5",
            "`generators` has 2 items `ours`\n  = name one by its index from 0, e.g. generators.0.ours",
        ),
        ("generators.dbi=5", "`5` is not a mapping"),
        (
            "generators.2.dbi=5",
            "only one name is allowed here, not `ours` and `dbi`\n  = to replace `ours`, set the whole mapping, e.g. PATH={dbi: ...}",
        ),
    ];
    for (argument, expected) in cases {
        let error = yaml::parse_with::<Grid>("grid.yaml", text, &["quick=true", argument])
            .expect_err(argument);
        assert_eq!(error.place(), &argued(1, argument));
        assert_eq!(error.to_string(), format!("--set {argument}: {expected}"));
    }
    let error =
        yaml::parse_with::<Grid>("grid.yaml", "name: t\nseed: [1]\n", &["quick=true"]).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("grid.yaml:2:1: unknown field `seed`"),
        "the file keeps its own: {error}"
    );
}

#[test]
fn a_snippet_marks_characters_not_bytes() {
    let expected = "\
grid.yaml:2:14: unknown field `größe`
  |
2 | training: {  größe: 1}
  |              ^^^^^
  = known: iterations, lr";
    assert_eq!(
        message("name: \u{e9}\ntraining: {\t größe: 1}\n", &[]),
        expected
    );
}

/// Writes a value and reads it back.
fn round_trip<T: Serialize + DeserializeOwned>(value: &T) -> T {
    let text = serde_yaml::to_string(value).unwrap();
    yaml::parse("written", &text).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        numbers in prop::collection::vec(prop::num::f64::NORMAL | prop::num::f64::ZERO, 0..5),
        whole in any::<(u64, i64, u8, bool)>(),
        texts in prop::collection::btree_map("[a-z]{1,5}", "\\PC{0,12}", 0..5),
        option in any::<Option<u32>>(),
    ) {
        let value = (numbers, whole, texts, option);
        prop_assert_eq!(&round_trip(&value), &value);
    }

    #[test]
    fn no_text_panics(text in "[a-z0-9:\\-\\[\\]{}&*!|>'\"#%@ \\n\\t,?.é]{0,60}", argument in "[a-z.=\\[\\]{}0-9: ]{0,20}") {
        if let Err(error) = yaml::parse_with::<Grid>("grid.yaml", &text, &[argument]) {
            prop_assert!(!error.to_string().is_empty());
        }
        if let Err(error) = yaml::parse::<serde_json::Value>("grid.yaml", &text) {
            prop_assert!(error.to_string().starts_with("grid.yaml"));
        }
    }

    #[test]
    fn an_override_of_a_whole_number_is_that_number(value: u64) {
        let read: serde_json::Value = yaml::parse_with("list", "a: [1, {b: 2}]", &[format!("a.1.b={value}")]).unwrap();
        prop_assert_eq!(read, json!({"a": [1, {"b": value}]}));
    }
}

fn swept(text: &str) -> Result<Vec<Generator>, String> {
    yaml::parse::<Sweep<Generator>>("grid.yaml", text)
        .map(|sweep| sweep.each().to_vec())
        .map_err(|error| error.to_string())
}

#[test]
fn a_list_in_a_field_stands_for_an_entry_each() {
    let all = |each: &[(usize, f64)]| -> Vec<Generator> {
        each.iter()
            .map(|&(iterations, lr)| Generator::Ours(ours(iterations, lr)))
            .collect()
    };
    assert_eq!(
        swept("ours: {lr: [0, 1e-10, 1e-5], iterations: 3}").unwrap(),
        all(&[(3, 0.0), (3, 1e-10), (3, 1e-5)])
    );
    assert_eq!(
        swept("ours: {iterations: [1, 2], lr: [1e-6, 1e-5]}").unwrap(),
        all(&[(1, 1e-6), (1, 1e-5), (2, 1e-6), (2, 1e-5)])
    );
    assert_eq!(
        swept("ours: {lr: 1e-7, iterations: 3}").unwrap(),
        all(&[(3, 1e-7)])
    );
    assert_eq!(swept("ours").unwrap(), [Generator::Ours(Ours::default())]);
}

#[test]
fn a_mistake_among_several_is_found_where_it_stands() {
    let place = |text: &str, at: &str, message: &str| {
        let error = swept(text).unwrap_err();
        assert!(
            error.starts_with(&format!("grid.yaml:{at}: {message}")),
            "{error}"
        );
    };
    place(
        "ours:\n  iterations: 3\n  lr: [1e-6, -1]",
        "3:14",
        "`-1` is not a number, 0 or above",
    );
    place(
        "ours: {lr: []}",
        "1:12",
        "`lr` is an empty list; give at least one entry",
    );
    place(
        "ours:\n  iterations: [1, 2]\n  learning_rat: 1",
        "3:3",
        "unknown field `learning_rat`",
    );
    place("our", "1:1", "unknown name `our`");
}

#[test]
fn items_without_names_have_numbers() {
    let text = "targets:\n  - {dataset: a, model: b}\n";
    let read = |argument| yaml::parse_with::<serde_json::Value>("grid.yaml", text, &[argument]);
    assert_eq!(
        read("targets.model=c").unwrap_err().hint(),
        Some("name an item by its index from 0, or all by `*`, e.g. targets.*.model")
    );
    assert_eq!(
        read("targets.*.model=c").unwrap()["targets"][0]["model"],
        "c"
    );
}

#[test]
fn a_wrong_override_among_several_is_named_instead_of_a_line() {
    #[derive(Debug, Deserialize)]
    struct Grid {
        #[serde(rename = "generators")]
        _generators: Vec<Sweep<Generator>>,
    }
    let text = "generators:\n  - ours: {lr: [0, 1e-5]}\n";
    let argument = "generators.ours.iterations=-5";
    let error = yaml::parse_with::<Grid>("grid.yaml", text, &[argument]).unwrap_err();
    assert_eq!(error.place(), &argued(0, argument));
}

/// Notations that other YAML readers read differently are refused, with the fix.
#[test]
fn only_decimal_numbers_are_numbers() {
    let read = |word: &str| {
        let text = format!("name: t\ntraining: {{lr: {word}}}");
        let in_file = yaml::parse::<Grid>("grid.yaml", &text);
        let argument = format!("training.lr={word}");
        let in_argument = yaml::parse_with::<Grid>("grid.yaml", "name: t", &[argument]);
        match (in_file, in_argument) {
            (Ok(file), Ok(argument)) => {
                assert_eq!(file, argument, "{word}");
                Ok(file.training.lr.get())
            }
            (Err(file), Err(argument)) => {
                assert_eq!(file.hint(), argument.hint(), "{word}");
                Err(file.hint().unwrap_or_default().to_owned())
            }
            (file, argument) => panic!("{word}: {file:?} but {argument:?}"),
        }
    };
    for (word, number) in [
        ("0", 0.0),
        ("-0", 0.0),
        ("0e-999", 0.0),
        ("17", 17.0),
        ("+17", 17.0),
        ("1.", 1.0),
        (".5", 0.5),
        ("0.5", 0.5),
        ("1e-3", 1e-3),
        ("1E+3", 1e3),
        ("5e-324", 5e-324),
        ("18446744073709551616", 18446744073709551616.0),
    ] {
        assert_eq!(read(word), Ok(number), "{word}");
    }
    let octal = ": other YAML readers take leading zeros for octal";
    let small = "it is too close to 0 for a 64-bit number; write 0, or at least 1e-307";
    let large = "it is too large for a 64-bit number; write at most 1e308";
    for (word, hint) in [
        ("1e-400", small.to_owned()),
        ("0.000001e-400", small.to_owned()),
        ("1e400", large.to_owned()),
        ("017", format!("write `17`{octal}")),
        ("-017.5", format!("write `-17.5`{octal}")),
        ("00.5", format!("write `0.5`{octal}")),
        ("00", format!("write `0`{octal}")),
        ("0x1F", "write it in decimal digits: `31`".to_owned()),
        ("0o17", "write it in decimal digits: `15`".to_owned()),
        ("0b11", "write it in decimal digits: `3`".to_owned()),
        ("1_000", "write `1000`".to_owned()),
        ("'1,5'", "write `1.5`".to_owned()),
        ("'1.5'", "it is text; remove the quotes".to_owned()),
        (".inf", "write a finite number".to_owned()),
        ("-.INF", "write a finite number".to_owned()),
        (".nan", "write a finite number".to_owned()),
        ("Infinity", "write a finite number".to_owned()),
        (
            "'1:30'",
            "write one decimal number: base 60 is not supported".to_owned(),
        ),
        ("1e", String::new()),
        ("1e3f", String::new()),
        ("abc", String::new()),
        ("pi", String::new()),
        ("deg(180)", String::new()),
        ("2*3", String::new()),
        ("e5", String::new()),
        (".", String::new()),
        ("'-'", String::new()),
    ] {
        assert_eq!(read(word), Err(hint), "{word}");
    }
}

#[test]
fn aliases_cannot_multiply_without_end() {
    let mut text = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n".to_owned();
    for level in 1..20 {
        let ten = vec![format!("*a{}", level - 1); 10].join(", ");
        text += &format!("a{level}: &a{level} [{ten}]\n");
    }
    let error = yaml::parse::<serde_json::Value>("grid.yaml", &text).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("aliases stand for more than 100000 values"),
        "{error}"
    );
}

#[test]
fn lists_in_fields_cannot_multiply_without_end() {
    let many = vec!["1"; 1000].join(", ");
    let text = format!("ours: {{iterations: [{many}], lr: [{many}]}}");
    let error = swept(&text).unwrap_err();
    assert!(
        error.contains("these lists stand for more than 100000 entries"),
        "{error}"
    );
}

/// This took minutes when each item was copied together with all others.
#[test]
fn a_long_list_is_read_in_a_moment() {
    let rates: Vec<String> = (0..50_000).map(|n| format!("{n}e-9")).collect();
    let text = format!("ours: {{lr: [{}]}}", rates.join(", "));
    let begin = std::time::Instant::now();
    assert_eq!(swept(&text).unwrap().len(), 50_000);
    assert!(begin.elapsed().as_secs() < 10, "{:?}", begin.elapsed());
}

/// serde alone would drop extra items without an error.
#[test]
fn a_list_of_a_certain_length_has_that_length() {
    let read = |text| yaml::parse::<[f64; 3]>("grid.yaml", text);
    assert_eq!(read("[1, 2, 3]").unwrap(), [1.0, 2.0, 3.0]);
    for (text, length) in [("[]", 0), ("[1, 2]", 2), ("[1, 2, 3, 4]", 4)] {
        let message = read(text).unwrap_err().message().to_owned();
        assert_eq!(message, format!("a list of {length} is not a list of 3"));
    }
}

/// The merged value of `files` at `scale`, as JSON. The first file is the document.
fn merged(files: &[(&str, &str)], scale: &str, overrides: &[&str]) -> serde_json::Value {
    let read = |path: &std::path::Path| {
        let name = path.to_str().unwrap();
        let (_, text) = files.iter().find(|(own, _)| *own == name).unwrap();
        Ok((*text).to_owned())
    };
    let mut document = Document::open(files[0].0.as_ref(), &read, Veil::NONE).unwrap();
    document.at_scale(scale.parse().unwrap()).unwrap();
    document.set(overrides).unwrap();
    document.read().unwrap()
}

#[test]
fn overlays_are_merged_inner_ones_first_and_other_scales_dropped() {
    let text = "
n: 5
list: [1, 2]
inner: {a: 1, b: 2, desk: {a: 10, c: 30}}
items: [{x: 1, scales: {tiny: {x: 2}, desk: {x: 3}}}]
desk: {n: 1, list: [9], inner: {c: 31}}
";
    let at = |scale| merged(&[("grid.yaml", text)], scale, &[]);
    let paper = json!({"n": 5, "list": [1, 2], "inner": {"a": 1, "b": 2}, "items": [{"x": 1}]});
    assert_eq!(at("paper"), paper);
    let desk =
        json!({"n": 1, "list": [9], "inner": {"a": 10, "b": 2, "c": 31}, "items": [{"x": 3}]});
    assert_eq!(at("desk"), desk);
    let tiny = json!({"n": 5, "list": [1, 2], "inner": {"a": 1, "b": 2}, "items": [{"x": 2}]});
    assert_eq!(at("tiny"), tiny);
}

#[test]
fn a_star_stands_for_every_entry_of_a_mapping_too() {
    let text = "a: {x: {n: 1}, y: {n: 2}}";
    let read = merged(&[("grid.yaml", text)], "paper", &["a.*.n=7"]);
    assert_eq!(read, json!({"a": {"x": {"n": 7}, "y": {"n": 7}}}));
}

/// Arbitrary JSON.
fn any_tree() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<u64>().prop_map(serde_json::Value::from),
        (-1e300..1e300).prop_map(serde_json::Value::from),
        "[ -~äß☃\\n\\t]{0,12}".prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(4, 30, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            prop::collection::hash_map("[a-z -]{1,6}", inner, 0..4)
                .prop_map(|entries| entries.into_iter().collect()),
        ]
    })
}

proptest! {
    /// The written YAML reads as the same value, with comments and without.
    #[test]
    fn a_tree_survives_being_written(tree in any_tree()) {
        let document = Document::parse("json", tree.to_string(), Veil::NONE).unwrap();
        let read: serde_json::Value = document.read().unwrap();
        for origins in [false, true] {
            let text = document.to_yaml(origins);
            let again: serde_json::Value = yaml::parse("yaml", &text)
                .unwrap_or_else(|error| panic!("{error}\n{text}"));
            prop_assert_eq!(&again, &read, "{}", text);
        }
    }
}
