//! Names for specifications: the fields that distinguish each from the others of its kind.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// The leaves of a specification by dotted path.
pub type Leaves = BTreeMap<String, String>;

/// How the parts of a name are written.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Between the path of a field and its value.
    pub equals: &'static str,
    /// Between two fields.
    pub comma: &'static str,
    /// The value of a field that is not set.
    pub absent: &'static str,
    /// Whether some values stand without their field, e.g. `per channel`.
    pub words: bool,
}

/// For sentences: `lr 0.1, per channel, cap not set`.
pub const PROSE: Style = Style {
    equals: " ",
    comma: ", ",
    absent: "not set",
    words: true,
};

/// For patterns: `lr=0.1,granularity=channel,cap=unset`.
pub const PATTERN: Style = Style {
    equals: "=",
    comma: ",",
    absent: "unset",
    words: false,
};

/// The words for values that tell their field.
const WORDS: [(&str, &str, &str); 14] = [
    ("criterion", "magnitude", "by magnitude"),
    ("criterion", "random", "at random"),
    ("granularity", "channel", "per channel"),
    ("granularity", "tensor", "per tensor"),
    ("optimizer", "adam", "Adam"),
    ("optimizer", "sgd", "SGD"),
    ("optimizer", "sgd_momentum", "momentum SGD"),
    ("pixels", "uint8", "8-bit pixels"),
    ("scheme", "affine", "affine"),
    ("scheme", "symmetric", "symmetric"),
    ("scope", "global", "over all layers"),
    ("scope", "layer", "in each layer"),
    ("what", "weights", "weights"),
    ("what", "weights_and_activations", "weights and activations"),
];

impl Style {
    /// A field and its value.
    fn part(&self, path: &str, value: &str) -> String {
        let mut words = WORDS.iter().filter(|_| self.words);
        match words.find(|(field, of, _)| (*field, *of) == (path, value)) {
            Some((_, _, words)) => (*words).to_owned(),
            None => format!("{path}{}{value}", self.equals),
        }
    }
}

/// The names of `items`, in their order.
///
/// A name has the fields for which `show` is true. `show` gets the item's value and the values of all items, `None` where a
/// field is not set. A field that is not set is named only where two different items would share a name otherwise.
pub fn labels(
    items: &[Leaves],
    style: Style,
    show: impl Fn(Option<&String>, &[Option<&String>]) -> bool,
) -> Vec<String> {
    let paths: BTreeSet<&String> = items.iter().flat_map(BTreeMap::keys).collect();
    let columns = paths.into_iter().map(|path| {
        let values = items.iter().map(|item| item.get(path));
        (path, values.collect::<Vec<_>>())
    });
    let columns: Vec<_> = columns.collect();
    let name = |nth: usize, absent: Option<&str>| {
        let parts = columns.iter().filter_map(|(path, values)| {
            let own: Option<&String> = values[nth];
            let value = own.map(String::as_str).or(absent)?;
            show(own, values).then(|| style.part(path, value))
        });
        parts.collect::<Vec<_>>().join(style.comma)
    };
    let short: Vec<_> = (0..items.len()).map(|nth| name(nth, None)).collect();
    let shared = |nth: usize| {
        let mut others = short.iter().zip(items);
        others.any(|(other, item)| *other == short[nth] && *item != items[nth])
    };
    let unique = (0..items.len()).map(|nth| match shared(nth) {
        true => name(nth, Some(style.absent)),
        false => short[nth].clone(),
    });
    unique.collect()
}

/// Whether a value differs from any other.
pub fn differs(own: Option<&String>, values: &[Option<&String>]) -> bool {
    values.iter().any(|other| *other != own)
}

/// The most frequent values, in order of appearance; several if they are equally frequent.
pub fn modes<'a>(values: &[Option<&'a String>]) -> Vec<Option<&'a String>> {
    let count = |of: &Option<&String>| values.iter().filter(|other| *other == of).count();
    let most = values.iter().map(count).max();
    let mut modes = Vec::new();
    for value in values {
        if Some(count(value)) == most && !modes.contains(value) {
            modes.push(*value);
        }
    }
    modes
}

/// The leaves of a specification, without the fields named and those that are not set.
pub fn fields(spec: &Value, without: &[&str]) -> Leaves {
    let mut out = brink_config::leaves(spec);
    out.retain(|path, value| value != "null" && !without.contains(&path.as_str()));
    out
}

/// A key that orders texts by the numbers in them.
pub fn natural(text: &str) -> (Vec<(Option<u64>, &str)>, &str) {
    let words = text.split([' ', ',']).map(|word| {
        let number = word.parse::<f64>().ok().filter(|number| *number >= 0.0);
        (number.map(f64::to_bits), word)
    });
    (words.collect(), text)
}

/// Groups items of equal fields, and names each group by the fields in which the groups differ.
pub fn variants<T>(items: Vec<T>, fields: impl Fn(&T) -> Leaves) -> Vec<(String, Vec<T>)> {
    grouped(items, fields, differs)
}

/// Groups items of equal fields, and names each group by the fields that differ from the most frequent value, or from the
/// first of several. The group without a name comes first.
pub fn differences_from_default<T>(
    items: Vec<T>,
    fields: impl Fn(&T) -> Leaves,
) -> Vec<(String, Vec<T>)> {
    let mut groups = grouped(items, fields, |own, values| {
        modes(values).first() != Some(&own)
    });
    groups.sort_by(|(a, _), (b, _)| natural(a).cmp(&natural(b)));
    groups
}

/// What [`differences_from_default`] leaves out of the names: the most frequent value of each field in which the items differ.
pub fn defaults<T>(items: &[T], fields: impl Fn(&T) -> Leaves) -> String {
    let mut kinds: Vec<Leaves> = Vec::new();
    for item in items {
        let fields = fields(item);
        if !kinds.contains(&fields) {
            kinds.push(fields);
        }
    }
    let paths: BTreeSet<&String> = kinds.iter().flat_map(BTreeMap::keys).collect();
    let parts = paths.into_iter().filter_map(|path| {
        let values: Vec<_> = kinds.iter().map(|kind| kind.get(path)).collect();
        let default = modes(&values).first().copied()??;
        differs(Some(default), &values).then(|| PROSE.part(path, default))
    });
    parts.collect::<Vec<_>>().join(PROSE.comma)
}

/// Groups items of equal fields, ordered by fields and named by [`labels`].
fn grouped<T>(
    items: Vec<T>,
    fields: impl Fn(&T) -> Leaves,
    show: impl Fn(Option<&String>, &[Option<&String>]) -> bool,
) -> Vec<(String, Vec<T>)> {
    let mut groups: BTreeMap<Leaves, Vec<T>> = BTreeMap::new();
    let mut order = Vec::new();
    for item in items {
        let fields = fields(&item);
        if !groups.contains_key(&fields) {
            order.push(fields.clone());
        }
        groups.entry(fields).or_default().push(item);
    }
    let names = labels(&order, PROSE, show);
    // Both maps have the same keys.
    let names: BTreeMap<_, _> = order.into_iter().zip(names).collect();
    names.into_values().zip(groups.into_values()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn names(groups: Vec<(String, Vec<Value>)>) -> Vec<String> {
        groups.into_iter().map(|(name, _)| name).collect()
    }

    /// The ordinary one and one that differs from it in two fields, of which a third lacks one.
    #[test]
    fn two_groups_have_two_names_even_where_one_lacks_a_field() {
        let specs = [
            json!({}),
            json!({"cap": 5}),
            json!({"cap": 5, "samples": 100}),
        ];
        let by_default = differences_from_default(specs.to_vec(), |spec| fields(spec, &[]));
        assert_eq!(names(by_default), ["", "cap not set", "samples 100"]);
        let by_difference = variants(specs.to_vec(), |spec| fields(spec, &[]));
        assert_eq!(names(by_difference), ["", "cap 5", "cap 5, samples 100"]);
    }

    #[test]
    fn what_goes_without_saying_can_be_said() {
        let specs = [
            json!({"granularity": "tensor", "bits": 8}),
            json!({"granularity": "channel", "bits": 8}),
            json!({"granularity": "tensor", "bits": 8, "scheme": "affine"}),
        ];
        let all = |spec: &Value| fields(spec, &[]);
        let by_default = differences_from_default(specs.to_vec(), all);
        assert_eq!(names(by_default), ["", "affine", "per channel"]);
        assert_eq!(defaults(&specs, all), "per tensor");
        assert_eq!(defaults(&specs[..1], all), "");
    }

    /// Of two kinds neither is more frequent; the grid names the ordinary one first.
    #[test]
    fn of_two_the_first_goes_without_saying() {
        let specs = [json!({"weight": 1}), json!({"weight": 0})];
        let by_default = differences_from_default(specs.to_vec(), |spec| fields(spec, &[]));
        assert_eq!(names(by_default), ["", "weight 0"]);
    }
}
