//! One page about a verification: verdict, pairs, noise and history. It needs no other file and no address.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use brink_mark::Signed;
use minijinja::value::Serde;
use minijinja::{Environment, context};
use serde::Serialize;

use crate::ask::Asked;
use crate::error::Error;
use crate::history::Entry;
use crate::profiles;
use crate::said::promised;

/// The most pairs that are shown.
const PAIRS: usize = 24;

/// A pair as pictures in base64 of PNG.
#[derive(Serialize)]
struct Pair {
    number: usize,
    flipped: bool,
    labels: [u32; 2],
    members: [String; 2],
    difference: String,
    /// The largest difference of a pixel.
    largest: f32,
    /// Pixels that differ.
    differ: usize,
}

/// The page about what was asked, as HTML. Of `history`, lines about the same mark are shown.
///
/// # Errors
/// If the images have neither one nor three channels.
pub fn page(signed: &Signed, asked: &Asked, history: &[Entry]) -> Result<String, Error> {
    let about = &signed.mark.about;
    // Flipped ones first, as they are the evidence.
    let flipped = |pair: &usize| asked.said.flipped.contains(pair);
    let (mut shown, others): (Vec<usize>, Vec<usize>) =
        asked.pairs.iter().partition(|p| flipped(p));
    shown.extend(others);
    let pairs = shown.iter().take(PAIRS);
    let pairs: Vec<Pair> = pairs
        .map(|&number| pair(signed, number, flipped(&number)))
        .collect::<Result<_, _>>()?;
    let history: Vec<&Entry> = history.iter().filter(|it| it.mark == signed.id).collect();
    let profiles = about.measured.profiles.iter().map(|profile| {
        let share = 100.0 * profiles::flips(&signed.mark.set, profile);
        (profile.name.as_str(), share.round())
    });
    let profiles: Vec<(&str, f64)> = profiles.collect();
    let mut page = Environment::new();
    // The names of the template's file make minijinja escape HTML.
    let fill = page
        .add_template("page.html", include_str!("page.html"))
        .and_then(|()| {
            page.get_template("page.html")?.render(context! {
                verdict => asked.said.verdict.to_string(),
                said => Serde(&asked.said),
                promised => promised(about.promise.false_alarm),
                place => asked.place.as_str(),
                at => brink_store::now(),
                by => signed.by.to_string(),
                about => Serde(about),
                profiles => Serde(profiles),
                all => signed.mark.set.samples(),
                pairs => Serde(pairs),
                history => Serde(history),
            })
        });
    fill.map_err(|e| Error::Correct(format!("the page cannot be made: {e}")))
}

fn pair(signed: &Signed, number: usize, flipped: bool) -> Result<Pair, Error> {
    let set = &signed.mark.set;
    let shape = set.images.shape();
    let [first, second] = [0, 1].map(|side| set.images.image(2 * number + side));
    let gaps: Vec<f32> = first
        .iter()
        .zip(second)
        .map(|(a, b)| (a - b).abs())
        .collect();
    let largest = gaps.iter().copied().fold(0.0, f32::max);
    let amplified: Vec<f32> = gaps
        .iter()
        .map(|gap| gap / largest.max(f32::MIN_POSITIVE))
        .collect();
    let picture = |pixels: &[f32]| -> Result<String, Error> {
        Ok(STANDARD.encode(brink_endpoint::png(pixels, shape)?))
    };
    Ok(Pair {
        number,
        flipped,
        labels: [0, 1].map(|side| set.labels[2 * number + side]),
        members: [picture(first)?, picture(second)?],
        difference: picture(&amplified)?,
        largest,
        differ: gaps.iter().filter(|gap| **gap > 0.0).count(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::said::{Said, Verdict};
    use brink_endpoint::{Encoding, Kind};
    use brink_keys::Signer;
    use brink_mark::{About, Mark, Measured, Promise};
    use brink_verify::{Images, LabelSpace, Layout, Profile, Rate, SensitiveSet};

    fn signed() -> Signed {
        let pixels: Vec<f32> = (0..12 * 4).map(|i| (i % 7) as f32 / 7.0).collect();
        let mark = Mark {
            set: SensitiveSet {
                images: Images::new([3, 2, 2], pixels).unwrap(),
                labels: vec![3, 5, 1, 0],
                layout: Layout::Pairs,
                label_space: LabelSpace::Classes,
                classes: 10,
                model_id: "alice".to_owned(),
                generator: "bracketed".to_owned(),
                key_check: None,
            },
            key: None,
            anchors: Images::new([3, 2, 2], vec![0.0; 24]).unwrap(),
            about: About {
                user: "alice & co".to_owned(),
                created: "2026-01-01T00:00:00Z".to_owned(),
                answers: Kind::Labels,
                pixels: Encoding::Png,
                protocol: None,
                names: Vec::new(),
                settings: serde_json::json!({}),
                queries: 80,
                measured: Measured {
                    dropped: 0,
                    controls: Vec::new(),
                    flipped: Rate::new(0, 150),
                    profiles: vec![Profile {
                        name: "images sent as JPEG".to_owned(),
                        labels: vec![5, 3],
                    }],
                },
                promise: Promise {
                    false_alarm: 1e-3,
                    change: 0.25,
                    miss: 0.01,
                },
            },
        };
        let signer = Signer::from_hex(&"07".repeat(32)).unwrap();
        Signed::from_bytes(&mark.to_bytes(&signer).unwrap()).unwrap()
    }

    #[test]
    fn the_page_shows_the_verdict_first_and_the_flipped_pairs() {
        let signed = signed();
        let said = Said {
            verdict: Verdict::Changed,
            asked: 2,
            flipped: vec![1],
            like: Some("images sent as JPEG".to_owned()),
            ..Said::no_answer(String::new(), 1e-3)
        };
        let entry = Entry {
            at: "2026-01-02T00:00:00Z".to_owned(),
            mark: signed.id.clone(),
            alarm: false,
            said: said.clone(),
        };
        let foreign = Entry {
            mark: "another".to_owned(),
            at: "1999".to_owned(),
            ..entry.clone()
        };
        let asked = Asked {
            said,
            pairs: vec![0, 1],
            place: "http://host/<x>".to_owned(),
        };
        let html = page(&signed, &asked, &[entry, foreign]).unwrap();
        let heading = html.find("<h1").unwrap();
        assert!(html[heading..].contains("changed"), "{html}");
        let (flipped, other) = (html.find("pair 1").unwrap(), html.find("pair 0").unwrap());
        assert!(flipped < other, "the flipped pair comes first");
        assert_eq!(html.matches("data:image/png;base64,").count(), 6);
        assert!(html.contains("0 of 150 pairs flipped on the untouched model"));
        assert!(html.contains("with images sent as JPEG. Check"), "{html}");
        assert!(
            html.contains("100 % of the first pairs would flip"),
            "{html}"
        );
        assert!(html.contains("alice &amp; co") && html.contains("&lt;x&gt;"));
        assert!(html.contains("2026-01-02") && !html.contains("1999"));
        assert!(!html.contains("src=\"http"), "no other address");
    }
}
