//! The generators that the paper compares, and how tables show generators.

use super::paper::Measure;
use crate::records::Records;

/// A generator in the paper's layout.
struct Generator {
    name: &'static str,
    /// The rates that the paper's layout shows, the more telling one last.
    measures: &'static [Measure],
}

const BOTH: &[Measure] = &[Measure::Single, Measure::Pair];

/// The paper's generators in the order of its columns, then those of the works that it cites.
const GENERATORS: [Generator; 6] = [
    Generator {
        name: "validset",
        measures: &[Measure::Single],
    },
    Generator {
        name: "dbi",
        measures: BOTH,
    },
    Generator {
        name: "aid",
        measures: BOTH,
    },
    Generator {
        name: "ours",
        measures: BOTH,
    },
    Generator {
        name: "aid-original",
        measures: BOTH,
    },
    Generator {
        name: "dbi-original",
        measures: BOTH,
    },
];

/// How many generators the paper compares.
pub const COMPARED: usize = 4;

fn find(generator: &str) -> Option<&'static Generator> {
    GENERATORS.iter().find(|known| known.name == generator)
}

/// The names of the paper's generators.
pub fn compared<'a>() -> impl Iterator<Item = &'a str> {
    GENERATORS[..COMPARED].iter().map(|known| known.name)
}

/// The place of a generator among the columns: the paper's first, all others after them.
pub fn rank(generator: &str) -> usize {
    compared()
        .position(|name| name == generator)
        .unwrap_or(COMPARED)
}

/// The rates of a generator that the paper's layout shows, the more telling one last.
pub fn measures(generator: &str) -> &'static [Measure] {
    find(generator).map_or(BOTH, |known| known.measures)
}

/// The rate of a generator where there is room for one.
pub fn main_measure(generator: &str) -> Measure {
    let last = measures(generator).last();
    last.copied().unwrap_or(Measure::Single)
}

/// The title of a generator, or of one of its variants. A generator without a title goes by its name.
pub fn title(records: &Records, generator: &str, variant: &str) -> String {
    let title = records.generators.get(generator).copied();
    let title = title.unwrap_or(generator);
    match variant {
        "" => title.to_owned(),
        variant => format!("{title} ({variant})"),
    }
}
