//! What a verification says, for people and as JSON.

use std::fmt;

use brink_verify::{Finding, Interview, Risks};
use serde::{Deserialize, Serialize};

/// The flip rates of changes whose detection is told.
const STRENGTHS: [f64; 4] = [0.1, 0.25, 0.5, 1.0];

/// A verification.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Said {
    /// The verdict.
    pub verdict: Verdict,
    /// Why nothing can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What explains a changed model's answers without other weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub like: Option<String>,
    /// Images asked, repeated ones included.
    pub images: u64,
    /// Pairs asked.
    pub asked: usize,
    /// The pairs that flipped.
    pub flipped: Vec<usize>,
    /// The p-value of "untouched".
    pub p_value: f64,
    /// The probability of a false alarm, at most.
    pub false_alarm: f64,
    /// For some strengths of a change, the share of pairs that it flips, the probability of each verdict.
    pub strengths: Vec<Strength>,
}

/// A verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The model is the protected one, as far as the risks go.
    Intact,
    /// Too many pairs flipped.
    Changed,
    /// The answers allow no finding.
    CannotTell,
}

/// How a change of some strength is found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Strength {
    /// The share of pairs that the change flips.
    pub rate: f64,
    /// The probability of "changed".
    pub changed: f64,
    /// The probability of "intact".
    pub intact: f64,
}

impl Said {
    /// What an interview says at these risks. There were at most `pairs` to ask.
    pub fn of(interview: &Interview, risks: Risks, false_alarm: f64, pairs: usize) -> Self {
        let (verdict, reason) = match &interview.finding {
            Finding::Intact => (Verdict::Intact, None),
            Finding::Changed => (Verdict::Changed, None),
            Finding::CannotTell(doubt) => (Verdict::CannotTell, Some(doubt.to_string())),
        };
        let strength = |rate| {
            let ends = risks.ends(rate, pairs as u64);
            Strength {
                rate,
                changed: ends.changed,
                intact: ends.intact,
            }
        };
        Self {
            verdict,
            reason,
            like: interview.like.clone(),
            images: interview.images,
            asked: interview.asked.len(),
            flipped: interview.flipped.clone(),
            p_value: interview.p_value,
            false_alarm,
            strengths: STRENGTHS.map(strength).to_vec(),
        }
    }

    /// What is said if the model gives no answers.
    pub fn no_answer(why: String, false_alarm: f64) -> Self {
        Self {
            verdict: Verdict::CannotTell,
            reason: Some(why),
            like: None,
            images: 0,
            asked: 0,
            flipped: Vec::new(),
            p_value: 1.0,
            false_alarm,
            strengths: Vec::new(),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Intact => "intact",
            Self::Changed => "changed",
            Self::CannotTell => "cannot tell",
        })
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.verdict)?;
        if let Some(reason) = &self.reason {
            write!(f, ": {reason}")?;
        }
        if let Some(like) = &self.like {
            write!(
                f,
                ", as the protected model answers with {like}; check the transport, the preprocessing and the arithmetic before the weights"
            )?;
        }
        if self.asked == 0 {
            return Ok(());
        }
        let (asked, flips, images) = (self.asked, self.flipped.len(), self.images);
        write!(
            f,
            "\n  {flips} of {asked} pairs flipped, {images} images asked"
        )?;
        let (p, risk) = (small(self.p_value), promised(self.false_alarm));
        write!(f, "\n  p-value {p}; {risk}")?;
        if self.verdict != Verdict::Intact {
            return Ok(());
        }
        for Strength { rate, changed, .. } in &self.strengths {
            let (rate, changed) = (100.0 * rate, 100.0 * changed);
            write!(
                f,
                "\n  a change that flips {rate:3.0} % of the pairs is found with a probability of {changed:5.1} %"
            )?;
        }
        Ok(())
    }
}

/// A probability in few digits.
fn small(p: f64) -> String {
    match p < 1e-3 {
        true => format!("{p:.1e}"),
        false => format!("{p:.3}"),
    }
}

/// The promised risk in words.
pub fn promised(false_alarm: f64) -> String {
    format!(
        "at most 1 false alarm in {:.0} verifications",
        1.0 / false_alarm
    )
}
