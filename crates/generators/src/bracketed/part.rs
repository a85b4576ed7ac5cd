//! Moves the members of an f32 pair apart, each toward the image that it started from.

use super::bisect::Bracket;
use super::queries::{Queries, own_margin};
use brink_models::{Error, Result, state::State};
use brink_verify::Oracle;
use candle_core::{Device, Tensor};

/// A member is placed if its margin exceeds the wanted one by at most this factor.
const SLACK: f32 = 1.05;
/// The share of the way back to the start that is tried first.
const FIRST: f64 = 1e-6;
/// The largest number of rounds. Each at least halves the interval in most cases, and f32 pixels have 24 bits.
const ROUNDS: usize = 48;

/// The members of all pairs on their way.
pub(crate) struct Parting {
    members: Vec<Member>,
    margin: f32,
    rounds: usize,
}

/// One member: the share of the way back to its start is between `low` and `high`.
struct Member {
    end: Vec<f32>,
    start: Vec<f32>,
    label: u32,
    /// Too close to the boundary, and its margin.
    low: (f64, f32),
    /// Far enough from it, and its margin.
    high: Option<(f64, f32)>,
    placed: bool,
}

impl Parting {
    /// Moves each member until its margin is at least `margin`. It needs scores.
    pub fn to_margin(brackets: &[Bracket], margin: f32) -> Self {
        let members = brackets.iter().flat_map(|bracket| {
            [0, 1].map(|side| Member {
                end: bracket.ends[side].clone(),
                start: bracket.starts[side].clone(),
                label: bracket.labels[side],
                low: (0.0, 0.0),
                high: None,
                placed: false,
            })
        });
        Self {
            members: members.collect(),
            margin,
            rounds: 0,
        }
    }

    /// Moves each member by half of `width` in the pixel that changes most. It needs no query.
    pub fn to_width(brackets: &[Bracket], width: f32) -> Self {
        let mut all = Self::to_margin(brackets, 0.0);
        for member in &mut all.members {
            let pixels = member.end.iter().zip(&member.start);
            let farthest = pixels.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            let share = f64::from(width / 2.0) / f64::from(farthest.max(f32::MIN_POSITIVE));
            member.high = Some((share.min(1.0), 0.0));
            member.placed = true;
        }
        all
    }

    /// Asks about every member that is not placed. Returns whether all are, or the rounds are used up.
    pub fn round(&mut self, queries: &mut Queries<impl Oracle>) -> Result<bool> {
        let wanted = self.margin;
        let moving = self.members.iter_mut().filter(|member| !member.placed);
        let mut moving: Vec<_> = moving.collect();
        if moving.is_empty() || self.rounds == ROUNDS {
            return Ok(true);
        }
        self.rounds += 1;
        let shares: Vec<f64> = moving.iter().map(|member| member.next(wanted)).collect();
        let tried = moving.iter().zip(&shares);
        let pixels: Vec<f32> = tried
            .flat_map(|(member, &share)| member.at(share))
            .collect();
        let outputs = queries.outputs(&pixels)?;
        for ((member, share), outputs) in moving.iter_mut().zip(shares).zip(&outputs) {
            let margin = own_margin(outputs, member.label);
            if margin < wanted {
                member.low = (share, margin);
            } else {
                member.high = Some((share, margin));
                member.placed = margin <= wanted * SLACK;
            }
        }
        Ok(false)
    }

    /// Adds what is known of each member, as `(members, 5)`: both shares with their margins, NaN if there is none, and 1 if it is placed.
    pub fn save(&self, state: State) -> Result<State> {
        let known = self.members.iter().flat_map(|member| {
            let (low, below) = member.low;
            let (high, above) = member.high.unwrap_or((f64::NAN, f32::NAN));
            let placed = f64::from(u8::from(member.placed));
            [low, f64::from(below), high, f64::from(above), placed]
        });
        let known: Vec<f64> = known.collect();
        let known = Tensor::from_vec(known, (self.members.len(), 5), &Device::Cpu)?;
        Ok(state
            .tensor("members", &known)
            .number("parted", self.rounds))
    }

    /// The same members with what is known of them in a saved state.
    pub fn restored(mut self, state: &State) -> Result<Self> {
        let known: Vec<Vec<f64>> = state.take("members")?.to_vec2()?;
        if known.len() != self.members.len() {
            return Err(Error::State("it has another number of members".into()));
        }
        for (member, known) in self.members.iter_mut().zip(known) {
            let [low, below, high, above, placed] = known[..] else {
                return Err(Error::State("its members have other fields".into()));
            };
            member.low = (low, below as f32);
            member.high = (!high.is_nan()).then_some((high, above as f32));
            member.placed = placed == 1.0;
        }
        self.rounds = state.count("parted")?;
        Ok(self)
    }

    /// Moves the ends of the brackets to where the members were placed.
    pub fn apply(&self, brackets: &mut [Bracket]) {
        for (bracket, members) in brackets.iter_mut().zip(self.members.chunks_exact(2)) {
            for (end, member) in bracket.ends.iter_mut().zip(members) {
                if let Some((share, _)) = member.high {
                    *end = member.at(share);
                }
            }
        }
    }
}

impl Member {
    /// The image at this share of the way back to the start.
    fn at(&self, share: f64) -> Vec<f32> {
        let pixels = self.end.iter().zip(&self.start);
        let moved = pixels.map(|(&end, &start)| {
            let (end, start) = (f64::from(end), f64::from(start));
            (end + share * (start - end)) as f32
        });
        moved.map(|pixel| pixel.clamp(0.0, 1.0)).collect()
    }

    /// The share to try next.
    fn next(&self, wanted: f32) -> f64 {
        let (low, below) = self.low;
        let Some((high, above)) = self.high else {
            return if low == 0.0 {
                FIRST
            } else {
                (4.0 * low).min(1.0)
            };
        };
        // The margin is nearly linear in the share, so a line through both points usually hits. Its inner part keeps the interval shrinking.
        let aim = wanted * (1.0 + SLACK) / 2.0;
        let line = f64::from(aim - below) / f64::from(above - below);
        low + line.clamp(0.1, 0.9) * (high - low)
    }
}
