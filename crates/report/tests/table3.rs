//! What people see of Table III, from records made here.

mod records;

use brink_config::Scale;
use brink_report::{Cell, Document, Markup, NotRun, Records, Report};
use brink_store::TargetRecord;
use records::{asked, cifar, compared, everything, fashion, generators, grid};
use serde_json::json;

fn build(records: &Records) -> Document {
    Report::Table3.build(records, Scale::DESK, &[])
}

/// The first command's table: no data but the embedded.
fn first() -> Document {
    let missing = NotRun {
        dataset_title: "CIFAR-10".into(),
        reason: "its files were not found".into(),
        command: Some("runner data fetch cifar10".into()),
    };
    Report::Table3.build(&grid(&[fashion()]), Scale::DESK, &[missing])
}

#[test]
fn one_target_in_a_terminal() {
    insta::assert_snapshot!(first().render(Markup::Terminal { width: None }));
}

/// Wide terminals show more columns; on the narrowest, rows are lists.
#[test]
fn two_targets_in_narrow_terminals() {
    let document = build(&grid(&[cifar("resnet18"), fashion()]));
    let mut table = document.tables[0].clone();
    table.rows.truncate(10);
    let shown = [140, 120, 80, 40].map(|width| {
        let text = table.render(Markup::Terminal { width: Some(width) });
        for line in text.lines() {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
        text
    });
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn a_related_target_beside_the_paper() {
    let document = build(&grid(&[cifar("resnet18"), cifar("resnet20"), fashion()]));
    insta::assert_snapshot!(document.tables[0].render(Markup::Terminal { width: None }));
}

#[test]
fn one_target_in_markdown() {
    insta::assert_snapshot!(first().render(Markup::Markdown));
}

#[test]
fn one_target_in_latex() {
    insta::assert_snapshot!(first().render(Markup::Latex));
}

#[test]
fn one_target_in_csv() {
    let csv = String::from_utf8(first().data.to_csv().unwrap()).unwrap();
    insta::assert_snapshot!(csv);
}

#[test]
fn no_target_yet() {
    let nothing = Records {
        asked: compared(),
        generators: generators(),
        ..Records::default()
    };
    let document = build(&nothing);
    insta::assert_snapshot!(document.tables[0].render(Markup::Terminal { width: None }));
    // A target without runs says nothing about a detection rate.
    let targets = vec![fashion()];
    let trained = Records {
        targets,
        ..Records::default()
    };
    assert_eq!(build(&trained).tables[0].rows, []);
}

#[test]
fn a_generator_that_the_grid_does_not_ask_for_has_no_column() {
    let mut records = grid(&[fashion()]);
    let named = |records: &Records| {
        let table = build(records).tables.remove(0);
        table.columns.iter().any(|column| column.group == "AID")
    };
    records.sets.retain(|set| set.generator != "aid");
    records.runs.retain(|run| run.generator != "aid");
    // The grid asks for it, but it has not been computed yet.
    assert!(named(&records));
    records.asked.remove("aid");
    assert!(!named(&records));
}

#[test]
fn lines_fit_a_wide_terminal() {
    let document = build(&grid(&[cifar("resnet18"), cifar("resnet20"), fashion()]));
    for line in document.render(Markup::Terminal { width: None }).lines() {
        assert!(line.chars().count() <= 210, "{line}");
    }
}

#[test]
fn the_scale_is_in_every_title() {
    let records = grid(&[fashion()]);
    let titles = |scale| {
        let document = Report::Table3.build(&records, scale, &[]);
        let tables = document.tables.iter().chain([&document.data]);
        let mut titles: Vec<_> = tables.map(|table| table.title.clone()).collect();
        titles.push(document.figures[0].1.title().to_owned());
        titles
    };
    assert!(
        titles(Scale::DESK)
            .iter()
            .all(|title| title.ends_with(" (desk scale)"))
    );
    assert!(
        titles(Scale::PAPER)
            .iter()
            .all(|title| !title.contains("scale"))
    );
}

#[test]
fn sets_smaller_than_the_papers_are_named_at_paper_scale() {
    let mut records = grid(&[fashion()]);
    let note = |records: &Records, scale| {
        let document = Report::Table3.build(records, scale, &[]);
        let mut notes = document.tables[0].notes.clone().into_iter();
        notes.find(|note| note.contains("not at the paper's scale"))
    };
    for set in &mut records.sets {
        set.spec["stage1"] = match set.generator.as_str() {
            "validset" => json!(null),
            _ => json!({ "lr": 1e-3 }),
        };
        set.asked = 16;
    }
    insta::assert_snapshot!(note(&records, Scale::PAPER).unwrap());
    // The titles say it of all sets.
    assert_eq!(note(&records, Scale::DESK), None);
    for set in &mut records.sets {
        (set.asked, set.iterations_cap) = (150, 10_000);
    }
    assert_eq!(note(&records, Scale::PAPER), None);
}

/// The cells of one row of the first table: that of `lr` in the block of this name.
fn row<'a>(document: &'a Document, name: &str, lr: f64) -> &'a [Cell] {
    let mut rows = document.tables[0].rows.iter();
    rows.find(|row| row.cells[0] == Cell::text(name))
        .expect("the block begins");
    let row = rows.find(|row| row.cells[1] == Cell::Scientific(lr));
    &row.expect("the block has this learning rate").cells[2..]
}

fn shown(cells: &[Cell]) -> Vec<String> {
    let text = |cell: &Cell| match cell.bare() {
        Cell::Number {
            value,
            decimals,
            mark,
            ..
        } => format!("{value:.decimals$}{mark}"),
        Cell::Text(text) => text.clone(),
        Cell::Missing => "–".to_owned(),
        other => format!("{other:?}"),
    };
    cells.iter().map(text).collect()
}

#[test]
fn seeds_are_pooled_by_counts() {
    let document = first();
    // 4 + 6 + 5 of 3 x 30 pairs, and of 3 x 60 images.
    let row = shown(row(&document, "Fashion-MNIST", 1e-9));
    assert_eq!(row[row.len() - 3..], ["8.3", "16.7", "–"]);
    let counts = document.tables[1].render(Markup::Markdown);
    assert!(
        counts.contains("| 15/180 [5.1, 13.3] | 15/90 [10.4, 25.7] |"),
        "{counts}"
    );
}

#[test]
fn the_paper_stands_beside_its_own_family_only() {
    let same = TargetRecord {
        dataset: "cifar10".into(),
        dataset_title: "CIFAR-10".into(),
        ..cifar("resnet18")
    };
    let document = build(&grid(&[same, cifar("resnet20"), fashion()]));
    let paper = |name| shown(row(&document, name, 1e-9)).last().cloned();
    assert_eq!(paper("CIFAR-10").as_deref(), Some("77.56"));
    assert_eq!(paper("CIFAR-10 (JPEG q75)").as_deref(), Some("77.56"));
    assert_eq!(paper("Fashion-MNIST").as_deref(), Some("–"));
    let notes = document.tables[0].notes.join("\n");
    assert!(notes.contains(
        "CIFAR-10, ResNet18: as printed for CIFAR-10, ResNet18 (top-1 91.26 %), the same"
    ));
    assert!(
        notes.contains("not the same experiment: another form of the data set and another network")
    );
    assert!(notes.contains("Fashion-MNIST, ResNet18 is not in the paper"));
}

#[test]
fn a_rate_that_is_label_balance_is_marked() {
    let document = first();
    let row = shown(row(&document, "Fashion-MNIST", 1e-6));
    let marked: Vec<_> = row.iter().filter(|cell| cell.ends_with('†')).collect();
    // Single and pair of DBI and AID, single of ours: its pairs have one label each by construction.
    assert_eq!(marked.len(), 5);
    assert_eq!(row[row.len() - 2], "100.0");
}

#[test]
fn false_alarms_are_in_the_table() {
    let mut records = grid(&[fashion()]);
    let dbi = records
        .sets
        .iter_mut()
        .find(|set| set.generator == "dbi")
        .unwrap();
    // Nine samples in one way, six of them and three others in another: twelve different ones.
    for (control, first) in dbi.controls[1..].iter_mut().zip([0, 3]) {
        control.single = brink_verify::Rate::new(9, 30);
        control.flipped = (first..first + 9).collect();
        control.pair = brink_verify::Rate::new(15, 30);
        control.flipped_pairs = (0..15).collect();
    }
    let document = build(&records);
    let untouched = &document.tables[0].rows[0].cells;
    assert_eq!(untouched[1], Cell::text("untouched"));
    assert_eq!(shown(untouched)[4..8], ["40.0", "–", "50.0", "–"]);
    assert!(
        document.tables[0]
            .notes
            .join("\n")
            .contains("12/150 samples changed")
    );
}

#[test]
fn what_differs_in_more_than_its_seed_is_not_pooled() {
    let target = fashion();
    let mut records = grid(std::slice::from_ref(&target));
    let hits = [[0; 3], [1; 3], [2; 3], [3; 3], [4; 3], [5; 3], [6; 3]];
    // The same generator with another field.
    let (set, runs) = asked(
        &target,
        "aid",
        json!({"pairs": 30, "activation": "attached"}),
        hits,
    );
    records.sets.push(set);
    records.runs.extend(runs);
    // The same samples under another optimiser.
    let mut other: Vec<_> = records
        .runs
        .iter()
        .filter(|run| run.generator == "ours")
        .cloned()
        .collect();
    for run in &mut other {
        run.id = records::id((run.id, "sgd"));
        run.spec["optimizer"] = json!("sgd");
    }
    records.runs.extend(other);
    // The same data set and network, trained from another seed.
    let again = TargetRecord {
        id: records::id("again"),
        seed: 1,
        ..target
    };
    let more = grid(std::slice::from_ref(&again));
    records.targets.extend(more.targets);
    records.sets.extend(more.sets);
    records.runs.extend(more.runs);

    let document = build(&records);
    let table = &document.tables[0];
    let groups: Vec<_> = table
        .columns
        .iter()
        .map(|column| column.group.as_str())
        .collect();
    assert!(
        groups.contains(&"AID") && groups.contains(&"AID (activation attached)"),
        "{groups:?}"
    );
    let begins = table.rows.iter().filter(|row| row.begins);
    assert_eq!(
        begins.count(),
        4,
        "two kinds of fine-tuning, two seeds of the target, the paper"
    );
    let text = table.render(Markup::Terminal { width: None });
    for name in ["Adam", "SGD", "seed 0", "seed 1"] {
        assert!(text.contains(name), "{name}: {text}");
    }
    let pairs = document.tables[1].render(Markup::Markdown);
    assert!(
        !pairs.contains("/360"),
        "no pair rate is pooled over optimisers: {pairs}"
    );
}

#[test]
fn other_attacks_are_left_to_other_tables() {
    let records = everything();
    let mut alone = records.clone();
    alone
        .runs
        .retain(|run| ["finetune", "identity"].contains(&run.attack.as_str()));
    alone.probes.clear();
    assert_eq!(build(&records), build(&alone));
}

#[test]
fn latex_escapes_everything() {
    let target = TargetRecord {
        dataset_title: r"50 % of A_B & C\D #1 {x} ~ ^ $ <|>".into(),
        ..fashion()
    };
    let document = build(&grid(&[target]));
    let latex = document.tables[0].render(Markup::Latex);
    let escaped = r"50 \% of A\_B \& C\textbackslash{}D \#1 \{x\} \textasciitilde{} \textasciicircum{} \$ \textless{}\textbar{}\textgreater{} &";
    assert!(latex.contains(escaped), "{latex}");
}

#[test]
fn parquet_holds_what_csv_holds() {
    use polars_io::prelude::{ParquetReader, SerReader};
    let data = first().data;
    let parquet = data.to_parquet().unwrap();
    let frame = ParquetReader::new(std::io::Cursor::new(parquet))
        .finish()
        .unwrap();
    let csv = String::from_utf8(data.to_csv().unwrap()).unwrap();
    let head: Vec<_> = csv
        .lines()
        .next()
        .unwrap()
        .split(',')
        .map(str::to_owned)
        .collect();
    let names: Vec<_> = frame
        .get_column_names()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(names, head);
    assert_eq!(frame.height(), csv.lines().count() - 1);
    // 4 generators x 2 measures x (untouched + 7 learning rates), and the row that was not run.
    assert_eq!(frame.height(), 4 * 2 * 8 + 1);
    let lr = frame.column("lr").unwrap().f64().unwrap();
    assert_eq!(
        lr.get(2),
        Some(1e-10),
        "learning rates are numbers, unrounded"
    );
    assert_eq!(lr.get(0), None, "the untouched model has none");
    let hits: u64 = frame
        .column("hits")
        .unwrap()
        .u64()
        .unwrap()
        .iter()
        .flatten()
        .sum();
    let runs = grid(&[fashion()]).runs;
    assert_eq!(
        hits,
        runs.iter()
            .map(|run| run.single.hits() + run.pair.hits())
            .sum::<u64>()
    );
}

#[test]
fn everything_is_written_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let into = folder.path().join("results/table3");
    let written = brink_report::write_all(&into, "table3", &first()).unwrap();
    let names: Vec<_> = written
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "table3.md",
            "table3.tex",
            "table3.csv",
            "table3.parquet",
            "table3.svg",
            "table3.png"
        ]
    );
    assert!(
        written
            .iter()
            .all(|path| std::fs::metadata(path).unwrap().len() > 1_000)
    );
    assert_eq!(
        std::fs::read_dir(&into).unwrap().count(),
        names.len(),
        "nothing half-written is left"
    );
    // Twice is as good as once.
    brink_report::write_all(&into, "table3", &first()).unwrap();

    let file = folder.path().join("file");
    std::fs::write(&file, "in the way").unwrap();
    let message = brink_report::write_all(&file, "table3", &first())
        .unwrap_err()
        .to_string();
    assert!(message.contains(&file.display().to_string()), "{message}");
}
