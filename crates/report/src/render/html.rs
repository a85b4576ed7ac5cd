//! One self-contained page of reports: a summary, the figures and tables, and on demand the source of each number.
//!
//! The page fetches nothing and says so to the browser. It is made of the same [`Table`](crate::document::table::Table) values as every other format.
//! What is only shown on demand is in a compressed [`archive`]: the further tables, the sources of cells, the records of the
//! steps that they name, the files to download, and the journal.

mod archive;
mod shape;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use brink_config::Scale;
use brink_store::Id;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, Value as Safe, context};
use serde::Serialize;
use serde_json::{Value, json};

use crate::document::Document;
use crate::error::Error;
use crate::records::NotRun;
use crate::render::base64::base64;
use crate::render::markup::Markup;
use shape::{grid, typed};

/// What a page shows.
pub struct Page<'a> {
    /// Its title, without the scale.
    pub title: &'a str,
    /// The scale.
    pub scale: Scale,
    /// What was found, a sentence each.
    pub findings: Vec<String>,
    /// What is counted and on which images, a sentence each.
    pub about: Vec<String>,
    /// The headline: its table and its figure.
    pub headline: Option<&'a Document>,
    /// The reports.
    pub sections: Vec<Section<'a>>,
    /// What the grid asks for and has nothing of.
    pub not_run: &'a [NotRun],
    /// The records that its numbers rest on, see [`crate::steps`].
    pub steps: BTreeMap<Id, Value>,
    /// The run as a whole.
    pub journal: Value,
}

/// A report on the page.
pub struct Section<'a> {
    /// Its name, for links and files.
    pub name: &'static str,
    /// Its title.
    pub title: &'static str,
    /// Its tables and figures.
    pub document: &'a Document,
}

/// The page as HTML.
///
/// # Errors
/// [`Error::Draw`] if a figure cannot be drawn, [`Error::Data`] if a table cannot become a file, [`Error::Page`] if the page
/// cannot be filled in.
pub fn page(page: &Page) -> Result<String, Error> {
    let environment = environment().map_err(Error::Page)?;
    let mut sources = Vec::new();
    let mut files = BTreeMap::new();
    let mut details = BTreeMap::new();
    let not_run: BTreeSet<String> = page.not_run.iter().map(NotRun::note).collect();
    let mut show = |name: &str, title: &str, document: &Document| {
        let contents = downloads(name, document)?;
        let names: Vec<String> = contents.iter().map(|(name, _)| name.clone()).collect();
        files.extend(contents);
        let mut tables = Vec::new();
        for (nth, table) in document.tables.iter().enumerate() {
            let grid = grid(table, &not_run, &mut sources);
            let html = environment.get_template(TABLE);
            let choose = is_chosen(name, nth);
            let html = html
                .and_then(|template| template.render(context! { table => Serde(grid), choose }));
            tables.push((
                format!("{name}-{nth}"),
                &table.title,
                html.map_err(Error::Page)?,
            ));
        }
        let rest = tables.split_off(tables.len().min(1));
        let mut more = Vec::new();
        for (nth, (id, title, html)) in rest.into_iter().enumerate() {
            more.push((id.clone(), title.clone(), is_chosen(name, nth + 1)));
            details.insert(id, html);
        }
        Ok::<_, Error>(Shown {
            name: name.to_owned(),
            title: title.to_owned(),
            table: tables.pop().map_or_else(String::new, |(_, _, html)| html),
            more,
            figures: figures(document)?,
            files: names,
        })
    };
    let summary = format!("Summary{}", page.scale.title_suffix());
    let headline = page
        .headline
        .map(|document| show(HEADLINE, &summary, document));
    let headline = headline.transpose()?;
    let sections = page.sections.iter();
    let sections = sections
        .map(|section| {
            let title = format!("{}{}", section.title, page.scale.title_suffix());
            show(section.name, &title, section.document)
        })
        .collect::<Result<Vec<_>, _>>()?;
    let named: BTreeSet<Id> = sources
        .iter()
        .flat_map(|source| &source.steps)
        .copied()
        .collect();
    let steps = page.steps.iter().filter(|(id, _)| named.contains(id));
    let steps: BTreeMap<_, _> = steps.map(|(id, step)| (id.to_string(), step)).collect();
    let packed = archive::pack(&json!({
        "sources": sources.iter().map(Arc::as_ref).collect::<Vec<_>>(),
        "steps": steps,
        "files": files,
        "tables": details,
        "journal": page.journal,
    }));
    let filled = environment.get_template(PAGE).and_then(|template| {
        template.render(context! {
            title => format!("{}{}", page.title, page.scale.title_suffix()),
            summary,
            findings => &page.findings,
            about => &page.about,
            headline => Serde(headline),
            sections => Serde(sections),
            not_run => Serde(page.not_run.iter().map(|it| typed(&it.note())).collect::<Vec<_>>()),
            style => Safe::from_safe_string(include_str!("html/page.css").to_owned()),
            script => Safe::from_safe_string(include_str!("html/page.js").to_owned()),
            archive => Safe::from_safe_string(packed),
        })
    });
    filled.map_err(Error::Page)
}

/// The name of the headline, and whether a table of a document is its ranking by setting: one setting of it is chosen and shown.
const HEADLINE: &str = "headline";
fn is_chosen(document: &str, nth: usize) -> bool {
    document == HEADLINE && nth == 1
}

/// The names of the templates.
const PAGE: &str = "page.html";
const TABLE: &str = "table.html";

fn environment() -> Result<Environment<'static>, minijinja::Error> {
    let mut environment = Environment::new();
    let mut syntax = SyntaxConfig::builder();
    environment.set_syntax(syntax.trim_blocks(true).lstrip_blocks(true).build()?);
    environment.add_template(PAGE, include_str!("html/page.html"))?;
    environment.add_template(TABLE, include_str!("html/table.html"))?;
    Ok(environment)
}

/// The journal of a page that [`page`] made.
pub fn journal(page: &str) -> Option<Value> {
    archive::unpack(page).map(|mut archive| archive["journal"].take())
}

/// The sources, steps and files of a page that [`page`] made.
pub fn archive(page: &str) -> Option<Value> {
    archive::unpack(page)
}

/// A document on the page.
#[derive(Serialize)]
struct Shown {
    name: String,
    title: String,
    /// Its main table.
    table: String,
    /// The names and titles of its other tables, which are in the archive, and whether they are open.
    more: Vec<(String, String, bool)>,
    /// Each part of a figure, with the title of the figure.
    figures: Vec<(Safe, String)>,
    /// The names of the files to download.
    files: Vec<String>,
}

fn figures(document: &Document) -> Result<Vec<(Safe, String)>, Error> {
    let parts = document
        .figures
        .iter()
        .flat_map(|(_, figure)| figure.excerpt().parts());
    let figures = parts.map(|(part, title)| {
        let svg = part.svg()?;
        Ok((Safe::from_safe_string(svg), title))
    });
    figures.collect()
}

/// The largest CSV file that a page carries, in bytes. A larger one would be most of the page; the Parquet file has the same rows in
/// far fewer bytes.
const LARGEST_CSV: usize = 1_000_000;

/// The files of tables that can be downloaded, by name: text, or bytes in base 64. A figure is downloaded as it is shown.
fn downloads(name: &str, document: &Document) -> Result<Vec<(String, Value)>, Error> {
    let csv = String::from_utf8_lossy(&document.data.to_csv()?).into_owned();
    let csv = (csv.len() <= LARGEST_CSV).then(|| json!(csv));
    let parquet = json!({"base64": base64(&document.data.to_parquet()?)});
    let latex = json!(document.render(Markup::Latex));
    let contents = [
        ("csv", csv),
        ("parquet", Some(parquet)),
        ("tex", Some(latex)),
    ];
    let carried = contents
        .into_iter()
        .filter_map(|(extension, content)| Some((format!("{name}.{extension}"), content?)));
    Ok(carried.collect())
}
