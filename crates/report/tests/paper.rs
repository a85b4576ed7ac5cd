//! The paper's printed values, and what a wrong file says.

use report::{Measure, Paper};

#[test]
fn table3_is_as_printed() {
    let paper = Paper::table3();
    for (dataset, lrs) in [
        ("cifar10", [1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5]),
        ("gtsrb", [1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3]),
        ("flowers102", [1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5]),
    ] {
        assert_eq!(paper.lrs(dataset), lrs);
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
                    paper.rate(dataset, generator, measure, lr).is_some(),
                    "{dataset} {generator} {lr}"
                );
            }
            assert_eq!(
                paper.rate(dataset, "ours", Measure::Single, lr),
                None,
                "not printed"
            );
        }
    }
    assert_eq!(
        paper.rate("cifar10", "ours", Measure::Pair, 1e-9),
        Some("77.56")
    );
    assert_eq!(
        paper.rate("gtsrb", "aid", Measure::Single, 1e-8),
        Some("53.3"),
        "the printed digits"
    );
    assert_eq!(paper.rate("cifar10", "ours", Measure::Pair, 1e-4), None);
    // A learning rate may have been computed rather than written.
    assert_eq!(
        paper.rate("cifar10", "dbi", Measure::Pair, 0.1_f64.powi(10)),
        Some("38.01")
    );
}

#[test]
fn wrong_files_name_line_and_fix() {
    for (text, message) in [
        (
            "",
            "paper.csv, line 1: must begin with the columns dataset,lr",
        ),
        (
            "data,lr,dbi\n",
            "paper.csv, line 1: must begin with the columns dataset,lr",
        ),
        (
            "dataset,lr,dbi\na,1e-3,50\na,1e-2\n",
            "paper.csv, line 3: 2 fields instead of 3",
        ),
        (
            "dataset,lr,dbi\na,fast,50\n",
            "paper.csv, line 2: lr \"fast\" is not a number",
        ),
        (
            "dataset,lr,dbi\na,1e-3,500\n",
            "paper.csv, line 2: \"500\" is not a rate from 0 to 100",
        ),
    ] {
        assert_eq!(
            Paper::parse("paper.csv", text).unwrap_err().to_string(),
            message
        );
    }
    let gap = Paper::parse("paper.csv", "dataset,lr,dbi_pair\na,1e-3,\n").unwrap();
    assert_eq!(
        gap.rate("a", "dbi", Measure::Pair, 1e-3),
        None,
        "an empty field was not printed"
    );
}
