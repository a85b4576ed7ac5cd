//! `submit`: fills in a template of a shell script, and runs it. Only the template knows a scheduler.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use brink_store::Store;
use minijinja::{Environment, UndefinedBehavior, context};

use super::compute;
use crate::cli::Submitted;
use crate::exit::Refuse;
use crate::grid::key;
use crate::plan::{Plan, TargetStep};
use crate::say::say;
use crate::session::Session;

/// The templates that are built in.
const TEMPLATES: [(&str, &str); 2] = [
    ("slurm", include_str!("../../templates/slurm.sh")),
    ("pbs", include_str!("../../templates/pbs.sh")),
];

/// Writes the script into the results folder and runs it, or prints it.
pub fn run(submitted: &Submitted) -> anyhow::Result<()> {
    let selected = &submitted.selected;
    // Other users of the cluster can read the script.
    if let Some(secret) = selected
        .chosen
        .set
        .iter()
        .find(|set| key::without_secret(set) != **set)
    {
        let shown = key::without_secret(secret);
        return Err(anyhow::anyhow!(
            "--set {shown}: a script must not hold the key; write it into a file, and name that by --key-file"
        ))
        .or_refuse();
    }
    let (session, part) = compute::prepare(selected).or_refuse()?;
    let template = template(&submitted.template).or_refuse()?;
    if submitted.dry_run {
        let folder = session.records().or_refuse()?.map(|store| store.name());
        let script =
            script(submitted, &session, &part, &template, folder.transpose()?).or_refuse()?;
        say!("{}", script.trim_end());
        return Ok(());
    }
    let store = Store::prepare(session.store_folder()).or_refuse()?;
    store.forget_failures().or_refuse()?;
    let folder = store.name().or_refuse()?;
    let script = script(submitted, &session, &part, &template, Some(folder)).or_refuse()?;
    let folder = folder_of(&session);
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))
        .or_refuse()?;
    let path = folder.join("submit.sh");
    brink_store::write_atomically(&path, script.as_bytes()).or_refuse()?;
    submit(&path).or_refuse()
}

/// The folder of the script and of what the jobs print. The folder of the tables holds nothing else.
fn folder_of(session: &Session) -> PathBuf {
    session.out.join("jobs").join(session.grid.name.as_str())
}

/// The text of a template: one that is built in, or a file.
fn template(name: &str) -> anyhow::Result<String> {
    match TEMPLATES.iter().find(|(known, _)| *known == name) {
        Some((_, text)) => Ok((*text).to_owned()),
        None => std::fs::read_to_string(name).with_context(|| {
            format!("--template {name}: it is neither slurm, pbs nor a file that can be read")
        }),
    }
}

/// The filled-in template. Every value is ready for a shell.
fn script(
    submitted: &Submitted,
    session: &Session,
    part: &Plan,
    template: &str,
    folder: Option<String>,
) -> anyhow::Result<String> {
    let program = std::env::current_exe().context("cannot find the program itself")?;
    let program = program.display().to_string();
    let here = std::env::current_dir().context("cannot tell the current folder")?;
    let selected = &submitted.selected;
    let mut worker = vec![program.clone(), "work".to_owned()];
    worker.extend(selected.words());
    worker.push("--wait".to_owned());
    if let Some(folder) = folder {
        // On a node where this path is another folder, the worker refuses to start.
        worker.extend(["--folder".to_owned(), folder]);
    }
    let mut tables = vec![program, "table".to_owned()];
    let chosen = &selected.chosen;
    tables.extend(chosen.words(chosen.set.clone(), chosen.data()));
    let jobs = part.targets.iter().flat_map(TargetStep::jobs).count();
    let logs = here.join(folder_of(session));

    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment
        .render_str(
            template,
            context! {
                name => quoted(&[session.grid.name.as_str().to_owned()])?,
                folder => quoted(&[here.display().to_string()])?,
                logs => quoted(&[logs.display().to_string()])?,
                workers => jobs.min(submitted.array_limit.get()),
                options => quoted(&submitted.options)?,
                worker => quoted(&worker)?,
                tables => quoted(&tables)?,
            },
        )
        .with_context(|| format!("--template {}", submitted.template))
}

/// The words as a shell reads them again.
fn quoted(words: &[String]) -> anyhow::Result<String> {
    Ok(shlex::try_join(words.iter().map(String::as_str))?)
}

/// Runs the script, and prints what it says.
fn submit(script: &Path) -> anyhow::Result<()> {
    let mut shell = Command::new("sh");
    let ran = shell
        .arg(script)
        .stdin(Stdio::null())
        .output()
        .context("cannot run sh")?;
    std::io::stderr().write_all(&ran.stderr)?;
    let said = String::from_utf8_lossy(&ran.stdout);
    if !ran.status.success() {
        bail!(
            "{} was not accepted ({}); correct the options after --, or the template",
            script.display(),
            ran.status
        );
    }
    say!("{}", said.trim_end());
    Ok(())
}
