//! Studies: tables of detection rates after one kind of attack, and the settings that are their rows.

use serde_json::Value;

use super::fields::{AttackFields, read};
use super::paper::Paper;
use super::subject::Subject;
use crate::document::figure::Axis;
use crate::document::table::Cell;

/// Detection rates after one kind of attack, by its settings.
pub struct Study {
    /// Its place in the paper, e.g. `Table III`.
    pub name: &'static str,
    /// What happened to the model, e.g. `after fine-tuning`.
    pub after: &'static str,
    /// The attack; `None` for every one.
    pub attack: Option<&'static str>,
    /// The field of the attack that orders the rows.
    pub variable: Option<Variable>,
    /// The heading of the rows.
    pub heading: &'static str,
    /// Whether settings that differ in another field are rows too, rather than blocks of their own.
    pub spread: bool,
    /// Whether its data files count whole sets, too.
    pub verdicts: bool,
    /// The axis of its figure, if it has one.
    pub figure: Option<Axis>,
    /// The numbers that the paper prints.
    pub paper: fn() -> Paper,
}

/// A numeric field of an attack.
#[derive(Clone, Copy)]
pub struct Variable {
    /// Its name in specifications.
    pub field: &'static str,
    /// Its value, at least 0.
    pub value: fn(&AttackFields) -> Option<f64>,
    /// Its column in data files.
    pub column: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// How tables show a value.
    pub show: fn(f64) -> Cell,
    /// Why 0 is a control, if it is one.
    pub control: Option<&'static str>,
}

/// One setting of an attack: a row of a table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Setting {
    /// Nothing was changed: the rate is a false alarm.
    Unchanged,
    /// The same weights in another engine of f32 or f64: the rate is a false alarm.
    OtherEngine,
    /// The attack.
    Attack {
        /// The bits of the variable. Those of positive numbers are in the order of the numbers.
        value: Option<u64>,
        /// What distinguishes it from others of the same value; mostly empty.
        variant: String,
    },
}

impl Setting {
    /// What distinguishes it from others of the same value.
    pub fn variant(&self) -> &str {
        match self {
            Self::Unchanged | Self::OtherEngine => "",
            Self::Attack { variant, .. } => variant,
        }
    }

    /// Whether an attack changed something.
    pub fn is_attack(&self) -> bool {
        matches!(self, Self::Attack { .. })
    }

    /// The value of the variable.
    pub fn value(&self) -> Option<f64> {
        self.at().flatten()
    }

    /// The value of the variable, under which the paper prints its numbers; `None` if nothing was changed.
    pub fn at(&self) -> Option<Option<f64>> {
        match self {
            Self::Unchanged | Self::OtherEngine => None,
            Self::Attack { value, .. } => Some(value.map(f64::from_bits)),
        }
    }
}

impl Study {
    /// What its report is about.
    pub const fn subject(&self) -> Subject {
        let variable = match self.variable {
            Some(variable) => Some(variable.field),
            None => None,
        };
        match self.attack {
            Some(name) => Subject::Attack { name, variable },
            None => Subject::Attacks,
        }
    }

    /// The value of the variable in the specification of an attack.
    pub fn value(&self, spec: &Value) -> Option<f64> {
        let value = (self.variable?.value)(&read(spec)?)?;
        (value >= 0.0).then_some(value.abs())
    }

    /// The name of a row.
    pub fn label(&self, setting: &Setting) -> Cell {
        let (value, variant) = match setting {
            Setting::Unchanged => return Cell::text("unchanged"),
            Setting::OtherEngine => return Cell::text("another engine"),
            Setting::Attack { value, variant } => (value, variant),
        };
        // A study of every attack has the places of its rows for values.
        let value = self.variable.zip(*value);
        let value = value.map(|(variable, bits)| (variable.show)(f64::from_bits(bits)));
        match (value, variant.as_str()) {
            (Some(value), "") => value,
            (Some(value), variant) => Cell::text(format!("{}, {variant}", value.plain())),
            (None, "") => Cell::text(self.attack.unwrap_or_default()),
            (None, variant) => Cell::text(variant),
        }
    }
}
