//! The tables in LaTeX, set by LaTeX: where `pdflatex` is there with the packages that they name.

mod records;

use std::io::Write;
use std::process::Command;

use brink_config::Scale;
use brink_report::{Entry, Markup, REPORTS};
use records::everything;

/// What `pdflatex` says of a document with `body` in it; none if it is not there.
fn set(body: &str) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let document = format!(
        "\\documentclass[a4paper]{{article}}\n\\usepackage[utf8]{{inputenc}}\n\\usepackage[T1]{{fontenc}}\n\
         \\usepackage{{booktabs}}\n\\usepackage{{adjustbox}}\n\\begin{{document}}\n{body}\n\\end{{document}}\n"
    );
    std::fs::write(folder.path().join("tables.tex"), document).unwrap();
    let output = Command::new("pdflatex")
        .args(["-interaction=nonstopmode", "tables.tex"])
        .current_dir(folder.path())
        .output()
        .ok()?;
    let log = String::from_utf8_lossy(&output.stdout).into_owned();
    // A small installation may lack a package; that is nothing about the tables.
    (!log.contains(".sty' not found")).then_some(log)
}

#[test]
fn tables_compile_and_stay_on_the_page() {
    for &Entry { report, .. } in REPORTS {
        let document = report.build(&everything(), Scale::DESK, &[]);
        let Some(log) = set(&document.render(Markup::Latex)) else {
            let line = b"skipped: no pdflatex with booktabs and adjustbox here\n";
            return std::io::stderr().write_all(line).unwrap();
        };
        for wrong in ["\n! ", "Overfull", "Float too large"] {
            assert!(!log.contains(wrong), "{report:?}: {log}");
        }
        assert!(log.contains("Output written"), "{report:?}: {log}");
    }
}
