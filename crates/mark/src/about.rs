//! How the pairs of a mark were made, what was measured, and what was promised.

use brink_endpoint::{Encoding, Kind, Protocol};
use brink_verify::{Control, Profile, Rate, RiskError, Risks};
use serde::{Deserialize, Serialize};

/// Everything about a mark but its pairs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// Who made it.
    pub user: String,
    /// When, in RFC 3339.
    pub created: String,
    /// What the model's answers are.
    pub answers: Kind,
    /// How pixels travel.
    pub pixels: Encoding,
    /// What requests look like, if a server answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
    /// The names of classes, in the order of their labels; empty if the model uses numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// The settings of the generator, as in a grid.
    pub settings: serde_json::Value,
    /// Images that the model was asked to make the pairs.
    pub queries: u64,
    /// What the deployment does to an untouched model.
    pub measured: Measured,
    /// The risks of a verification.
    pub promise: Promise,
}

/// How the untouched model was asked again, and what flipped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// Pairs that flipped in a first round and were left out.
    pub dropped: u64,
    /// The second round, in each of the ways to ask.
    pub controls: Vec<Control>,
    /// Pairs that flipped in at least one of these ways.
    pub flipped: Rate,
    /// Its labels when something other than the weights differs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub profiles: Vec<Profile>,
}

/// The risks of a verification.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Promise {
    /// The probability that an untouched model counts as changed, at most.
    pub false_alarm: f64,
    /// The smallest share of pairs whose flipping is to be detected.
    pub change: f64,
    /// The probability of missing such a change, at most.
    pub miss: f64,
}

impl Promise {
    /// The risks of the test, after `flipped` pairs of the untouched model flipped.
    ///
    /// Half of the false alarms are for a bound on the flip rate that is too low by chance, and half for the test itself.
    ///
    /// # Errors
    /// If a number is no probability, or too many pairs flipped.
    pub fn risks(&self, flipped: Rate) -> Result<Risks, RiskError> {
        let half = self.false_alarm / 2.0;
        Risks::new(half, flipped.upper(half), self.change, self.miss)
    }
}

impl About {
    /// The risks of a verification, see [`Promise::risks`].
    ///
    /// # Errors
    /// If a number is no probability, or too many pairs flipped.
    pub fn risks(&self) -> Result<Risks, RiskError> {
        self.promise.risks(self.measured.flipped)
    }
}
