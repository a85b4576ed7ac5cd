//! The paper's printed values.

use brink_report::paper::SETTINGS;
use brink_report::{Measure, Paper};

#[test]
fn table3_is_as_printed() {
    let paper = Paper::table3();
    for (dataset, lrs) in [
        ("cifar10", [1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5]),
        ("gtsrb", [1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3]),
        ("flowers102", [1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5]),
    ] {
        assert_eq!(paper.values(dataset), lrs.map(Some));
        for lr in lrs {
            for (generator, measure) in [
                ("validset", Measure::Single),
                ("dbi", Measure::Single),
                ("dbi", Measure::Pair),
                ("aid", Measure::Single),
                ("aid", Measure::Pair),
                ("ours", Measure::Pair),
            ] {
                assert!(
                    paper.rate(dataset, generator, measure, Some(lr)).is_some(),
                    "{dataset} {generator} {lr}"
                );
            }
            assert_eq!(
                paper.rate(dataset, "ours", Measure::Single, Some(lr)),
                None,
                "not printed"
            );
        }
    }
    assert_eq!(
        paper.rate("cifar10", "ours", Measure::Pair, Some(1e-9)),
        Some("77.56")
    );
    assert_eq!(
        paper.rate("gtsrb", "aid", Measure::Single, Some(1e-8)),
        Some("53.3"),
        "the printed digits"
    );
    assert_eq!(
        paper.rate("cifar10", "ours", Measure::Pair, Some(1e-4)),
        None
    );
    // A learning rate may have been computed rather than written.
    assert_eq!(
        paper.rate("cifar10", "dbi", Measure::Pair, Some(0.1_f64.powi(10))),
        Some("38.01")
    );
}

/// A slip of the pen in one of the files would be read as a rate that the paper does not print, or as none.
#[test]
fn every_printed_rate_is_a_rate() {
    let generators = ["validset", "dbi", "aid", "ours"];
    for (paper, rates) in [
        (Paper::table2(), 18),
        (Paper::table3(), 108),
        (Paper::table4(), 21),
    ] {
        let printed = SETTINGS.iter().flat_map(|setting| {
            let values = paper.values(setting.dataset).into_iter();
            let keys = generators.map(|generator| {
                [Measure::Single, Measure::Pair].map(|measure| (generator, measure))
            });
            let keys =
                values.flat_map(move |at| keys.concat().into_iter().map(move |key| (at, key)));
            keys.filter_map(|(at, (generator, measure))| {
                paper.rate(setting.dataset, generator, measure, at)
            })
        });
        let printed: Vec<f64> = printed.map(|rate| rate.parse().unwrap()).collect();
        assert_eq!(printed.len(), rates);
        assert!(printed.iter().all(|rate| (0.0..=100.0).contains(rate)));
    }
}

#[test]
fn tables_without_an_axis_are_as_printed() {
    let paper = Paper::table2();
    assert_eq!(
        paper.rate("gtsrb", "ours", Measure::Pair, None),
        Some("92.61")
    );
    assert_eq!(
        paper.rate("cifar10", "validset", Measure::Single, None),
        Some("0.86")
    );
    assert!(!paper.prints("ours", Measure::Single));
    let paper = Paper::table4();
    assert_eq!(
        paper.rate("cifar10", "ours", Measure::Single, Some(8.0)),
        Some("41.33"),
        "unpaired"
    );
    assert_eq!(
        paper.rate("cifar10", "ours", Measure::Pair, Some(8.0)),
        Some("44.67")
    );
    assert_eq!(
        paper.rate("cifar10", "ours", Measure::Pair, Some(4.0)),
        None
    );
    assert!(!paper.prints("dbi-original", Measure::Pair));
}

#[test]
fn the_settings_are_those_of_table1() {
    let text = include_str!("../../../experiments/table1/paper.csv");
    let lines: Vec<_> = text.lines().skip(1).collect();
    assert_eq!(lines.len(), SETTINGS.len());
    for (line, setting) in lines.iter().zip(SETTINGS) {
        let fields: Vec<_> = line.split(',').collect();
        assert_eq!(fields[0], setting.dataset);
        assert!(fields[3].eq_ignore_ascii_case(setting.network));
        assert_eq!(fields[4], setting.top1);
    }
}
