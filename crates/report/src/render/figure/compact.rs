//! The same SVG in fewer bytes: lines of one style become one path, points are relative to the ones before, and attributes
//! with their default are left out.

use std::fmt::Write;

/// The compact SVG.
pub fn compact(svg: &str) -> String {
    let mut out = String::with_capacity(svg.len() / 2);
    let mut open: Option<(&str, String)> = None;
    for line in svg.lines() {
        match polyline(line) {
            Some((style, points)) => match &mut open {
                Some((own, path)) if *own == style => push(path, points),
                _ => {
                    close(&mut out, open.take());
                    let mut path = String::new();
                    push(&mut path, points);
                    open = Some((style, path));
                }
            },
            None if let Some((style, points)) = polygon(line) => {
                close(&mut out, open.take());
                let mut path = String::new();
                push(&mut path, points);
                let _ = writeln!(out, "<path {style} d=\"{path}z\"/>");
            }
            None => {
                close(&mut out, open.take());
                out.push_str(
                    &line
                        .replace(" opacity=\"1\"", "")
                        .replace(".00000000000001\"", "\""),
                );
                out.push('\n');
            }
        }
    }
    close(&mut out, open);
    out
}

/// The style and the points of a line that plotters drew.
fn polyline(line: &str) -> Option<(&str, &str)> {
    let rest = line.strip_prefix("<polyline fill=\"none\" opacity=\"1\" ")?;
    let (style, points) = rest.split_once(" points=\"")?;
    Some((style, points.strip_suffix("\"/>")?.trim()))
}

/// The style and the corners of an area that plotters drew.
fn polygon(line: &str) -> Option<(String, &str)> {
    let rest = line.strip_prefix("<polygon ")?;
    let (style, points) = rest.split_once(" points=\"")?;
    let style = style.replace("opacity=\"1\" ", "");
    Some((style, points.strip_suffix("\"/>")?.trim()))
}

/// Adds a line to a path, with each point after the first relative to the one before.
fn push(path: &mut String, points: &str) {
    let numbers = points
        .split([' ', ','])
        .filter_map(|number| number.parse::<i64>().ok());
    let numbers: Vec<i64> = numbers.collect();
    let mut last: Option<(i64, i64)> = None;
    for point in numbers.chunks_exact(2) {
        let (x, y) = (point[0], point[1]);
        // Writing to a text does not fail.
        let _ = match last {
            None => write!(path, "M{x} {y}"),
            Some((before, above)) => write!(path, "l{} {}", x - before, y - above),
        };
        last = Some((x, y));
    }
}

fn close(out: &mut String, open: Option<(&str, String)>) {
    if let Some((style, path)) = open {
        let _ = writeln!(out, "<path fill=\"none\" {style} d=\"{path}\"/>");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_one_style_are_one_path() {
        let line = |style: &str, points: &str| {
            format!(
                "<polyline fill=\"none\" opacity=\"1\" stroke=\"{style}\" points=\"{points} \"/>\n"
            )
        };
        let svg = line("red", "1,2 3,5") + &line("red", "7,7 6,7 6,6") + &line("blue", "0,0 1,1");
        let expected = "<path fill=\"none\" stroke=\"red\" d=\"M1 2l2 3M7 7l-1 0l0 -1\"/>\n\
                        <path fill=\"none\" stroke=\"blue\" d=\"M0 0l1 1\"/>\n";
        assert_eq!(compact(&svg), expected);
        let area = "<polygon opacity=\"1\" fill=\"red\" points=\"5,5 6,5 6,7 \"/>\n";
        assert_eq!(compact(area), "<path fill=\"red\" d=\"M5 5l1 0l0 2z\"/>\n");
        let words = "<text x=\"1\" opacity=\"1\" font-size=\"52.00000000000001\">\n";
        assert_eq!(compact(words), "<text x=\"1\" font-size=\"52\">\n");
    }
}
