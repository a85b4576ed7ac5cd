//! Scales, checked numbers and near names.

use brink_config::{
    Scale,
    checked::{Count, NonEmpty, NonNegative, Positive, Repeats, Samples, Side, UnitInterval},
    nearest,
};
use proptest::prelude::*;
use serde_json::json;

/// Identifiers hash the JSON of a number, so -0 and 0 must be written alike.
#[test]
fn a_zero_below_zero_is_the_same_zero() {
    let zero = json!(0.0).to_string();
    let read = |text| {
        let rate: NonNegative = serde_json::from_str(text).unwrap();
        let share: UnitInterval = serde_json::from_str(text).unwrap();
        [json!(rate).to_string(), json!(share).to_string()]
    };
    assert_eq!(read("-0.0"), [zero.as_str(); 2]);
    assert_eq!(read("0"), [zero.as_str(); 2]);
}

#[test]
fn what_is_done_over_and_over_has_an_upper_bound() {
    assert!(Samples::new(0).is_err() && Samples::new(20_001).is_err());
    assert!(Repeats::new(0).is_err() && Repeats::new(1001).is_err());
    assert!(Repeats::new(1).is_ok() && Repeats::new(1000).is_ok());
    for side in [1, 4, 1001, (1 << 32) + 1] {
        assert!(Side::new(side).is_err(), "{side}");
    }
    assert!(Side::new(3).is_ok() && Side::new(999).is_ok());
}

proptest! {
    #[test]
    fn an_exact_name_is_its_own_nearest(name in "[a-z][a-z0-9-]{0,12}", other in "[a-z][a-z0-9-]{0,12}") {
        prop_assert_eq!(nearest(&name, [name.as_str(), other.as_str()]), Some(name.as_str()));
        prop_assert_eq!(nearest(&name, []), None);
    }

    #[test]
    fn one_slip_in_a_long_name_is_forgiven(name in "[a-z]{6,12}", at in 0usize..6) {
        let mut slip = name.clone();
        slip.remove(at);
        prop_assert_eq!(nearest(&slip, [name.as_str()]), Some(name.as_str()));
    }

    #[test]
    fn checked_numbers_are_within_bounds_or_refused(value: f64) {
        prop_assert_eq!(Positive::new(value).is_ok(), value.is_finite() && value > 0.0);
        prop_assert_eq!(NonNegative::new(value).is_ok(), value.is_finite() && value >= 0.0);
        prop_assert_eq!(UnitInterval::new(value).is_ok(), (0.0..=1.0).contains(&value));
    }
}

#[test]
fn scales_read_and_write_as_one_word() {
    let own: Scale = "tiny-2".parse().unwrap();
    for scale in [Scale::DESK, Scale::PAPER, own] {
        assert_eq!(scale.to_string().parse(), Ok(scale));
        assert_eq!(
            serde_json::to_string(&scale).unwrap(),
            format!("\"{scale}\"")
        );
    }
    assert_eq!(Scale::DESK.title_suffix(), " (desk scale)");
    assert_eq!(Scale::PAPER.title_suffix(), "");
    assert_eq!(own.title_suffix(), " (tiny-2 scale)");
    for name in ["", "Desk", "a b", &"a".repeat(31)] {
        assert!(name.parse::<Scale>().is_err(), "{name}");
    }
}

#[test]
fn near_names_forgive_case_hyphens_and_swapped_letters() {
    let names = ["fashion-mnist", "cifar10", "cifar10-jpeg"];
    assert_eq!(nearest("FashionMNIST", names), Some("fashion-mnist"));
    assert_eq!(nearest("cifar10_jpeg", names), Some("cifar10-jpeg"));
    assert_eq!(nearest("cfiar10", names), Some("cifar10"));
    assert_eq!(nearest("gtsrb", names), None);
    assert_eq!(nearest("ab", ["cd"]), None);
    assert_eq!(nearest::hint("x", &[]), "no names are known here");
}

#[test]
fn a_checked_number_is_written_plainly_and_names_its_bounds() {
    const HALF: Positive = Positive::literal(0.5);
    assert_eq!(serde_json::to_string(&HALF).unwrap(), "0.5");
    assert_eq!(serde_json::from_str::<NonNegative>("0").unwrap().get(), 0.0);
    assert_eq!(
        Positive::new(f64::NAN).unwrap_err().to_string(),
        "`NaN` is not a number above 0"
    );
    assert_eq!(
        Count::new(0).unwrap_err().to_string(),
        "`0` is not a whole number from 1 to 1000000000"
    );
    assert!(serde_json::from_str::<Count>("0").is_err());
    assert_eq!(usize::from(Count::literal(7)), 7);
}

#[test]
fn an_empty_list_is_refused_where_an_entry_is_needed() {
    let seeds: NonEmpty<u64> = brink_config::yaml::parse("grid.yaml", "[3, 1]").unwrap();
    assert_eq!((seeds.len(), seeds.iter().sum::<u64>()), (2, 4));
    assert_eq!(serde_json::to_string(&seeds).unwrap(), "[3,1]");
    let error = brink_config::yaml::parse::<NonEmpty<u64>>("grid.yaml", "[]").unwrap_err();
    assert_eq!(
        error.message(),
        "the list is empty; give at least one entry"
    );
}
