//! Identifiers of steps.

use brink_store::Id;
use proptest::prelude::*;
use serde_json::json;

#[test]
fn an_id_is_known_and_ignores_the_order_of_fields_only() {
    let id = |value| Id::of(&value).unwrap().to_string();
    let known = "b944e0f822d8812f";
    let canonical = br#"{"a":{"c":true,"d":null},"b":[1,2.5,"x"]}"#;
    assert!(blake3::hash(canonical).to_hex().starts_with(known));
    assert_eq!(
        id(json!({"b": [1, 2.5, "x"], "a": {"d": null, "c": true}})),
        known
    );
    assert_eq!(
        id(json!({"a": {"c": true, "d": null}, "b": [1, 2.5, "x"]})),
        known
    );
    for other in [
        json!({"a": {"c": true, "d": null}, "b": [2.5, 1, "x"]}),
        json!({"a": {"c": true}, "b": [1, 2.5, "x"]}),
        json!({"a": {"c": true, "d": null}, "b": [1.0, 2.5, "x"]}),
        json!({"a": {"c": true, "d": null}, "c": [1, 2.5, "x"]}),
    ] {
        assert_ne!(id(other), known);
    }
}

#[test]
fn an_id_of_something_that_is_no_json_is_refused() {
    let map = std::collections::BTreeMap::from([(vec![1], 2)]);
    assert!(Id::of(&map).unwrap_err().to_string().contains("text keys"));
}

#[test]
fn only_canonical_text_is_an_id() {
    for text in [
        "",
        "0123456789abcde",
        "0123456789abcdef0",
        "0123456789ABCDEF",
        "+123456789abcdef",
        "0123456789abcdeg",
    ] {
        let error = text.parse::<Id>().unwrap_err().to_string();
        assert!(
            error.contains(&format!("`{text}`")) && error.contains("16 hexadecimal digits"),
            "{error}"
        );
    }
    let id: Id = "00000000000000ff".parse().unwrap();
    assert_eq!(
        format!("{id:?} {id:>20}"),
        "Id(00000000000000ff)     00000000000000ff"
    );
    assert_eq!(serde_json::to_string(&id).unwrap(), "\"00000000000000ff\"");
    assert!(serde_json::from_str::<Id>("\"ff\"").is_err());
}

proptest! {
    #[test]
    fn ids_read_back_and_sort_like_their_text(a: u64, b: u64) {
        let (a, b) = (Id::of(&a).unwrap(), Id::of(&b).unwrap());
        prop_assert_eq!(a.to_string().parse::<Id>().unwrap(), a);
        prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
        let json = serde_json::to_string(&a).unwrap();
        prop_assert_eq!(serde_json::from_str::<Id>(&json).unwrap(), a);
    }
}
