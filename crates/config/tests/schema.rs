//! The shapes of types.

use brink_config::checked::{Count, NonEmpty, UnitInterval};
use brink_config::schema::{Shape, shape};
use brink_config::yaml::Sweep;
use serde::Deserialize;

#[derive(Deserialize)]
#[allow(dead_code)]
struct Grid {
    name: String,
    seeds: NonEmpty<u32>,
    steps: Vec<Sweep<Step>>,
    only: Option<Step>,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(dead_code)]
enum Step {
    Nothing,
    Train(Training),
    Blend {
        share: UnitInterval,
        color: [f32; 3],
    },
    Named(String),
}

#[derive(Clone, Deserialize)]
#[serde(default)]
#[allow(dead_code)]
struct Training {
    epochs: Count,
    flip: bool,
}

impl Default for Training {
    fn default() -> Self {
        Self {
            epochs: Count::literal(1),
            flip: true,
        }
    }
}

fn value(words: &str) -> Shape {
    Shape::Value(words.to_owned())
}

#[test]
fn every_place_has_a_shape() {
    const STEPS: &[&str] = &["nothing", "train", "blend", "named"];
    let cases: [(&[&'static str], Shape); 12] = [
        (&[], Shape::Fields(&["name", "seeds", "steps", "only"])),
        (&["name"], value("text")),
        (&["seeds"], value("a list, each a whole number, 0 or above")),
        (&["steps"], Shape::OneOf(STEPS)),
        (&["only"], Shape::OneOf(STEPS)),
        (&["only", "nothing"], Shape::Nothing),
        (&["steps", "train"], Shape::Fields(&["epochs", "flip"])),
        (
            &["steps", "train", "epochs"],
            value("a whole number from 1 to 1000000000"),
        ),
        (&["steps", "train", "flip"], value("true or false")),
        (&["steps", "blend"], Shape::Fields(&["share", "color"])),
        (&["steps", "blend", "share"], value("a number from 0 to 1")),
        (&["only", "blend", "color"], value("a list of 3")),
    ];
    for (path, expected) in cases {
        assert_eq!(shape::<Grid>(path), expected, "{path:?}");
    }
    assert_eq!(shape::<Grid>(&["only", "named"]), value("text"));
}

/// A path that does not exist must not loop or panic.
#[test]
fn a_place_that_is_not_there_has_none() {
    for path in [
        &["nome"] as &[_],
        &["only", "nothing", "more"],
        &["name", "more"],
    ] {
        let shape = shape::<Grid>(path);
        assert!(!matches!(shape, Shape::Fields(_)), "{path:?}: {shape:?}");
    }
}
