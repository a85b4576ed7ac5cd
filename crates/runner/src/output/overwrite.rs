//! What lies in the results folder already. It is made again in a moment as long as its records are there and the grid is the same; so it is
//! spared if it shows steps that the new one would not: of another grid of the same name, another key or scale, or of records that are gone.

use std::collections::HashMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, bail};
use report::html;
use serde_json::{Value, json};

use crate::plan::Step;
use crate::session::Session;

/// What to do about what is spared.
const FIX: &str = "choose another --out, or write over it with --force";

/// Whether a step will have its record.
pub type Kept<'a> = &'a dyn Fn(Step) -> anyhow::Result<bool>;

/// Refuses to write over the tables and figures of the grid's name if they show more.
///
/// # Errors
/// If they show a step that is not `kept`, or do not say what they show.
pub fn tables(session: &Session, kept: Kept) -> anyhow::Result<()> {
    let path = session.folder().join("run.json");
    match read(&path)? {
        Some(text) => compare(session, &path, serde_json::from_str(&text).ok(), kept),
        None if is_empty(&session.folder()) => Ok(()),
        None => bail!(
            "{}: it is gone, so nothing says what the tables beside it show; {FIX}",
            path.display()
        ),
    }
}

/// Refuses to write over the page in the results folder if it shows more.
///
/// # Errors
/// As [`tables`].
pub fn page(session: &Session, kept: Kept) -> anyhow::Result<()> {
    let path = session.page();
    let Some(text) = read(&path)? else {
        return Ok(());
    };
    compare(session, &path, html::journal(&text), kept)
}

/// Whether there is no file in `folder`.
fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).map_or(true, |mut files| files.next().is_none())
}

fn read(path: &Path) -> anyhow::Result<Option<String>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        // A folder that is in the way is found when it is made.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

/// Compares what `journal`, that of `path`, shows with what the session will.
fn compare(
    session: &Session,
    path: &Path,
    journal: Option<Value>,
    kept: Kept,
) -> anyhow::Result<()> {
    let path = path.display();
    let shown = journal
        .as_ref()
        .and_then(|journal| journal["steps"].as_array());
    let (Some(journal), Some(shown)) = (&journal, shown) else {
        bail!("{path}: it does not say what it shows; {FIX}");
    };
    let steps: HashMap<String, Step> = session
        .plan
        .steps()
        .map(|step| (step.id.to_string(), step))
        .collect();
    let mut lost = Vec::new();
    for step in shown {
        let own = step["id"].as_str().and_then(|id| steps.get(id));
        if !own.map_or(Ok(false), |own| kept(*own))? {
            lost.push(step["name"].as_str().unwrap_or_default());
        }
    }
    let Some(example) = lost.first() else {
        return Ok(());
    };
    let mut made = format!("it was made from {}", text(&journal["grid"]));
    if journal["scale"] != json!(session.scale) {
        made += &format!(" at the scale `{}`", text(&journal["scale"]));
    }
    if journal["key"]["check"] != json!(session.key.check("run.json")) {
        made += " with another key";
    }
    bail!(
        "{path}: {} of the {} steps that it shows would be lost, e.g. `{example}`: {made}; {FIX}",
        lost.len(),
        shown.len()
    )
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
