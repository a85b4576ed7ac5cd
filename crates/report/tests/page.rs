//! The page: self-contained, and usable in a real browser on a phone and on a desk.
//!
//! The browser's part runs where there is one: `$CHROMIUM`, `chromium-headless-shell` or `chromium`.

mod records;

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use brink_config::Scale;
use brink_report::figure::{Figure, Sheet};
use brink_report::html::{Page, Section, archive, journal, page};
use brink_report::{Document, Headline, Markup, NotRun, REPORTS, Records, Report, steps};
use brink_verify::{Images, Layout};
use records::{cifar, everything, fashion, grid};
use serde_json::{Value, json};

/// All reports of the records of a grid that has something for each, and a picture.
fn whole() -> String {
    let records = everything();
    let documents = REPORTS.iter().map(|entry| {
        let document = entry.report.build(&records, Scale::DESK, &[not_run()]);
        (entry.report, document)
    });
    let mut documents: Vec<_> = documents.collect();
    let images = Images::new([1, 2, 2], vec![0.1, 0.2, 0.3, 0.4]).unwrap();
    let title = "A sample (desk scale)";
    let picture = Figure::Sheet(Sheet::of(title, &images, Layout::Singles, 1));
    documents[0].1.figures.push(("samples".to_owned(), picture));
    render(&records, &documents)
}

fn render(records: &Records, documents: &[(Report, Document)]) -> String {
    let sections = documents.iter().map(|(report, document)| Section {
        name: report.entry().name,
        title: report.entry().title,
        document,
    });
    let headline = Headline::of(records);
    page(&Page {
        title: "Brink",
        scale: Scale::DESK,
        findings: headline.sentences(),
        about: headline.about(),
        headline: headline.document(Scale::DESK).as_ref(),
        sections: sections.collect(),
        not_run: &[not_run()],
        steps: steps(records),
        journal: json!({"grid": "configs/a.yaml", "note": "</script><b>&"}),
    })
    .unwrap()
}

fn not_run() -> NotRun {
    NotRun {
        dataset_title: "GTSRB, VGG16".to_owned(),
        reason: "its files were not found".to_owned(),
        command: Some("runner data fetch gtsrb".to_owned()),
    }
}

/// A part of what the page shows on demand.
fn embedded(html: &str, part: &str) -> Value {
    archive(html).expect("it is there")[part].take()
}

/// What stands between the quotes of all attributes of this name.
fn attributes<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let begin = format!(" {name}=\"");
    let pieces = html.split(begin.as_str()).skip(1);
    pieces.filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn nothing_is_fetched() {
    let html = whole();
    assert_eq!(attributes(&html, "src"), [""; 0]);
    let own = |href: &&str| href.starts_with('#') || href.starts_with("data:image/png;base64,");
    let hrefs = attributes(&html, "href");
    assert!(hrefs.iter().all(own), "{hrefs:?}");
    assert!(
        hrefs.iter().any(|href| href.starts_with("data:")),
        "a picture"
    );
    for word in [
        "url(",
        "@import",
        "fetch(",
        "XMLHttpRequest",
        "<link",
        "<iframe",
        "<img",
    ] {
        assert!(!html.contains(word), "{word}");
    }
    assert!(
        html.contains("default-src 'none'"),
        "and the browser is told so"
    );
}

#[test]
fn every_source_has_its_records() {
    let html = whole();
    let (sources, steps) = (embedded(&html, "sources"), embedded(&html, "steps"));
    let tables = embedded(&html, "tables");
    let tables = tables.as_object().unwrap().values();
    let tables: Vec<_> = tables.map(|table| table.as_str().unwrap()).collect();
    let html = html + &tables.concat();
    let buttons = attributes(&html, "data-source");
    assert_eq!(buttons.len(), sources.as_array().unwrap().len());
    assert!(buttons.len() > 200, "{}", buttons.len());
    for button in buttons {
        let source = &sources[button.parse::<usize>().unwrap()];
        let named = source["steps"].as_array().unwrap();
        assert!(!named.is_empty(), "{source}");
        for id in named {
            let step = &steps[id.as_str().unwrap()];
            assert!(
                step["seed"].is_u64() && step["machine"].is_string(),
                "{id}: {step}"
            );
        }
    }
}

#[test]
fn a_rate_tells_counts_both_intervals_and_runs() {
    let html = whole();
    let sources = embedded(&html, "sources");
    let title = "Fashion-MNIST, ResNet18: Ours, pair, finetune 1e-8";
    let mut all = sources.as_array().unwrap().iter();
    let source = all.find(|source| source["title"] == title).expect(title);
    let facts: std::collections::BTreeMap<String, String> = source["facts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fact| serde_json::from_value::<(String, String)>(fact.clone()).unwrap())
        .collect();
    assert_eq!(facts["counted"], "67/90 = 74.4 % [64.6, 82.3]");
    assert_eq!(facts["runs"], "3 runs: 3 attack seeds, 1 sample set");
    assert_eq!(facts["mean over runs, %"], "74.4 [70.0, 80.0]");
    assert_eq!(facts["attack"], "finetune");
    assert_eq!(facts["attack: optimizer"], "adam");
    // The sample set has its name.
    assert!(
        facts["samples"].starts_with("Ours, set 7 ("),
        "{}",
        facts["samples"]
    );
    // Three runs, their samples, the target.
    assert_eq!(source["steps"].as_array().unwrap().len(), 5);
}

#[test]
fn the_scale_is_in_every_heading_and_nothing_breaks_out() {
    let mut target = fashion();
    target.dataset_title = "</script><img src=x onerror=alert(1)> & \"B\"".into();
    let records = grid(&[target, cifar("resnet18")]);
    let document = Report::Table3.build(&records, Scale::DESK, &[]);
    let html = render(&records, &[(Report::Table3, document)]);
    assert!(!html.contains("<img"), "names are escaped");
    assert_eq!(html.matches("</script>").count(), 2, "and close no script");
    assert_eq!(journal(&html).unwrap()["note"], "</script><b>&");
    for tag in ["h1", "h2", "caption", "figcaption"] {
        let open = format!("<{tag}>");
        let heads: Vec<_> = html.split(&open).skip(1).collect();
        assert!(!heads.is_empty(), "{tag}");
        for head in heads {
            let text = head.split("</").next().unwrap();
            assert!(text.ends_with("(desk scale)"), "{tag}: {text}");
        }
    }
}

#[test]
fn tables_name_their_rows_and_columns() {
    let records = grid(&[cifar("resnet18")]);
    let document = Report::Table3.build(&records, Scale::PAPER, &[]);
    let html = render(&records, &[(Report::Table3, document)]);
    let html = html.replace(" (desk scale)", "");
    // What a block is about stands above its rows, and nothing else does for another row.
    let name = "CIFAR-10 (JPEG q75), ResNet18, top-1 81.0 %, not at the paper&#x27;s scale, paper: CIFAR-10";
    let block = format!("<th scope=\"rowgroup\" colspan=\"14\"><span>{name}</span></th>");
    assert!(html.contains(&block), "{html}");
    assert!(!html.contains(">data set</th>"));
    let first = "<th scope=\"col\" colspan=\"1\" rowspan=\"2\" class=\"begins key\" data-sorts=\"0\"><span>lr</span></th>";
    assert!(html.contains(first));
    assert!(
        html.contains(
            "<th scope=\"colgroup\" colspan=\"4\" class=\"begins\"><span>DBI</span></th>"
        )
    );
    assert!(html.contains("<th scope=\"row\" class=\"begins key\">1e-9</th>"));
    assert!(html.contains("<td class=\"printed\">77.56</td>"));
}

#[test]
fn a_rate_stands_beside_its_interval_and_its_group() {
    let html = whole();
    // 67 of 90: the interval reaches from 64.6 to 82.3, whose longer side is 9.9.
    let (_, cell) = html.split_once(">74.4<").unwrap();
    assert!(cell.starts_with("/button><i> ± 9.9</i>"), "{}", &cell[..99]);
    assert!(html.contains("<small>Ours</small><span>pair</span>"));
}

#[test]
fn what_was_not_run_is_said_once() {
    let html = whole();
    assert_eq!(html.matches("runner data fetch gtsrb").count(), 1);
    assert!(!html.contains(">not run</th>"), "no row either");
}

#[test]
fn every_table_can_be_downloaded() {
    let html = whole();
    let files = embedded(&html, "files");
    let names = attributes(&html, "data-file");
    // Each report and the headline as CSV, Parquet and LaTeX.
    assert_eq!(names.len(), 3 * (REPORTS.len() + 1));
    for name in names {
        let content = &files[name];
        let text = content.as_str().or(content["base64"].as_str());
        assert!(text.is_some_and(|text| text.len() > 40), "{name}");
    }
}

/// Otherwise the points of figure 1 would be a quarter of the page.
#[test]
fn a_very_large_csv_file_stays_in_the_results_folder() {
    let records = everything();
    let table3 = REPORTS.iter().find(|entry| entry.name == "table3").unwrap();
    let mut document = table3.report.build(&records, Scale::DESK, &[]);
    let long = document.data.rows[0].clone();
    document.data.rows.extend(vec![long; 10_000]);
    let html = render(&records, &[(table3.report, document)]);
    let names = attributes(&html, "data-file");
    assert!(!names.contains(&"table3.csv"), "{names:?}");
    assert!(embedded(&html, "files")["table3.csv"].is_null());
    assert!(names.contains(&"table3.parquet"), "{names:?}");
    assert!(html.contains("table3.csv is too large for this page."));
}

/// A browser, if there is one.
fn browser() -> Option<PathBuf> {
    let names = std::env::var_os("CHROMIUM").into_iter();
    let names = names.chain(["chromium-headless-shell".into(), "chromium".into()]);
    names.map(PathBuf::from).find(|name| {
        let version = Command::new(name).arg("--version").output();
        version.is_ok_and(|output| output.status.success())
    })
}

/// What a browser makes of the page in a frame of this size, since windows have a least width: the facts that `probe` leaves in the
/// attributes of the outer page's root.
fn seen(browser: &PathBuf, html: &str, (width, height): (u32, u32)) -> String {
    // Runs after the page's own script: what does it look like, and what does a choice by pointer and by keyboard do?
    let probe = r#"<script type="module">
        const root = parent.document.documentElement, page = document.documentElement;
        root.dataset.overflow = page.scrollWidth - page.clientWidth;
        root.dataset.width = innerWidth;
        const button = document.querySelector("button[data-source]");
        button.focus();
        root.dataset.focused = document.activeElement === button;
        button.click();
        await archive;
        await new Promise((done) => setTimeout(done));
        root.dataset.open = dialog.open;
        root.dataset.shown = dialog.querySelector("h3").textContent;
        root.dataset.facts = dialog.querySelectorAll("dl dt").length;
        root.dataset.inside = dialog.getBoundingClientRect().right <= innerWidth;
        // The ranking at one setting is open, and a wide table says that it is wide.
        const chosen = document.querySelector("select");
        root.dataset.chosen = chosen.value;
        const of = (setting) => {
            chosen.value = setting;
            chosen.dispatchEvent(new Event("change"));
            const rows = chosen.closest("details").querySelectorAll("tbody tr:not(.name):not([hidden])");
            return [...rows].every((row) => row.cells[0].textContent === setting) && rows.length;
        };
        root.dataset.settings = [...chosen.options].slice(1).every((option) => of(option.value) > 0);
        root.dataset.wide = document.querySelectorAll(".scroll.more").length === document.querySelectorAll(".cue:not([hidden])").length;
        root.dataset.cues = document.querySelectorAll(".cue:not([hidden])").length > 0;
        root.dataset.fetched = performance.getEntriesByType("resource").length;
    </script>"#;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.html");
    let page = html.replace("</body>", &format!("{probe}</body>"));
    let page = page.replace('&', "&amp;").replace('"', "&quot;");
    let frame = format!(
        r#"<html><body><iframe srcdoc="{page}" style="width: {width}px; height: {height}px; border: 0"></iframe></body></html>"#
    );
    std::fs::write(&file, frame).unwrap();
    let output = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-sync",
        ])
        .arg(format!(
            "--user-data-dir={}",
            folder.path().join("profile").display()
        ))
        .arg("--window-size=1400,1000")
        // The archive is unpacked after the page is loaded.
        .arg("--virtual-time-budget=10000")
        .arg("--dump-dom")
        .arg(format!("file://{}", file.display()))
        .output()
        .expect("the browser runs");
    let dom = String::from_utf8_lossy(&output.stdout);
    let root = dom
        .split_once("<html")
        .and_then(|(_, rest)| rest.split_once('>'));
    root.expect("the browser loads the page").0.to_owned()
}

#[test]
fn it_works_in_a_browser() {
    let Some(browser) = browser() else {
        // What a passing test prints is swallowed, and what it writes is not.
        let line = b"skipped: no chromium-headless-shell, chromium or $CHROMIUM here\n";
        return std::io::stderr().write_all(line).unwrap();
    };
    let html = whole();
    for size in [(390, 844), (1280, 900)] {
        let root = seen(&browser, &html, size);
        for fact in [
            format!("data-width=\"{}\"", size.0),
            "data-overflow=\"0\"".to_owned(),
            "data-focused=\"true\"".to_owned(),
            "data-open=\"true\"".to_owned(),
            "data-shown=\"Ours: detection\"".to_owned(),
            "data-inside=\"true\"".to_owned(),
            "data-chosen=\"finetune, lr 1e-8\"".to_owned(),
            "data-settings=\"true\"".to_owned(),
            "data-wide=\"true\"".to_owned(),
            "data-fetched=\"0\"".to_owned(),
        ] {
            assert!(root.contains(&fact), "{size:?}: {fact} is not in {root}");
        }
        if size.0 == 390 {
            assert!(root.contains("data-cues=\"true\""), "{root}");
        }
        let facts = root.split_once("data-facts=\"").unwrap().1;
        assert!(!facts.starts_with('0'), "{root}");
    }
}

/// The ranking at one setting, beside the paper.
#[test]
fn a_setting_ranks_samples_and_says_how_far_the_paper_is() {
    let records = grid(&[cifar("resnet18")]);
    let headline = Headline::of(&records);
    let document = headline.document(Scale::PAPER).unwrap();
    let [families, settings] = &document.tables[..] else {
        panic!("{}", document.tables.len());
    };
    let text = settings.render(Markup::Markdown);
    let at = |setting: &str| -> Vec<Vec<String>> {
        let rows = text.lines().filter(|line| line.contains(setting));
        let cells = rows.map(|row| row.split('|').map(|cell| cell.trim().to_owned()).collect());
        cells.collect()
    };
    let rows = at("finetune, lr 1e-9");
    let ours = rows.iter().find(|row| row[3] == "Ours").expect("a row");
    assert_eq!(ours[6], "77.56");
    let measured: f64 = ours[4].parse().unwrap();
    let difference = ours[7].replace('\u{2212}', "-").parse::<f64>().unwrap();
    assert!((measured - 77.56 - difference).abs() < 0.051, "{ours:?}");
    let detected: Vec<f64> = rows
        .iter()
        .map(|row| row[4].trim_end_matches('†').parse().unwrap())
        .collect();
    assert!(
        detected.len() > 2 && detected.is_sorted_by(|a, b| a >= b),
        "{detected:?}"
    );
    assert!(
        families
            .columns
            .iter()
            .any(|column| column.name == "difference")
    );
    let about = headline.about().join("\n");
    for said in [
        "Counted are changed labels",
        "not the paper's data, but another form",
        "top-1",
    ] {
        assert!(about.contains(said), "{said} is not in {about}");
    }
}

/// A target that the paper does not have is compared with nothing.
#[test]
fn nothing_is_compared_with_another_data_set() {
    let records = grid(&[fashion()]);
    let headline = Headline::of(&records);
    let document = headline.document(Scale::PAPER).unwrap();
    let families = &document.tables[0];
    assert!(
        families
            .columns
            .iter()
            .all(|column| column.name != "difference")
    );
    assert!(headline.about().join("\n").contains("not the paper's data"));
}
