//! Pairs of images on either side of the boundary, found from answers alone: no gradient, and with top-1 labels no key.
//!
//! Two images of different label are bisected until their distance is as small as their pixels allow. The width of such a bracket
//! decides how small a change of the weights its pair detects. The members may then be moved apart, so that another arithmetic does not
//! change their labels.

mod bisect;
mod dial;
mod part;
mod queries;
mod starts;
mod steps;
mod vernier;

use crate::{Asked, BlackBox, Context, Generated, Generator, Start};
use bisect::Bracket;
use brink_config::checked::{NonNegative, Positive, Samples};
use brink_models::{Error, Job, Need, Result, Status, state::State};
use brink_verify::{Images, KeyCheck, LabelSpace, Layout, Oracle, SensitiveSet, Stop};
use candle_core::{Device, Tensor};
use dial::Dial;
use part::Parting;
use queries::Queries;
use serde::{Deserialize, Serialize};
use starts::Source;
use vernier::Vernier;

/// Bracketed pairs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bracketed {
    /// Number of pairs.
    pub samples: Samples,
    /// The images that pairs start from.
    pub start: Start,
    /// The model's own classes, or the keyed head's two labels.
    pub label_space: LabelSpace,
    /// The values that pixels may have.
    pub pixels: PixelValues,
    /// The distance of each member from the boundary, as a margin of the outputs; 0 for the closest pair. It needs scores.
    pub margin: NonNegative,
    /// The largest difference of a pixel between the members, for oracles that give labels only.
    pub width: Option<Positive>,
    /// The most pixels in which each 8-bit member moves one level away from the boundary, for oracles that give labels only. Each takes
    /// four queries a member.
    #[serde(skip_serializing_if = "is_zero")]
    pub steps: u32,
    /// The whole levels, 0 to 8, between each 8-bit member and the boundary, in a pixel whose levels move the outputs little, for oracles that
    /// give labels only. It takes about 30 queries a pair.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vernier: Option<u32>,
}

fn is_zero(steps: &u32) -> bool {
    *steps == 0
}

/// The values that pixels may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PixelValues {
    /// Any f32.
    Float32,
    /// Whole levels of 8 bits, which a PNG keeps.
    Uint8,
}

impl Default for Bracketed {
    fn default() -> Self {
        Self {
            samples: Samples::literal(150),
            start: Start::Natural,
            label_space: LabelSpace::Classes,
            pixels: PixelValues::Float32,
            margin: NonNegative::literal(0.0),
            width: None,
            steps: 0,
            vernier: None,
        }
    }
}

impl Generator for Bracketed {
    fn needs(&self) -> Need {
        Need::ANSWERS
    }

    fn layout(&self) -> Layout {
        Layout::Pairs
    }

    fn fits(&self, _: usize, held_out: usize) -> Result<()> {
        let (field, problem) = if self.start == Start::Natural && held_out < 2 {
            let few = format!("{held_out} held-out images cannot form a pair");
            ("start", few + "; use `start: uniform`")
        } else if self.width.is_some() && self.margin.get() > 0.0 {
            let both = "`margin` and `width` both place the members; leave one out";
            ("width", both.to_owned())
        } else if self.width.is_some() && self.pixels == PixelValues::Uint8 {
            let levels = "`pixels: uint8` has whole levels; use `steps` in place of `width`";
            ("width", levels.to_owned())
        } else if self.steps > 0 && self.pixels == PixelValues::Float32 {
            let levels = "`steps` are levels of 8 bits; add `pixels: uint8`, or use `width`";
            ("steps", levels.to_owned())
        } else if self.steps > 0 && self.margin.get() > 0.0 {
            let both = "`margin` and `steps` both place the members; leave one out";
            ("steps", both.to_owned())
        } else if self.vernier.is_some() && self.pixels == PixelValues::Float32 {
            let levels = "`vernier` counts levels of 8 bits; add `pixels: uint8`, or use `width`";
            ("vernier", levels.to_owned())
        } else if self.vernier.is_some() && (self.margin.get() > 0.0 || self.steps > 0) {
            let other = if self.steps > 0 { "steps" } else { "margin" };
            let both = format!("`{other}` and `vernier` both place the members; leave one out");
            ("vernier", both)
        } else if let Some(levels) = self.vernier.filter(|&levels| levels > vernier::LEVELS) {
            let most = vernier::LEVELS;
            let many = format!("{levels} levels are too many; use at most {most}, or `steps`");
            ("vernier", many)
        } else {
            return Ok(());
        };
        Err(Error::DoesNotFit { field, problem })
    }

    fn start<'a>(&self, context: Context<'a>) -> Result<Box<dyn Job<Output = Generated> + 'a>> {
        self.ask(Asked {
            oracle: BlackBox(context.target),
            images: context.held_out,
            model_id: context.model_id,
            key: Some(context.key),
            stream: context.stream,
        })
    }
}

impl Bracketed {
    /// Starts the work on any black box. Only [`LabelSpace::Head`] needs a key.
    ///
    /// # Errors
    /// If the settings do not fit the images, or the key of the head is missing.
    pub fn ask<'a, O: Oracle + 'a>(
        &self,
        asked: Asked<'a, O>,
    ) -> Result<Box<dyn Job<Output = Generated> + 'a>> {
        self.fits(0, asked.images.len())?;
        let Asked {
            oracle,
            images,
            model_id,
            key,
            stream,
        } = asked;
        let classes = oracle.classes();
        let key = match (self.label_space, key) {
            (LabelSpace::Classes, _) => None,
            (LabelSpace::Head, Some(key)) => Some(key),
            (LabelSpace::Head, None) => {
                let problem =
                    "labels of the keyed head need a key; give one, or use the model's own classes";
                return Err(Error::CannotCreate(problem.to_owned()));
            }
        };
        let head = key.map(|key| key.head(model_id, classes));
        Ok(Box::new(Bracketing {
            settings: self.clone(),
            queries: Queries::new(oracle, self.label_space, head, images.shape()),
            source: Source { images, stream },
            classes,
            key_check: key.map(|key| key.check(model_id)),
            model_id: model_id.to_owned(),
            stage: Stage::Start,
            brackets: Vec::new(),
            rounds: 0,
        }))
    }
}

/// What the job does next.
enum Stage {
    /// Finds pairs of images with different labels.
    Start,
    /// Halves the brackets.
    Bisect,
    /// Moves the members of f32 pairs apart.
    Part(Parting),
    /// Moves the members of 8-bit pairs to their margin.
    Dial(Dial),
    /// Places the members of 8-bit pairs by labels.
    Vernier(Vernier),
    Finished,
}

/// The job. Each step asks about all unfinished pairs at once.
struct Bracketing<'a, O> {
    settings: Bracketed,
    source: Source<'a>,
    queries: Queries<O>,
    classes: usize,
    key_check: Option<KeyCheck>,
    model_id: String,
    stage: Stage,
    brackets: Vec<Bracket>,
    rounds: usize,
}

/// Rounds that a set usually takes, for the progress bar.
const USUAL_ROUNDS: usize = 64;

impl<O: Oracle> Bracketing<'_, O> {
    fn bisect(&mut self) -> Result<()> {
        let pixels = self.settings.pixels;
        let middles = self.brackets.iter_mut();
        let (mut narrowing, mut asked) = (Vec::new(), Vec::new());
        for bracket in middles {
            if let Some(middle) = bracket.middle(pixels) {
                asked.extend_from_slice(&middle);
                narrowing.push((bracket, middle));
            }
        }
        if narrowing.is_empty() {
            if self.settings.steps > 0 {
                let (steps, stream) = (self.settings.steps as usize, &self.source.stream);
                let all: Vec<usize> = (0..self.brackets.len()).collect();
                steps::apart(&mut self.queries, &mut self.brackets, &all, steps, stream)?;
            }
            self.stage = self.after_bisection();
            return Ok(());
        }
        let labels = self.queries.labels(&asked)?;
        for ((bracket, middle), label) in narrowing.into_iter().zip(labels) {
            bracket.narrow(middle, label);
        }
        Ok(())
    }

    fn after_bisection(&self) -> Stage {
        if let Some(levels) = self.settings.vernier {
            return Stage::Vernier(Vernier::new(levels, 0));
        }
        let margin = self.settings.margin.get() as f32;
        let parting = match (self.settings.pixels, self.settings.width) {
            (PixelValues::Float32, None) if margin > 0.0 => {
                Parting::to_margin(&self.brackets, margin)
            }
            (PixelValues::Float32, Some(width)) => {
                Parting::to_width(&self.brackets, width.get() as f32)
            }
            (PixelValues::Uint8, _) if margin > 0.0 => return Stage::Dial(Dial::new(margin, 0)),
            _ => return Stage::Finished,
        };
        Stage::Part(parting)
    }
}

impl<O: Oracle> Job for Bracketing<'_, O> {
    type Output = Generated;

    fn advance(&mut self) -> Result<Status> {
        let note = match &mut self.stage {
            Stage::Start => {
                self.brackets = starts::brackets(&self.settings, &self.source, &mut self.queries)?;
                self.stage = Stage::Bisect;
                "starts"
            }
            Stage::Bisect => {
                self.bisect()?;
                "bisecting"
            }
            Stage::Part(parting) => {
                if parting.round(&mut self.queries)? {
                    parting.apply(&mut self.brackets);
                    self.stage = Stage::Finished;
                }
                "moving the members apart"
            }
            Stage::Dial(dial) => {
                if dial.round(&mut self.queries, &mut self.brackets, &self.source.stream)? {
                    self.stage = Stage::Finished;
                }
                "moving the members to the margin"
            }
            Stage::Vernier(vernier) => {
                if vernier.round(&mut self.queries, &mut self.brackets, &self.source.stream)? {
                    self.stage = Stage::Finished;
                }
                "placing the members"
            }
            Stage::Finished => "finished",
        };
        let finished = matches!(self.stage, Stage::Finished);
        self.rounds += usize::from(!finished);
        Ok(Status {
            done: self.rounds,
            total: self.rounds.max(USUAL_ROUNDS),
            finished,
            note: note.to_owned(),
        })
    }

    fn save(&self) -> Result<Vec<u8>> {
        let state = State::default()
            .number("asked", self.queries.asked as usize)
            .number("rounds", self.rounds);
        let mut state = match &self.stage {
            Stage::Start => state.number("stage", 0),
            Stage::Bisect => state.number("stage", 1),
            Stage::Part(parting) => parting.save(state.number("stage", 2))?,
            Stage::Dial(dial) => state.number("stage", 3).number("round", dial.rounds),
            Stage::Finished => state.number("stage", 4),
            Stage::Vernier(vernier) => state.number("stage", 5).number("placed", vernier.placed),
        };
        if !self.brackets.is_empty() {
            let all = |of: fn(&Bracket) -> &[Vec<f32>; 2]| {
                let images = self.brackets.iter().flat_map(of);
                let pixels: Vec<f32> = images.flatten().copied().collect();
                let count = 2 * self.brackets.len();
                let each = pixels.len() / count;
                Tensor::from_vec(pixels, (count, each), &Device::Cpu)
            };
            let labels: Vec<u32> = self.brackets.iter().flat_map(|it| it.labels).collect();
            state = state
                .tensor("starts", &all(|it| &it.starts)?)
                .tensor("ends", &all(|it| &it.ends)?)
                .tensor("labels", &Tensor::new(labels, &Device::Cpu)?);
        }
        state.to_bytes()
    }

    fn restore(&mut self, state: &[u8]) -> Result<()> {
        let state = State::from_bytes(state)?;
        let stage = state.count("stage")?;
        if stage > 0 {
            let mut starts: Vec<Vec<f32>> = state.take("starts")?.to_vec2()?;
            let mut ends: Vec<Vec<f32>> = state.take("ends")?.to_vec2()?;
            let labels: Vec<u32> = state.take("labels")?.to_vec1()?;
            let pixels = self.queries.pixels();
            let count = 2 * self.settings.samples.get();
            let fits = |images: &[Vec<f32>]| {
                images.len() == count && images.iter().all(|image| image.len() == pixels)
            };
            if !fits(&starts) || !fits(&ends) || labels.len() != count {
                return Err(Error::State("its pairs have another number or size".into()));
            }
            self.brackets = labels
                .chunks_exact(2)
                .enumerate()
                .map(|(pair, labels)| {
                    let take = |images: &mut [Vec<f32>]| {
                        [0, 1].map(|side| std::mem::take(&mut images[2 * pair + side]))
                    };
                    Bracket {
                        starts: take(&mut starts),
                        ends: take(&mut ends),
                        labels: [labels[0], labels[1]],
                    }
                })
                .collect();
        }
        self.queries.asked = state.count("asked")? as u64;
        self.rounds = state.count("rounds")?;
        self.stage = match stage {
            0 => Stage::Start,
            1 => Stage::Bisect,
            2 => match self.after_bisection() {
                Stage::Part(parting) => Stage::Part(parting.restored(&state)?),
                _ => return Err(Error::State("its pairs are placed in another way".into())),
            },
            3 => {
                let margin = self.settings.margin.get() as f32;
                Stage::Dial(Dial::new(margin, state.count("round")?))
            }
            5 => match self.settings.vernier {
                Some(levels) => Stage::Vernier(Vernier::new(levels, state.count("placed")?)),
                None => return Err(Error::State("its pairs are placed in another way".into())),
            },
            _ => Stage::Finished,
        };
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<Generated> {
        let asked = self.brackets.len();
        let members = self.brackets.iter().flat_map(|bracket| &bracket.ends);
        let pixels: Vec<f32> = members.flatten().copied().collect();
        let margins = self.queries.margins(&pixels, &self.brackets)?;
        let least = self.settings.margin.get() as f32;
        // A member on the wrong side, or closer than asked, was not placed.
        let placed = |[a, b]: &[f32; 2]| a.min(*b) >= least.max(0.0);
        let kept: Vec<usize> = (0..asked).filter(|&i| placed(&margins[i])).collect();
        if kept.is_empty() {
            let problem = format!(
                "none of {asked} pairs could be placed; lower `margin`, `width` or `steps`"
            );
            return Err(Error::CannotCreate(problem));
        }
        let pairs = || kept.iter().map(|&i| &self.brackets[i]);
        let pixels: Vec<f32> = pairs()
            .flat_map(|it| it.ends.iter().flatten().copied())
            .collect();
        let set = SensitiveSet {
            images: Images::new(self.source.images.shape(), pixels)
                .map_err(|e| Error::CannotCreate(e.to_string()))?,
            labels: pairs().flat_map(|it| it.labels).collect(),
            layout: Layout::Pairs,
            label_space: self.settings.label_space,
            classes: self.classes,
            model_id: self.model_id,
            generator: "bracketed".to_owned(),
            key_check: self.key_check,
        };
        Ok(Generated {
            set,
            asked,
            uncrossed: asked - kept.len(),
            iterations_cap: 0,
            iterations_used: 0,
            stop: Stop::None,
            margins: margins.iter().map(|[a, b]| a.max(*b).abs()).collect(),
            queries: Some(self.queries.asked),
        })
    }
}
