//! The accuracy that a training script saved with the weights.

use crate::pickle::{Pickle, Value};

/// The accuracy that a file claims for its network.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// Its key in the file, such as `best_prec1`.
    pub name: String,
    /// In percent, in (0, 100].
    pub percent: f64,
}

/// The usual keys. The first one in this order that the file has is taken.
const NAMES: [&str; 14] = [
    "best_acc",
    "best_acc1",
    "best_prec1",
    "best_prec",
    "best_top1",
    "best_accuracy",
    "test_acc",
    "test_accuracy",
    "val_acc",
    "acc",
    "acc1",
    "prec1",
    "top1",
    "accuracy",
];

/// The claim in the saved dictionary, if it has one.
pub(crate) fn find(pickle: &Pickle<'_>) -> Option<Claim> {
    let entries = pickle.entries(pickle.root())?;
    NAMES.iter().find_map(|&name| {
        let (_, value) = entries
            .iter()
            .find(|(key, _)| pickle.text(*key) == Some(name))?;
        let value = match pickle.get(*value) {
            Value::Float(value) => *value,
            Value::Int(value) => *value as f64,
            _ => return None,
        };
        // Some scripts write fractions.
        let percent = if value <= 1.0 { 100.0 * value } else { value };
        let name = name.to_owned();
        (percent > 0.0 && percent <= 100.0).then_some(Claim { name, percent })
    })
}
