//! The figure: well-formed, complete, and the same in both formats.

mod records;

use std::io::Cursor;

use records::{asked, cifar, fashion, grid};
use report::figure::{Dot, Figure};
use report::{Paper, Records, table3};
use serde_json::json;
use spec::Scale;

fn figure(records: &Records) -> Figure {
    table3::build(records, &Paper::table3(), Scale::Desk, &[]).figure
}

fn words(svg: &str) -> Vec<String> {
    let document = roxmltree::Document::parse(svg).expect("well-formed XML");
    let texts = document
        .descendants()
        .filter(|node| node.has_tag_name("text"));
    texts
        .map(|node| node.text().unwrap_or_default().trim().to_owned())
        .collect()
}

#[test]
fn svg_says_what_it_shows() {
    let svg = figure(&grid(&[fashion(), cifar("resnet18")]))
        .svg()
        .unwrap();
    let words = words(&svg);
    for text in [
        "Table III: pair detection rate after fine-tuning (desk scale)",
        "Fashion-MNIST, ResNet18",
        "CIFAR-10 (JPEG q75), ResNet18",
        "paper: CIFAR-10, ResNet18, another data set, for orientation only",
        "paper: CIFAR-10, ResNet18, not the same experiment",
        "Validset (single)",
        "DBI",
        "AID",
        "Ours",
        "untouched",
        "10⁻¹⁰",
        "10⁻⁵",
        "100 %",
    ] {
        assert!(
            words.iter().any(|word| word == text),
            "{text:?} is not among {words:?}"
        );
    }
    // Each of the generators' names once a panel.
    assert_eq!(words.iter().filter(|word| *word == "Ours").count(), 2);
}

#[test]
fn names_are_escaped() {
    let mut target = fashion();
    target.dataset_title = "<A> & \"B\"".into();
    let words = words(&figure(&grid(&[target])).svg().unwrap());
    assert!(
        words.contains(&"<A> & \"B\", ResNet18".to_owned()),
        "{words:?}"
    );
}

#[test]
fn png_shows_every_curve_at_twice_the_size() {
    let figure = figure(&grid(&[fashion()]));
    let png = image::load_from_memory(&figure.png().unwrap())
        .unwrap()
        .to_rgb8();
    let svg = figure.svg().unwrap();
    let document = roxmltree::Document::parse(&svg).unwrap();
    let size = |name| {
        document
            .root_element()
            .attribute(name)
            .unwrap()
            .parse::<u32>()
            .unwrap()
    };
    assert_eq!(png.dimensions(), (2 * size("width"), 2 * size("height")));
    let corner = png.get_pixel(0, 0);
    assert_eq!(corner.0, [255; 3]);
    for color in [
        [0x6b; 3],
        [0xd5, 0x5e, 0x00],
        [0x00, 0x8a, 0x64],
        [0x00, 0x5f, 0xa8],
    ] {
        let ink = png.pixels().filter(|pixel| pixel.0 == color).count();
        assert!(ink > 500, "{color:?}: {ink} pixels");
    }
}

#[test]
fn curves_hold_pooled_rates_and_intervals() {
    let figure = figure(&grid(&[fashion()]));
    let [panel] = &figure.panels[..] else {
        panic!("one target, one panel")
    };
    let ours = panel.curves.last().unwrap();
    assert_eq!(ours.name, "Ours");
    assert_eq!(ours.untouched.map(|dot| dot.rate), Some(0.0));
    let lrs: Vec<_> = ours.measured.iter().map(|(lr, _)| *lr).collect();
    assert_eq!(lrs, records::LRS);
    let (low, high) = verify::stats::wilson95(67, 90);
    let dot = Dot {
        rate: 67.0 / 90.0,
        low,
        high,
        hollow: false,
    };
    assert_eq!(ours.measured[3].1, dot);
    assert_eq!(ours.printed[1], (1e-9, 77.56 / 100.0));
    let dbi = &panel.curves[1];
    assert!(
        dbi.measured.last().unwrap().1.hollow,
        "all labels coincide there"
    );
    assert!(
        !ours.measured.last().unwrap().1.hollow,
        "pairs detect all the same"
    );
}

#[test]
fn few_or_no_points_can_be_drawn() {
    let nothing = figure(&Records::default());
    assert!(words(&nothing.svg().unwrap()).contains(&"Nothing has been computed yet.".to_owned()));
    image::load(Cursor::new(nothing.png().unwrap()), image::ImageFormat::Png).unwrap();

    let mut one = grid(&[fashion()]);
    one.runs.retain(|run| run.spec["lr"] == 1e-8);
    figure(&one).svg().unwrap();
    let mut control = grid(&[fashion()]);
    control.runs.retain(|run| run.spec["lr"] == 0.0);
    figure(&control).svg().unwrap();
}

#[test]
fn every_curve_of_a_panel_looks_different() {
    let target = fashion();
    let mut records = grid(std::slice::from_ref(&target));
    for (generator, spec) in [
        ("aid", json!({"activation": "attached"})),
        ("ssf", json!({})),
    ] {
        let (set, runs) = asked(&target, generator, spec, [[1; 3]; 7]);
        records.sets.push(set);
        records.runs.extend(runs);
    }
    let figure = figure(&records);
    let mut looks: Vec<_> = figure.panels[0]
        .curves
        .iter()
        .map(|curve| curve.look)
        .collect();
    looks.sort_unstable();
    assert_eq!(looks, [0, 1, 2, 3, 4, 5]);
    let printed = figure.panels[0]
        .curves
        .iter()
        .filter(|curve| !curve.printed.is_empty());
    assert_eq!(printed.count(), 4, "the paper's curves are drawn once each");
}
