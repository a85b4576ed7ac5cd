//! Tables as data files. The only place that knows polars.

use polars::prelude::{Column as Series, DataFrame, NamedFrom, PolarsResult, Series as Values};
use polars_io::prelude::{CsvWriter, KeyValueMetadata, ParquetWriter, SerWriter};

use crate::document::table::{Cell, Table};
use crate::error::Error;

impl Table {
    /// The table as CSV with one line of headings; missing values are empty.
    ///
    /// # Errors
    /// [`Error::Data`] if two columns have the same name.
    pub fn to_csv(&self) -> Result<Vec<u8>, Error> {
        let write = || {
            let mut bytes = Vec::new();
            CsvWriter::new(&mut bytes).finish(&mut self.frame()?)?;
            Ok(bytes)
        };
        write().map_err(|source| self.failed(source))
    }

    /// The table as a Parquet file; missing values are null. Its metadata has the unit and meaning of each column that has a meaning,
    /// under the column's name.
    ///
    /// # Errors
    /// [`Error::Data`] if two columns have the same name.
    pub fn to_parquet(&self) -> Result<Vec<u8>, Error> {
        let explained = self
            .columns
            .iter()
            .filter(|column| !column.meaning.is_empty());
        let explained = explained.map(|column| {
            let unit = match column.unit {
                "" => String::new(),
                unit => format!(" [{unit}]"),
            };
            (column.name.clone(), format!("{}{unit}", column.meaning))
        });
        let explained: Vec<_> = explained.collect();
        let metadata = (!explained.is_empty()).then(|| KeyValueMetadata::from_static(explained));
        let write = || {
            let mut bytes = Vec::new();
            let writer = ParquetWriter::new(&mut bytes).with_key_value_metadata(metadata);
            writer.finish(&mut self.frame()?)?;
            Ok(bytes)
        };
        write().map_err(|source| self.failed(source))
    }

    fn failed(&self, source: polars::error::PolarsError) -> Error {
        Error::Data {
            title: self.title.clone(),
            source: Box::new(source),
        }
    }

    fn frame(&self) -> PolarsResult<DataFrame> {
        let columns = self.columns.iter().enumerate().map(|(i, column)| {
            let name = match column.group.as_str() {
                "" => column.name.clone(),
                group => format!("{group} {}", column.name),
            };
            let cells = self.rows.iter().map(|row| row.cells[i].bare());
            Series::from(values(&name, cells))
        });
        DataFrame::new(self.rows.len(), columns.collect())
    }
}

/// One column: of the type that all its cells have, else of text.
fn values<'a>(name: &str, cells: impl Iterator<Item = &'a Cell> + Clone) -> Values {
    fn all<'a, T>(
        cells: impl Iterator<Item = &'a Cell>,
        value: impl Fn(&Cell) -> Option<T>,
    ) -> Option<Vec<Option<T>>> {
        cells
            .map(|cell| match cell {
                Cell::Blank | Cell::Missing => Some(None),
                cell => value(cell).map(Some),
            })
            .collect()
    }
    let count = |cell: &Cell| match cell {
        Cell::Count(count) => Some(*count),
        _ => None,
    };
    let number = |cell: &Cell| match cell {
        Cell::Number { value, .. } | Cell::Scientific(value) => Some(*value),
        _ => None,
    };
    let flag = |cell: &Cell| match cell {
        Cell::Flag(flag) => Some(*flag),
        _ => None,
    };
    let text = |cell: &Cell| match cell {
        Cell::Blank | Cell::Missing => None,
        cell => Some(cell.plain()),
    };
    // A column without any value has no type of its own: it becomes text.
    if cells.clone().all(|cell| text(cell).is_none()) {
        return Values::new(name.into(), cells.map(text).collect::<Vec<_>>());
    }
    if let Some(values) = all(cells.clone(), count) {
        return Values::new(name.into(), values);
    }
    if let Some(values) = all(cells.clone(), number) {
        return Values::new(name.into(), values);
    }
    if let Some(values) = all(cells.clone(), flag) {
        return Values::new(name.into(), values);
    }
    Values::new(name.into(), cells.map(text).collect::<Vec<_>>())
}
