//! `show`: a grid with its includes, presets, scale and overrides resolved, as YAML that can be run again.

use crate::cli::Chosen;
use crate::exit::Refuse;
use crate::grid::Grid;
use crate::say::say;

/// Prints the grid, including the key of the file. With `origins`, shows where each value comes from.
pub fn run(chosen: &Chosen, origins: bool) -> anyhow::Result<()> {
    let grid = Grid::read(&chosen.config, chosen.scale, &chosen.set).or_refuse()?;
    say!("{}", grid.to_yaml(origins).trim_end());
    Ok(())
}
