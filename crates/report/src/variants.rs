//! What tells records of the same name apart: groups of equal fields, named by the fields in which they differ.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// The leaves of a specification by dotted path, without the fields named.
pub fn fields(spec: &Value, without: &[&str]) -> BTreeMap<String, String> {
    let mut out = spec::leaves(spec);
    out.retain(|path, _| !without.contains(&path.as_str()));
    out
}

/// Groups items of equal fields, and names each group by the fields in which the groups differ.
pub fn variants<T>(
    items: Vec<T>,
    fields: impl Fn(&T) -> BTreeMap<String, String>,
) -> Vec<(String, Vec<T>)> {
    grouped(items, fields, |value, values| {
        values.iter().any(|other| *other != value)
    })
}

/// As [`variants`], but the value that most groups have goes without saying; of several, the one that comes first. The group that has
/// all of those comes first, without a name.
pub fn departures<T>(
    items: Vec<T>,
    fields: impl Fn(&T) -> BTreeMap<String, String>,
) -> Vec<(String, Vec<T>)> {
    let mut groups = grouped(items, fields, |value, values| {
        let count = |of: &Option<&String>| values.iter().filter(|other| *other == of).count();
        // `max_by_key` takes the last of equals.
        let usual = values.iter().rev().max_by_key(|value| count(value));
        usual != Some(&value)
    });
    groups.sort_by(|(a, _), (b, _)| a.cmp(b));
    groups
}

/// Groups items of equal fields. A group is named by those of its fields of which `say` is true: it is given the
/// group's value and those of all groups, in the order in which they come.
fn grouped<T>(
    items: Vec<T>,
    fields: impl Fn(&T) -> BTreeMap<String, String>,
    say: impl Fn(Option<&String>, &[Option<&String>]) -> bool,
) -> Vec<(String, Vec<T>)> {
    let mut groups: BTreeMap<BTreeMap<String, String>, Vec<T>> = BTreeMap::new();
    let mut order = Vec::new();
    for item in items {
        let fields = fields(&item);
        if !groups.contains_key(&fields) {
            order.push(fields.clone());
        }
        groups.entry(fields).or_default().push(item);
    }
    let paths: BTreeSet<&String> = order.iter().flat_map(BTreeMap::keys).collect();
    // `lacking` is what it says of a field that others have and it has not.
    let name = |own: &BTreeMap<String, String>, lacking: Option<&str>| {
        let parts = paths.iter().filter_map(|path| {
            let values: Vec<_> = order.iter().map(|fields| fields.get(*path)).collect();
            let own = own.get(*path);
            let value = own.map(String::as_str).or(lacking)?;
            say(own, &values).then(|| format!("{path} {value}"))
        });
        parts.collect::<Vec<_>>().join(", ")
    };
    let short: Vec<_> = groups.keys().map(|own| name(own, None)).collect();
    let taken = |name: &String| short.iter().filter(|other| *other == name).count() > 1;
    let names = groups.keys().zip(&short).map(|(own, short)| {
        let lacking = taken(short).then_some("not set");
        name(own, lacking)
    });
    let names: Vec<_> = names.collect();
    names.into_iter().zip(groups.into_values()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn names(groups: Vec<(String, Vec<Value>)>) -> Vec<String> {
        groups.into_iter().map(|(name, _)| name).collect()
    }

    /// The ordinary one and one that departs from it in two fields, of which a third lacks one.
    #[test]
    fn two_groups_have_two_names_even_where_one_lacks_a_field() {
        let specs = [
            json!({}),
            json!({"cap": 5}),
            json!({"cap": 5, "samples": 100}),
        ];
        let by_departure = departures(specs.to_vec(), |spec| fields(spec, &[]));
        assert_eq!(names(by_departure), ["", "cap not set", "samples 100"]);
        let by_difference = variants(specs.to_vec(), |spec| fields(spec, &[]));
        assert_eq!(names(by_difference), ["", "cap 5", "cap 5, samples 100"]);
    }
    /// Of two kinds neither is the usual one by number; the grid names the ordinary one first.
    #[test]
    fn of_two_the_first_goes_without_saying() {
        let specs = [json!({"weight": 1}), json!({"weight": 0})];
        let by_departure = departures(specs.to_vec(), |spec| fields(spec, &[]));
        assert_eq!(names(by_departure), ["", "weight 0"]);
    }
}
