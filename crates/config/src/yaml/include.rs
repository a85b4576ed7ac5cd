//! `include:` at the top of a file: the files that it is merged over.

use std::io;
use std::path::{Path, PathBuf};

use super::fault::Fault;
use super::file::File;
use super::merge::merge;
use super::parse::parse;
use super::spot::{Source, Spot};
use super::tree::{Node, Value};
use super::veil::Veil;

/// The field that names files.
pub const FIELD: &str = "include";

/// The most files of a document. A file counts once per include.
const MOST: usize = 100;

/// Reads files that include each other.
pub(super) struct Includes<'a> {
    /// Reads the text of a file.
    pub read: &'a dyn Fn(&Path) -> io::Result<String>,
    pub veil: Veil,
    /// All files so far, in the order of reading.
    pub files: Vec<File>,
    /// The folder that holds all includes.
    folder: PathBuf,
    /// The files being read. Each is included by the one before it.
    open: Vec<PathBuf>,
}

impl<'a> Includes<'a> {
    pub fn new(read: &'a dyn Fn(&Path) -> io::Result<String>, veil: Veil) -> Self {
        Self {
            read,
            veil,
            files: Vec::new(),
            folder: PathBuf::new(),
            open: Vec::new(),
        }
    }

    /// The tree of the file at `path`: its includes in order, with the file itself merged over them.
    pub fn load(&mut self, path: &Path) -> Result<Node, Fault> {
        let text = (self.read)(path).map_err(|error| {
            self.files.push(File {
                name: path.display().to_string(),
                text: String::new(),
                root: None,
            });
            Fault::of_file(format!("cannot be read: {error}"))
        })?;
        self.open.push(real(path));
        if self.open.len() == 1 {
            self.folder = parent(&self.open[0]).to_owned();
        }
        let mut own = self.parse(path.display().to_string(), text)?;
        let mut all: Option<Node> = None;
        for (include, spot) in take(&mut own)? {
            let included = self.include(path, &include, spot)?;
            match &mut all {
                None => all = Some(included),
                Some(all) => merge(all, included),
            }
        }
        self.open.pop();
        Ok(match all {
            None => own,
            // The file has only includes.
            Some(all) if matches!(&own.value, Value::Map(entries) if entries.is_empty()) => all,
            Some(mut all) => {
                merge(&mut all, own);
                all
            }
        })
    }

    /// The tree of `text`. Messages call it `name`.
    pub fn parse(&mut self, name: String, text: String) -> Result<Node, Fault> {
        let source = Source::File(self.files.len());
        let parsed = parse(&text, source);
        let root = parsed.as_ref().ok().cloned();
        let leak = root
            .as_ref()
            .and_then(|root| self.veil.stretches(&text, Some(root)).leak(root));
        self.files.push(File { name, text, root });
        match leak {
            None => parsed,
            Some(spot) => Err(Fault::new(
                spot,
                "an alias shares a value between the secret and another field",
            )
            .hint("write both values out")),
        }
    }

    /// The tree of the file `include`, a path relative to the folder of `from`.
    fn include(&mut self, from: &Path, include: &str, spot: Spot) -> Result<Node, Fault> {
        let path = parent(from).join(include);
        let shown = path.display();
        if !path.is_file() {
            return Err(Fault::new(spot, format!("there is no file {shown}"))
                .hint("an include is looked up from the folder of the file that names it"));
        }
        let real = real(&path);
        if Path::new(include).is_absolute() || !real.starts_with(&self.folder) {
            let problem = format!("{shown} is outside the folder of the grid");
            return Err(Fault::new(spot, problem).hint(format!(
                "copy it into {} or a folder below",
                self.folder.display()
            )));
        }
        if self.open.contains(&real) {
            return Err(Fault::new(spot, format!("{shown} would include itself"))
                .hint("delete one of the includes that lead back to it"));
        }
        if self.files.len() >= MOST {
            return Err(
                Fault::new(spot, format!("more than {MOST} files are included"))
                    .hint("include fewer"),
            );
        }
        self.load(&path)
    }
}

/// The path of a file without symbolic links and `..`.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

/// Takes the names of the files to include out of the mapping `root`.
fn take(root: &mut Node) -> Result<Vec<(String, Spot)>, Fault> {
    let Value::Map(entries) = &mut root.value else {
        return Ok(Vec::new());
    };
    let Some(at) = entries.iter().position(|(name, _)| name.text == FIELD) else {
        return Ok(Vec::new());
    };
    let (_, value) = entries.remove(at);
    let items = match value.value {
        Value::List(items) => items,
        Value::Null => Vec::new(),
        _ => vec![value],
    };
    let name = |item: Node| match item.value {
        Value::Text(text) => Ok((text, item.spot)),
        other => Err(
            Fault::new(item.spot, format!("{other} is not the name of a file"))
                .hint("write e.g. `include: [paper/targets.yaml]`"),
        ),
    };
    items.into_iter().map(name).collect()
}
