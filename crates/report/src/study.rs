//! The reports that are tables of detection rates: what each varies, and what it calls it.

use serde_json::Value;

use crate::pool::Setting;
use crate::{Cell, Paper};

/// The attack that changes nothing: its rate is a false alarm.
pub const IDENTITY: &str = "identity";

/// Detection rates after one kind of attack, by its settings.
pub struct Study {
    /// Where it stands in the paper, e.g. `Table III`.
    pub name: &'static str,
    /// What happened to the model, e.g. `after fine-tuning`.
    pub after: &'static str,
    /// The attack; none stands for every one.
    pub attack: Option<&'static str>,
    /// The numeric field of its specification that orders the rows.
    pub axis: Option<&'static str>,
    /// The heading of the rows.
    pub heading: &'static str,
    /// Whether settings that differ in another field are rows too, rather than blocks of their own.
    pub spread: bool,
    /// The axis of its figure; none if it has no figure.
    pub figure: Option<Axis>,
    /// What the paper prints.
    pub paper: fn() -> Paper,
}

/// What rates are drawn against, on a logarithmic scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis {
    /// What it is.
    pub title: &'static str,
    /// Whether its numbers are shares, shown in %.
    pub percent: bool,
    /// Whether single rates are drawn beside pair rates.
    pub singles: bool,
}

/// Table II: a backdoor.
pub const BACKDOOR: Study = Study {
    name: "Table II",
    after: "after a backdoor was trained in",
    attack: Some("backdoor"),
    axis: None,
    heading: "attack",
    spread: true,
    figure: None,
    paper: Paper::table2,
};

/// Table III: fine-tuning.
pub const FINETUNE: Study = Study {
    name: "Table III",
    after: "after fine-tuning",
    attack: Some("finetune"),
    axis: Some("lr"),
    heading: "lr",
    spread: false,
    figure: Some(Axis {
        title: "learning rate",
        percent: false,
        singles: false,
    }),
    paper: Paper::table3,
};

/// Every attack in one table, the only one that one's own attacks are in.
pub const ATTACKS: Study = Study {
    name: "All attacks",
    after: "after each attack",
    attack: None,
    axis: None,
    heading: "attack",
    spread: true,
    figure: None,
    paper: Paper::default,
};

/// What the paper leaves open about samples, judged by fine-tuning as in Table III.
pub const CHOICES: Study = Study {
    name: "Samples made otherwise",
    figure: None,
    paper: Paper::default,
    ..FINETUNE
};

/// Table IV: quantisation.
pub const QUANTIZE: Study = Study {
    name: "Table IV",
    after: "after quantisation",
    attack: Some("quantize"),
    axis: Some("bits"),
    heading: "quantised to",
    spread: true,
    figure: None,
    paper: Paper::table4,
};

/// Figure 3: pruning. The paper prints no numbers.
pub const PRUNE: Study = Study {
    name: "Figure 3",
    after: "after pruning",
    attack: Some("prune"),
    axis: Some("rate"),
    heading: "pruned",
    spread: false,
    figure: Some(Axis {
        title: "share of weights pruned",
        percent: true,
        singles: true,
    }),
    paper: Paper::default,
};

impl Study {
    /// Whether it is about the attack of this name.
    pub fn is_about(&self, attack: &str) -> bool {
        match self.attack {
            Some(name) => name == attack,
            None => attack != IDENTITY,
        }
    }

    /// The value of the field that orders the rows in the fields of an attack, if they have it.
    pub fn value(&self, spec: &Value) -> Option<f64> {
        let value = spec.get(self.axis?).and_then(Value::as_f64)?;
        (value >= 0.0).then_some(value.abs())
    }

    /// How a row is called.
    pub fn label(&self, setting: &Setting) -> Cell {
        let Setting::Attack { value, variant } = setting else {
            return Cell::text("unchanged");
        };
        if self.attack.is_none() {
            return Cell::text(variant);
        }
        let value = value.map(f64::from_bits);
        let text = match (self.axis, value) {
            (Some("lr"), Some(lr)) if variant.is_empty() => return Cell::Scientific(lr),
            (Some("rate"), Some(rate)) => format!("{} %", significant(100.0 * rate)),
            (Some("bits"), Some(bits)) => format!("{bits} bit"),
            (_, Some(value)) => value.to_string(),
            (_, None) if variant.is_empty() => self.attack.unwrap_or_default().to_owned(),
            (_, None) => return Cell::text(variant),
        };
        match variant.as_str() {
            "" => Cell::text(text),
            variant => Cell::text(format!("{text}, {variant}")),
        }
    }

    /// The value under which the paper prints what belongs to this row.
    pub fn beside(&self, setting: &Setting) -> Option<Option<f64>> {
        match setting {
            Setting::Unchanged => None,
            Setting::Attack { value, .. } => Some(value.map(f64::from_bits)),
        }
    }
}

/// Without the digits that a factor of 100 adds: 0.1 % rather than 0.10000000000000002 %.
fn significant(value: f64) -> f64 {
    format!("{value:.6e}").parse().unwrap_or(value)
}
