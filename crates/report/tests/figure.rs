//! The figure: well-formed, complete, and the same in both formats.

mod records;

use std::io::Cursor;

use brink_config::Scale;
use brink_report::figure::{Dot, Field, Figure, Rates, Sheet, Slice};
use brink_report::{Records, Report};
use brink_verify::{Images, Layout};
use records::{asked, cifar, everything, fashion, grid};
use serde_json::json;

fn figure(records: &Records) -> Figure {
    Report::Table3
        .build(records, Scale::DESK, &[])
        .figures
        .remove(0)
        .1
}

/// What the figure of rates is made of.
fn rates(records: &Records) -> Rates {
    match figure(records) {
        Figure::Rates(rates) => rates,
        other => panic!("{}", other.title()),
    }
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
        "1e-8",
        "1e-6",
        "100 %",
    ] {
        // Long words stand in several lines.
        assert!(
            words.join(" ").contains(text),
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
    let figure = rates(&grid(&[fashion()]));
    let [panel] = &figure.panels[..] else {
        panic!("one target, one panel")
    };
    let ours = panel.curves.last().unwrap();
    assert_eq!(ours.name, "Ours");
    assert_eq!(ours.untouched.map(|dot| dot.rate), Some(0.0));
    let lrs: Vec<_> = ours.measured.iter().map(|(lr, _)| *lr).collect();
    assert_eq!(lrs, records::LRS);
    let (low, high) = brink_verify::stats::wilson95(67, 90);
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
    let figure = rates(&records);
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

#[test]
fn pruning_has_a_figure_too() {
    let figure = Report::Figure3
        .build(&everything(), Scale::DESK, &[])
        .figures
        .remove(0)
        .1;
    let words = words(&figure.svg().unwrap());
    for text in [
        "Figure 3: detection rate after pruning (desk scale)",
        "share of weights pruned",
        "Ours",
    ] {
        assert!(
            words.iter().any(|word| word == text),
            "{text:?} is not among {words:?}"
        );
    }
}

fn pruning(records: &Records) -> Rates {
    let mut figures = Report::Figure3.build(records, Scale::DESK, &[]).figures;
    match figures.remove(0).1 {
        Figure::Rates(rates) => rates,
        other => panic!("{other:?} instead of rates"),
    }
}

/// In one line with the rest they would be wider than a panel.
#[test]
fn kinds_of_pruning_have_a_line_of_their_own() {
    let mut records = everything();
    let prunings = records.runs.iter().filter(|run| run.attack == "prune");
    let mut others: Vec<_> = prunings.cloned().collect();
    for run in &mut others {
        run.spec["scope"] = "layer".into();
    }
    records.runs.extend(others);
    // The kind with most settings is the paper's question; the other one has a sheet of its own.
    let figures = Report::Figure3.build(&records, Scale::DESK, &[]).figures;
    let kinds = figures.iter().map(|(name, figure)| match figure {
        Figure::Rates(rates) => {
            let lines = rates.panels.iter().map(|panel| panel.lines[0].as_str());
            (name.as_str(), lines.collect::<Vec<_>>())
        }
        other => panic!("{other:?} instead of rates"),
    });
    let two = |kind| vec![kind; 2];
    let expected = [
        ("", two("over all layers")),
        ("others", two("in each layer")),
    ];
    assert_eq!(kinds.collect::<Vec<_>>(), expected, "two targets");
}

#[test]
fn pruning_shows_single_rates_too() {
    let rates = pruning(&everything());
    let names: Vec<_> = rates.panels[0]
        .curves
        .iter()
        .map(|curve| curve.name.as_str())
        .collect();
    let expected = [
        "Validset (single)",
        "DBI",
        "DBI (single)",
        "AID",
        "AID (single)",
        "Ours",
    ];
    assert_eq!(names, expected);
}

#[test]
fn convergence_has_two_plots_a_target() {
    let document = Report::Convergence.build(&everything(), Scale::DESK, &[]);
    let (_, figure) = &document.figures[0];
    let Figure::Lines(lines) = figure else {
        panic!("lines")
    };
    assert_eq!(lines.plots.len(), 4);
    let points = &lines.plots[0].lines[0].points;
    assert_eq!(
        points.len(),
        4,
        "iteration 0 has no place on a logarithmic axis"
    );
    let words = words(&figure.svg().unwrap());
    for text in ["iterations", "sum of |output|", "1e3", "DBI"] {
        assert!(
            words.iter().any(|word| word == text),
            "{text:?} is not among {words:?}"
        );
    }
}

/// Pairs of colour images that differ by 1e-6 in their upper left quarter.
fn pairs(n: usize) -> Images {
    let (height, width) = (16, 16);
    let mut data = Vec::new();
    for image in 0..2 * n {
        for at in 0..3 * height * width {
            let (channel, y, x) = (at / (height * width), at / width % height, at % width);
            let wave = ((x * (image / 2 + 1) + 3 * y + 7 * channel) % 16) as f32 / 20.0;
            let step = if image % 2 == 1 && x < 8 && y < 8 {
                1e-6
            } else {
                0.0
            };
            data.push(0.1 + wave + step);
        }
    }
    Images::new([3, height, width], data).unwrap()
}

#[test]
fn a_sheet_shows_samples_and_amplified_differences() {
    let figure = Sheet::of(
        "Samples of Ours (desk scale)",
        &pairs(12),
        Layout::Pairs,
        11,
    );
    let figure = Figure::Sheet(figure);
    let svg = figure.svg().unwrap();
    let document = roxmltree::Document::parse(&svg).unwrap();
    let pictures = document
        .descendants()
        .filter(|node| node.has_tag_name("image"));
    assert_eq!(pictures.count(), 22);
    let words = words(&svg);
    assert!(
        words[1].starts_with("11 pairs of 16 x 16 pixels") && words.join(" ").contains("amplified"),
        "{words:?}"
    );
    // Both files hold the same page.
    let png = image::load_from_memory(&figure.png().unwrap())
        .unwrap()
        .to_rgb8();
    let width: u32 = document
        .root_element()
        .attribute("width")
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(png.width(), 2 * width);
    // The first difference: white where the two differ, black elsewhere.
    let (left, top) = (2 * 12, 2 * (74 + 40 + 2));
    assert!(
        png.get_pixel(left + 10, top + 10)
            .0
            .iter()
            .all(|value| *value > 200)
    );
    assert_eq!(png.get_pixel(left + 70, top + 70).0, [0; 3]);

    let singles = Sheet::of("Samples of DBI", &pairs(2), Layout::Singles, 10);
    let singles = Figure::Sheet(singles);
    assert_eq!(singles.svg().unwrap().matches("<image").count(), 4);
}

/// A boundary that bends, moved by `shift`.
fn field(shift: f32) -> Field {
    let n = 64;
    let points = (0..n * n).map(|at| {
        let (x, y) = ((at % n) as f32 / 32.0 - 1.0, (at / n) as f32 / 32.0 - 1.0);
        1e-3 * (y - 0.4 * (2.0 * x).sin() - shift)
    });
    Field {
        size: (n, n),
        margins: points.collect(),
        x: (-2e-5, 2e-5),
        y: (-2e-5, 2e-5),
    }
}

#[test]
fn a_slice_shows_the_pair_on_both_sides_of_the_boundary() {
    let panels = [
        ("as delivered".to_owned(), field(0.0)),
        ("after fine-tuning".to_owned(), field(0.35)),
    ];
    let pair = [(0.0, -2e-6), (0.0, 2e-6)];
    let slice = Slice::new("Figure 1 of real numbers (desk scale)", panels, pair);
    let figure = Figure::Slice(slice);
    let words = words(&figure.svg().unwrap());
    for text in ["as delivered", "after fine-tuning", "a", "b", "2e-5"] {
        assert!(
            words.iter().any(|word| word == text),
            "{text:?} is not among {words:?}"
        );
    }
    let png = image::load_from_memory(&figure.png().unwrap())
        .unwrap()
        .to_rgb8();
    // Above the boundary the margin is positive, below it negative, in both panels.
    for left in [2 * 64, 2 * (64 + 232)] {
        let (above, below) = (
            png.get_pixel(left + 160, 2 * 82),
            png.get_pixel(left + 160, 2 * 222),
        );
        assert!(
            above[0] > above[2] && below[2] > below[0],
            "{above:?} {below:?}"
        );
    }
}

#[test]
fn false_alarms_stand_beside_detection() {
    let mut records = grid(&[fashion()]);
    let engine = json!({"arithmetic": "float64", "transport": "float32"});
    records::attacked(&mut records, "execution", &engine, [0, 9, 0]);
    let document = Report::TradeOff.build(&records, Scale::DESK, &[]);
    let Figure::Bars(bars) = &document.figures[0].1 else {
        panic!("no bars");
    };
    let [panel] = &bars.panels[..] else {
        panic!("one target");
    };
    // False alarms, then five of six learning rates; rate 0 changes nothing. At 1e-10 the samples differ least.
    let strips = panel.strips.iter().map(|strip| strip.below[0].as_str());
    let strips: Vec<_> = strips.collect();
    assert_eq!(
        strips,
        [
            "in another engine",
            "lr 1e-9",
            "lr 1e-8",
            "lr 1e-7",
            "lr 1e-6",
            "lr 1e-5"
        ]
    );
    assert!(panel.strips[0].alarm);
    let rate = |strip: usize, name: &str| {
        let row = panel.names.iter().position(|it| it == name).unwrap();
        panel.strips[strip].bars[row].unwrap().rate
    };
    assert_eq!(rate(0, "Ours"), 0.1);
    assert_eq!(rate(5, "Ours"), 1.0);
    let words = words(&document.figures[0].1.svg().unwrap());
    for text in [
        "Fashion-MNIST, ResNet18",
        "false alarms",
        "in another engine",
        "finetune",
        "lr 1e-9",
        "Ours",
        "10.0",
    ] {
        assert!(words.iter().any(|word| word == text), "{text}: {words:?}");
    }
}
