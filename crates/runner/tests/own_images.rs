//! `configs/own.yaml`, run in small: a folder of photographs, a fresh network and a checkpoint of one's own.

mod common;

use std::fs;
use std::path::Path;

use brink_models::Weights;
use brink_random::Stream;
use common::{Answer, Place};
use image::{Rgb, RgbImage};

/// Photographs of two classes, of several sizes: dark to the left, and dark at the top.
fn photographs(folder: &Path) {
    for number in 0..60u32 {
        let class = ["left", "top"][number as usize % 2];
        let photograph = RgbImage::from_fn(40 + number % 3, 36, |x, y| {
            let bright = if class == "left" { x } else { y };
            Rgb([0, 1, 2].map(|c| (bright * 5 + (x * y + number * (7 + c)) % 40) as u8))
        });
        let path = folder.join(class).join(format!("{number:02}.png"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        photograph.save(path).unwrap();
    }
}

/// The committed grid beside its photographs and its checkpoint.
fn place() -> Place {
    let grid = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/own.yaml");
    let place = Place::new(&fs::read_to_string(grid).unwrap());
    photographs(&place.path().join("data/photographs"));
    let model = "resnet20".parse().unwrap();
    let weights = Weights::draw(model, 2, &Stream::new(3)).unwrap();
    fs::write(
        place.path().join("data/mine.safetensors"),
        weights.to_bytes().unwrap(),
    )
    .unwrap();
    place
}

/// The settings that make it small.
const SMALL: [&str; 7] = [
    "targets.fresh.train.epochs=2",
    "generators.ours.samples=4",
    "generators.ours.stage1.iterations=20",
    "generators.ours.stage2={alpha: 0.01, iterations: 200}",
    "attacks=[identity, finetune: {lr: 1e-3, steps: 2, batch: 20}]",
    "attack_seeds=1",
    "seed=1",
];

fn run(place: &Place, command: &[&str]) -> Answer {
    let sets = SMALL.into_iter().flat_map(|set| ["--set", set]);
    let arguments: Vec<&str> = command
        .iter()
        .copied()
        .chain(["grid.yaml", "--data", "data"])
        .chain(sets)
        .collect();
    place.run(&arguments)
}

#[test]
fn the_committed_grid_runs_and_follows_the_images() {
    let place = place();
    let answer = run(&place, &[]);
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    let table = fs::read_to_string(place.results().join("own/table1.md")).unwrap();
    for said in [
        "photographs",
        "train.epochs 2",
        "init.weights mine.safetensors",
    ] {
        assert!(table.contains(said), "{said} is not in: {table}");
    }
    let records = place.records();
    let target = records
        .iter()
        .find(|(path, _)| path.contains("targets/"))
        .unwrap();
    assert_eq!(target.1["dataset_title"], "photographs");
    assert_eq!(target.1["classes"], 2);
    assert_eq!(target.1["input"], serde_json::json!([3, 32, 32]));

    // Equal content has equal ids, wherever it lies. Nothing is computed again.
    let plan = || run(&place, &["plan"]).stdout;
    let (before, data) = (plan(), place.path().join("data"));
    assert!(!before.contains("open"), "{before}");
    fs::rename(data.join("photographs"), data.join("moved")).unwrap();
    let grid = place.path().join("grid.yaml");
    let text = fs::read_to_string(&grid).unwrap();
    fs::write(&grid, text.replace("folder: photographs", "folder: moved")).unwrap();
    assert_eq!(before, plan());

    // Other bytes are other steps.
    fs::remove_file(data.join("moved/left/00.png")).unwrap();
    assert_ne!(before, plan());
}

#[test]
fn images_that_cannot_be_used_are_refused_before_any_work() {
    let place = place();
    let folder = place.path().join("data/photographs");
    fs::write(folder.join("top/01.png"), b"\x89PNG\r\n\x1a\n").unwrap();
    let answer = run(&place, &[]);
    assert_eq!(answer.code, Some(2), "{}", answer.stderr);
    assert!(!place.results().exists(), "it began to work");
    for said in [
        "grid.yaml:13",
        "data/photographs/top/01.png: image 30 cannot be decoded",
    ] {
        assert!(
            answer.stderr.contains(said),
            "{said} is not in: {}",
            answer.stderr
        );
    }
}

#[test]
fn fields_that_do_not_fit_are_refused_where_they_stand() {
    for (dataset, said) in [
        ("{ size: 32 }", "name one place of images"),
        ("{ folder: a, npz: b }", "name one place of images"),
        ("{ folder: a, image: b }", "only a Parquet file has columns"),
        ("{ folder: a, sise: 32 }", "unknown field `sise`"),
        (
            "{ folder: photographs, size: 4 }",
            "a whole number from 8 to 1024",
        ),
        (
            "{ folder: photographs, test: 0.9 }",
            "a number above 0, up to 0.5",
        ),
        ("{ folder: photographs }", "Write e.g. `size: 64`"),
        ("{ folder: elsewhere, size: 32 }", "data/elsewhere: missing"),
    ] {
        let place = place();
        let grid = place.path().join("grid.yaml");
        let text = fs::read_to_string(&grid).unwrap();
        fs::write(
            &grid,
            text.replace("{ folder: photographs, size: 32 }", dataset),
        )
        .unwrap();
        let answer = run(&place, &[]);
        assert_eq!(answer.code, Some(2), "{dataset}: {}", answer.stderr);
        assert!(
            answer.stderr.contains(said),
            "{said} is not in: {}",
            answer.stderr
        );
        assert!(answer.stderr.contains("grid.yaml:13"), "{}", answer.stderr);
    }
}
