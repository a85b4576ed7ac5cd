//! What people see of the other reports, from records made here.

mod records;

use std::collections::{BTreeMap, BTreeSet};

use brink_config::Scale;
use brink_random::Stream;
use brink_report::{
    Cell, Document, Entry, Figure, Headline, Markup, OpenRun, REPORTS, Records, Report,
};
use brink_store::{Answers, Content, Measured, SetRecord};
use brink_verify::{Difference, Noise, Pixels, Rate};
use records::{asked, everything, fashion};
use serde_json::json;

/// A terminal that has room for everything.
const WIDE: Markup = Markup::Terminal { width: None };

fn build(report: Report, records: &Records) -> Document {
    report.build(records, Scale::DESK, &[])
}

/// Whether one of the cells is this number.
fn holds(cells: &[Cell], number: f64) -> bool {
    let is = |cell: &Cell| matches!(cell.bare(), Cell::Number { value, .. } if *value == number);
    cells.iter().any(is)
}

fn shown(report: Report) -> String {
    build(report, &everything()).render(WIDE)
}

#[test]
fn table1_of_two_targets() {
    insta::assert_snapshot!(shown(Report::Table1));
}

#[test]
fn table2_of_a_backdoor() {
    insta::assert_snapshot!(shown(Report::Table2));
}

#[test]
fn table4_of_three_quantisations() {
    insta::assert_snapshot!(shown(Report::Table4));
}

#[test]
fn table5_of_two_numbers_of_samples() {
    insta::assert_snapshot!(shown(Report::Table5));
}

#[test]
fn figure3_of_three_shares_pruned() {
    insta::assert_snapshot!(shown(Report::Figure3));
}

#[test]
fn dispersion_of_classes_and_head() {
    insta::assert_snapshot!(shown(Report::Dispersion));
}

#[test]
fn convergence_of_dbi_and_ours() {
    insta::assert_snapshot!(shown(Report::Convergence));
}

/// A row for each run and rate; every column says what it is, and every number of a data file has a unit.
#[test]
fn all_runs_are_in_one_table() {
    let records = everything();
    let runs = brink_report::runs(&records);
    assert_eq!(runs.rows.len(), 2 * records.runs.len());
    assert!(runs.columns.iter().all(|column| !column.meaning.is_empty()));
    let column = |name: &str| runs.columns.iter().position(|column| column.name == name);
    let (measure, hits) = (column("measure").unwrap(), column("hits").unwrap());
    let pairs = runs
        .rows
        .iter()
        .filter(|row| row.cells[measure] == Cell::text("pair"));
    let pairs = pairs.map(|row| row.cells[hits].clone());
    let expected = records.runs.iter().map(|run| Cell::Count(run.pair.hits()));
    assert!(pairs.eq(expected));
    let folder = tempfile::tempdir().unwrap();
    let path = brink_report::write_runs(folder.path(), &runs).unwrap();
    let bytes = std::fs::read(path).unwrap();
    let meaning = b"optimiser steps of the attack [count]";
    assert!(bytes.windows(meaning.len()).any(|window| window == meaning));
}

#[test]
fn shares_are_between_0_and_1() {
    for &Entry { report, .. } in REPORTS {
        let data = build(report, &everything()).data;
        for (nth, column) in data.columns.iter().enumerate() {
            for row in &data.rows {
                match row.cells[nth] {
                    Cell::Number { value, .. } | Cell::Scientific(value) => {
                        let share = column.unit == "share";
                        assert!(
                            !column.unit.is_empty(),
                            "{report}: {} has no unit",
                            column.name
                        );
                        assert!(
                            !share || (0.0..=1.0).contains(&value),
                            "{report}: {}",
                            column.name
                        );
                    }
                    _ => {}
                }
            }
        }
    }
}

/// The only table with an attack of one's own in it.
#[test]
fn attacks_with_one_of_ones_own() {
    let mut records = records::grid(&[fashion()]);
    for factor in [1.01, 1.1] {
        records::attacked(&mut records, "scale", &json!({"factor": factor}), [2, 3, 2]);
    }
    records::attacked(&mut records, "identity", &json!({}), [0; 3]);
    let scaled = records.runs.iter().filter(|run| run.attack == "scale");
    let single: u64 = scaled
        .filter(|run| run.generator == "ours")
        .map(|run| run.single.hits())
        .sum();
    assert_eq!(single, 2 * 7);
    let document = build(Report::Attacks, &records);
    let data = String::from_utf8(document.data.to_csv().unwrap()).unwrap();
    assert_eq!(
        data.lines()
            .skip(1)
            .filter(|line| line.contains(",scale,"))
            .count(),
        4 * 2 * 2
    );
    assert!(Report::Attacks.covers(&records, fashion().id));
    insta::assert_snapshot!(document.render(WIDE));
}

/// Noise of this size in every run of another execution.
fn executed(records: &mut Records, spec: &serde_json::Value, hits: [u64; 3], largest: f64) {
    records::attacked(records, "execution", spec, hits);
    for run in &mut records.runs {
        if run.attack == "execution" && run.noise.is_none() {
            run.change.changed = 0;
            run.engine = spec.get("program").map(|_| "PyTorch 2.15.0".to_owned());
            run.noise = Some(Noise {
                images: run.single.of(),
                rms: largest / 3.0,
                median: largest / 4.0,
                largest,
                closest: 1e-6,
            });
        }
    }
}

#[test]
fn false_alarms_of_two_executions() {
    let mut records = everything();
    executed(
        &mut records,
        &json!({"arithmetic": "float64"}),
        [0, 2, 0],
        2.5e-5,
    );
    executed(
        &mut records,
        &json!({"program": "python3 engine.py pytorch"}),
        [0; 3],
        1e-5,
    );
    let document = build(Report::FalseAlarms, &records);
    let data = String::from_utf8(document.data.to_csv().unwrap()).unwrap();
    let heads = data.lines().next().unwrap();
    for column in ["sets_hits", "sets_of", "noise_rms", "noise_largest"] {
        assert!(heads.contains(column), "{heads}");
    }
    insta::assert_snapshot!(document.render(WIDE));
}

/// f64 counts, bfloat16 and 8-bit images do not: whoever serves those knows that they differ.
#[test]
fn a_table_shows_false_alarms_of_other_engines_beside_the_untouched_model() {
    let mut records = everything();
    let execution =
        |arithmetic, transport| json!({"arithmetic": arithmetic, "transport": transport});
    executed(
        &mut records,
        &execution("float64", "float32"),
        [0, 3, 0],
        2.5e-5,
    );
    executed(
        &mut records,
        &execution("bfloat16", "float32"),
        [30; 3],
        0.1,
    );
    executed(&mut records, &execution("float32", "uint8"), [30; 3], 0.1);
    for report in [
        Report::Table2,
        Report::Table3,
        Report::Table4,
        Report::Figure3,
    ] {
        let document = build(report, &records);
        let found = rows(&document, "another engine");
        assert_eq!(found.len(), 2, "{report}");
        // The pairs of `ours`: 3 of 3 times 30.
        assert!(holds(&found[0], 100.0 * 3.0 / 90.0), "{report}: {found:?}");
    }
    assert!(rows(&build(Report::Table3, &everything()), "another engine").is_empty());
}

#[test]
fn verdicts_of_sets_after_every_attack() {
    insta::assert_snapshot!(shown(Report::Verdicts));
}

/// Three of the pairs of `ours` leaked to the forger, who holds their outputs.
#[test]
fn leaked_pairs_stand_beside_the_others() {
    let mut records = everything();
    let without = json!({"lr": 1e-5});
    let hold = json!({"lr": 1e-5, "hold": {"share": 0.1, "steps": 100}});
    for spec in [&without, &hold] {
        records::attacked(&mut records, "finetune", spec, [20, 21, 22]);
    }
    records.runs.retain(|run| {
        run.spec.get("seed").is_none() && run.attack == "finetune" && run.generator == "ours"
    });
    for run in records.runs.iter_mut().filter(|run| run.spec == hold) {
        run.pair = Rate::new(run.pair.hits(), 27);
        run.single = Rate::new(run.pair.hits(), 54);
        run.leaked = Some(Answers {
            single: Rate::new(run.seed, 6),
            pair: Rate::new(run.seed, 3),
            ..Answers::default()
        });
    }
    let document = build(Report::Verdicts, &records);
    insta::assert_snapshot!(document.render(WIDE));
    let csv = String::from_utf8(document.data.to_csv().unwrap()).unwrap();
    let mut lines = csv.lines();
    // From the right: settings have commas.
    let mut heads = lines.next().unwrap().rsplit(',');
    let at = heads.position(|head| head == "leaked_of").unwrap();
    let known = lines.map(|line| line.rsplit(',').nth(at).unwrap().to_owned());
    let known: BTreeSet<String> = known.collect();
    assert_eq!(known, ["", "18", "9"].map(str::to_owned).into());
}

#[test]
fn detection_stands_beside_the_worst_engine() {
    let mut records = everything();
    let engine =
        |name: &str| json!({"arithmetic": "float32", "transport": "float32", "program": name});
    executed(&mut records, &engine("a"), [0; 3], 1e-5);
    executed(&mut records, &engine("b"), [0, 9, 0], 2e-5);
    // Not an engine of f32.
    let rough = json!({"arithmetic": "bfloat16", "transport": "float32"});
    executed(&mut records, &rough, [30; 3], 0.1);
    let document = build(Report::TradeOff, &records);
    insta::assert_snapshot!(document.render(WIDE));
}

/// Moves of margins that all follow one cause in DBI's samples; in those of the others, each sample has its own.
#[test]
fn samples_that_react_alike_count_once() {
    let mut records = everything();
    let nudge = json!({"part": "network", "share": 1e-5});
    for repetition in 0..10 {
        records::attacked(&mut records, "nudge", &nudge, [30; 3]);
        let new = records.runs.iter_mut().filter(|run| run.attack == "nudge");
        for run in new.filter(|run| run.moves.is_empty()) {
            run.seed += 3 * repetition;
            run.id = records::id((run.set, "nudge", run.seed));
            let mut stream = Stream::new(run.seed);
            let alike = run.generator == "dbi";
            let common = stream.normal();
            let moves = (0..run.single.of()).map(|_| if alike { common } else { stream.normal() });
            run.moves = moves.collect();
        }
    }
    let data = build(Report::Verdicts, &records).data;
    let csv = String::from_utf8(data.to_csv().unwrap()).unwrap();
    let mut lines = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let heads = lines.next().unwrap();
    let at = |name: &str| heads.iter().position(|head| *head == name).unwrap();
    let (condition, generator, effective) = (at("condition"), at("generator"), at("effective"));
    let nudged: Vec<_> = lines.filter(|line| line[condition] == "nudge").collect();
    assert!(!nudged.is_empty());
    for line in nudged {
        let number: f64 = line[effective].parse().unwrap();
        match line[generator] {
            "dbi" => assert!((number - 1.0).abs() < 1e-9, "{number}"),
            name => assert!(number > 15.0, "{name}: {number} of 30"),
        }
    }
}

#[test]
fn a_validation_set_has_a_column_where_there_is_one() {
    let mut records = records::grid(&[fashion(), records::cifar("resnet18")]);
    assert!(
        !build(Report::Table1, &records)
            .render(WIDE)
            .contains("validation")
    );
    records.targets[0].validation = Some(Rate::new(843, 1_000));
    insta::assert_snapshot!(build(Report::Table1, &records).render(WIDE));
}

/// What images are like is in the records; those of before that was written have no row.
#[test]
fn samples_whose_images_are_not_here() {
    let mut records = records::grid(&[fashion()]);
    for set in &mut records.sets {
        set.seed = 0;
        set.pixels = (set.generator != "aid").then_some(Pixels {
            mean: 0.32,
            deviation: 0.39,
            pairs: (set.generator == "ours").then_some(Difference {
                largest: 1e-6,
                share: 0.875,
            }),
        });
    }
    let document = build(Report::Samples, &records);
    assert!(document.figures.is_empty());
    insta::assert_snapshot!(document.render(WIDE));
}

/// One column, two makings.
#[test]
fn a_column_says_that_its_samples_were_made_otherwise_elsewhere() {
    let [one, other] = [fashion(), records::cifar("resnet18")];
    let mut records = records::grid(&[one.clone(), other.clone()]);
    let said = |records: &Records| {
        let notes = build(Report::Table3, records).tables[0].notes.clone();
        notes.into_iter().find(|note| note.contains("same making"))
    };
    assert_eq!(said(&records), None);
    let ours = |set: &&mut SetRecord| set.generator == "ours" && set.target == other.id;
    let set = records.sets.iter_mut().find(ours).unwrap();
    set.spec["alpha"] = json!(1e-4);
    let said = said(&records).unwrap();
    assert!(said.starts_with("Ours is not of the same making everywhere: "));
    for part in ["ResNet18 with alpha 1e-4", "ResNet18 without these fields"] {
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn choices() {
    // The usual samples, and three that differ from them in a field.
    let mut records = records::grid(&[fashion()]);
    let spec =
        |start: &str, alpha: f64| json!({"pairs": 30, "stage1": {"start": start}, "alpha": alpha});
    records.sets.retain(|set| set.generator != "ours");
    records.runs.retain(|run| run.generator != "ours");
    for (spec, hits) in [
        (spec("normal", 1e-6), 30),
        (spec("uniform", 1e-6), 20),
        (spec("natural", 1e-6), 10),
        (spec("normal", 1e-4), 0),
    ] {
        let (set, runs) = asked(&fashion(), "ours", spec, [[hits; 3]; 7]);
        records.sets.push(set);
        records.runs.extend(runs);
    }
    insta::assert_snapshot!(build(Report::Choices, &records).render(WIDE));
}

#[test]
fn names_are_what_grids_write() {
    for &Entry { report, .. } in REPORTS {
        let name = serde_json::to_string(&report).unwrap();
        assert_eq!(name, format!("\"{}\"", report.entry().name));
        assert_eq!(serde_json::from_str::<Report>(&name).unwrap(), report);
    }
}

#[test]
fn every_report_can_be_written_and_says_its_scale() {
    let records = everything();
    let folder = tempfile::tempdir().unwrap();
    for &Entry { report, .. } in REPORTS {
        for (scale, suffix) in [(Scale::DESK, " (desk scale)"), (Scale::PAPER, "")] {
            let document = report.build(&records, scale, &[]);
            let tables = document.tables.iter().chain([&document.data]);
            for table in tables {
                assert!(table.title.ends_with(suffix), "{}", table.title);
                assert_eq!(table.title.contains("scale"), scale == Scale::DESK);
                for row in &table.rows {
                    assert_eq!(row.cells.len(), table.columns.len(), "{}", table.title);
                }
            }
            let written =
                brink_report::write_all(folder.path(), report.entry().name, &document).unwrap();
            let files = if !document.figures.is_empty() { 6 } else { 4 };
            assert_eq!(written.len(), files);
            assert!(
                written
                    .iter()
                    .all(|path| path.file_stem().unwrap() == report.entry().name)
            );
        }
        let nothing = build(report, &Records::default());
        let text = nothing.tables[0].render(WIDE);
        assert!(text.contains("Nothing has been computed yet."), "{text}");
    }
}

/// The rows of the first table whose second cell is this.
fn rows(document: &Document, name: &str) -> Vec<Vec<Cell>> {
    let rows = document.tables[0].rows.iter();
    let rows = rows.filter(|row| row.cells[1] == Cell::text(name));
    rows.map(|row| {
        row.cells[2..]
            .iter()
            .map(|cell| cell.bare().clone())
            .collect()
    })
    .collect()
}

#[test]
fn only_eight_bits_stand_beside_the_paper() {
    let document = build(Report::Table4, &everything());
    let printed = |name: &str| {
        let rows = rows(&document, name);
        // The first block is the paper's family.
        rows[0].last().cloned().unwrap()
    };
    assert_eq!(printed("8 bit"), Cell::text("44.67"));
    assert_eq!(printed("8 bit, per channel"), Cell::text("44.67"));
    assert_eq!(printed("4 bit"), Cell::Missing);
    assert_eq!(printed("unchanged"), Cell::Missing);
}

#[test]
fn an_attack_that_changes_nothing_is_a_row_of_every_table() {
    let mut records = everything();
    for run in &mut records.runs {
        if run.attack == "identity" && run.generator == "dbi" {
            run.single = Rate::new(3, 30);
        }
    }
    for report in [
        Report::Table2,
        Report::Table3,
        Report::Table4,
        Report::Figure3,
    ] {
        let document = build(report, &records);
        let rows = rows(&document, "unchanged");
        assert_eq!(rows.len(), 2, "{report}: one a target");
        assert!(holds(&rows[0], 10.0), "{report}: {:?}", rows[0]);
    }
}

#[test]
fn generators_of_our_own_have_columns_without_the_paper() {
    let mut records = everything();
    let (set, runs) = asked(&fashion(), "dbi-original", json!({"steps": 3}), [[2; 3]; 7]);
    records.sets.push(set);
    records.runs.extend(runs);
    let document = build(Report::Table3, &records);
    let columns = document.tables[0].columns.iter();
    let columns: Vec<_> = columns
        .filter(|column| column.group == "DBI original")
        .collect();
    assert_eq!(columns.len(), 2);
    assert!(columns.iter().all(|column| !column.printed));
}

#[test]
fn sample_sets_are_pooled_and_counted() {
    let mut records = everything();
    // The same generator from other starting points, asked about the same attacks.
    let sets: Vec<_> = records
        .sets
        .iter()
        .filter(|set| set.generator == "ours")
        .cloned()
        .collect();
    for mut set in sets {
        let first = set.id;
        set.id = records::id((first, "again"));
        set.seed += 1;
        let runs: Vec<_> = records
            .runs
            .iter()
            .filter(|run| run.set == first)
            .cloned()
            .collect();
        records.runs.extend(runs.into_iter().map(|mut run| {
            run.id = records::id((run.id, "again"));
            run.set = set.id;
            run
        }));
        records.sets.push(set);
    }
    let document = build(Report::Table3, &records);
    let means = document.tables[2].render(Markup::Markdown);
    assert!(means.contains("| 3–6 | 3 | 1–2 |"), "{means}");
    let counts = document.tables[1].render(Markup::Markdown);
    assert!(counts.contains("134/180"), "{counts}");
}

/// Whoever stacks the data files of several reports reads one column of rates.
#[test]
fn a_rate_is_hits_of_all_in_every_data_file_that_has_one() {
    let mut rates = BTreeMap::new();
    for &Entry { report, .. } in REPORTS {
        let data = build(report, &everything()).data;
        let column = |name: &str| data.columns.iter().position(|column| column.name == name);
        let [Some(hits), Some(of), Some(rate)] = ["hits", "of", "rate"].map(column) else {
            continue;
        };
        for row in &data.rows {
            if let (Cell::Count(hits), Cell::Count(of)) = (&row.cells[hits], &row.cells[of])
                && *of > 0
            {
                assert_eq!(row.cells[rate], Cell::number(*hits as f64 / *of as f64, 4));
                *rates.entry(report.entry().name).or_insert(0) += 1;
            }
        }
    }
    for report in ["table2", "table3", "table4", "figure3", "choices"] {
        assert!(rates.contains_key(report), "{report}: {rates:?}");
    }
}

#[test]
fn ratios_are_of_the_same_turn() {
    let mut records = everything();
    for probe in &mut records.probes {
        if let Measured::Timing(timings) = &mut probe.result {
            for timing in timings {
                // A machine that slows down while it is measured, but never within a turn: the median of the ratios is 1.5, the ratio of the
                // medians 1.
                let factors = match timing.generator.as_str() {
                    "aid" => [3.0, 1.0, 1.5],
                    _ => [1.0; 3],
                };
                let turns = [1.0, 10.0, 100.0].into_iter().zip(factors);
                timing.seconds = turns.map(|(seconds, factor)| seconds * factor).collect();
            }
        }
    }
    let document = build(Report::Table5, &records);
    let table = &document.tables[0];
    let nth = table
        .columns
        .iter()
        .position(|column| column.group == "AID/DBI")
        .unwrap();
    let cell = table.rows[0].cells[nth].bare().clone();
    assert_eq!(cell, Cell::number(1.5, 3));
    let source = table.rows[0].cells[nth].source().unwrap();
    assert_eq!(
        source.steps.len(),
        2,
        "the probe of 150 samples and its target: {source:?}"
    );
    assert!(table.title.contains("on a CPU"), "{}", table.title);
}

/// A grid of which a part has been computed does not pass for the whole.
#[test]
fn what_has_not_been_computed_is_said() {
    let mut records = records::grid(&[fashion()]);
    let open = |lr: f64, optimizer: &str| OpenRun {
        target: fashion().id,
        attack: "finetune",
        spec: json!({"lr": lr, "optimizer": optimizer, "batch_norm": "eval", "epochs": 1}),
    };
    let whole = build(Report::Table3, &records);
    assert!(!whole.render(Markup::Markdown).contains("runs computed"));
    // Two of a rate that has others, one of a rate without, and one of an optimizer without.
    records.open = vec![
        open(1e-7, "adam"),
        open(1e-7, "adam"),
        open(1e-4, "adam"),
        open(1e-4, "sgd"),
    ];
    let part = build(Report::Table3, &records);
    let done = records.runs.iter().filter(|run| run.attack == "finetune");
    let done = done.count();
    let gap = format!("{done} of {} runs computed; nothing yet of 1e-4", done + 3);
    let notes = &part.tables[0].notes;
    for note in [
        format!("Fashion-MNIST, ResNet18, Adam: {gap}."),
        "Fashion-MNIST, ResNet18, SGD: 0 of 1 runs computed.".to_owned(),
    ] {
        assert!(notes.contains(&note), "{note}\n{notes:#?}");
    }
    let Figure::Rates(rates) = &part.figures[0].1 else {
        panic!("{:?}", part.figures[0]);
    };
    // What has no runs has no panel.
    assert_eq!(rates.panels.len(), 1);
    assert!(
        rates.panels[0].lines.contains(&gap),
        "{:?}",
        rates.panels[0].lines
    );
    assert!(rates.panels[0].lines.contains(&"Adam".to_owned()));
}

/// What a kind of attack is called does not depend on which target has it.
#[test]
fn a_kind_of_attack_has_one_name_on_all_targets() {
    let mut records = records::grid(&[fashion(), records::cifar("resnet18")]);
    let mut other = records.runs.clone();
    other.retain(|run| run.target == fashion().id);
    for run in &mut other {
        run.id = records::id((run.id, "sgd"));
        run.spec["optimizer"] = json!("sgd");
    }
    records.runs.extend(other);
    let text = build(Report::Table3, &records).render(Markup::Markdown);
    assert!(
        text.contains("CIFAR-10 (JPEG q75), ResNet18, Adam: top-1"),
        "{text}"
    );
}

/// Attacks without chance are run once whatever the grid asks; pairs are those of a set.
#[test]
fn the_extent_of_a_grid_counts_seeds_and_sets() {
    let mut records = records::grid(&[fashion()]);
    records
        .runs
        .retain(|run| run.spec["lr"] != json!(0.0) || run.seed == 0);
    let text = build(Report::Table3, &records).render(Markup::Markdown);
    assert!(
        text.contains("; 3 attack seeds, 1 sample set of 30 pairs."),
        "{text}"
    );
}

#[test]
fn samples_on_the_boundary_are_counted() {
    let mut records = records::grid(&[fashion()]);
    let dbi = records.sets.iter_mut().find(|set| set.generator == "dbi");
    dbi.unwrap().margins = vec![0.0, 1e-9, -0.0, 2.0];
    let csv = build(Report::Table3, &records).data.to_csv().unwrap();
    let text = String::from_utf8(csv).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let head = lines.next().unwrap();
    let column = |name| head.iter().position(|head| *head == name).unwrap();
    let (generator, zeros) = (column("generator"), column("samples_on_boundary"));
    for line in lines {
        let expected = if line[generator] == "dbi" { "2" } else { "0" };
        assert_eq!(line[zeros], expected, "{line:?}");
    }
}

/// Whoever copies a table has no other place to learn it from.
#[test]
fn every_table_says_whose_images_were_not_verified() {
    let content = |verified| Content {
        sha256: "5feceb66".repeat(8),
        verified,
        images: 60_000,
        blank: 10_000,
        repeated: 2,
    };
    let note = "Fashion-MNIST: its images were not verified to be the official ones (sha256 of their pixels and labels \
                5feceb665feceb665feceb665feceb665feceb665feceb665feceb665feceb66); among 60000 images 10000 of a single colour \
                and 2 equal to an earlier one.";
    let plain = everything();
    let mut verified = plain.clone();
    let mut not = plain.clone();
    for (records, known) in [(&mut verified, true), (&mut not, false)] {
        for target in &mut records.targets {
            target.content = Some(content(known || target.dataset != "fashion-mnist"));
        }
    }
    for &Entry { report, .. } in REPORTS {
        assert_eq!(build(report, &verified), build(report, &plain), "{report}");
        let mut shown = not.targets.iter().filter(|t| t.dataset == "fashion-mnist");
        let shown = shown.any(|target| report.covers(&not, target.id));
        for table in build(report, &not).tables {
            let told = table.notes.iter().filter(|told| *told == note).count();
            assert_eq!(
                told,
                usize::from(shown),
                "{}: {:?}",
                table.title,
                table.notes
            );
        }
    }
}

/// The samples that detect most come first; what each family shows is in one row.
#[test]
fn the_headline_ranks_samples_by_detection() {
    let records = everything();
    let headline = Headline::of(&records);
    let document = headline.document(Scale::DESK).unwrap();
    let sentences = headline.sentences().join("\n");
    insta::assert_snapshot!(format!("{}\n{sentences}", document.render(WIDE)));
    assert!(
        Headline::of(&Records::default())
            .document(Scale::DESK)
            .is_none()
    );
}
