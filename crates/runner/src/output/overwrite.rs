//! Protects existing tables, figures and pages.
//!
//! They may be overwritten if the new ones show the same steps and more. They are kept if they show steps that the new
//! ones would not: of another grid with the same name, of another key or scale, or of records that are gone.

use std::collections::HashMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, bail};
use brink_report::html;
use serde_json::{Value, json};

use crate::plan::Step;
use crate::session::Session;

/// The fix in messages.
const FIX: &str = "name other tables, e.g. by --set name=other, or write over them with --force";

/// Whether a step will have its record.
pub type Kept<'a> = &'a dyn Fn(Step) -> anyhow::Result<bool>;

/// Refuses to overwrite the tables and figures in the folder of the grid if they show other steps.
///
/// # Errors
/// If they show a step that is not `kept`, or if their journal is missing or unreadable.
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

/// Refuses to overwrite the page in the results folder if it shows other steps.
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
        // A file in place of the folder is reported when the folder is created.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

/// Refuses if `journal`, which is in the file `path`, shows steps that the session would not.
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
