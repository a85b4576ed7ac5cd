//! `show`: a grid as it is after includes, presets, scale and changes, in YAML that can be run again.

use crate::cli::Chosen;
use crate::exit::Refuse;
use crate::grid::Grid;
use crate::say::say;

/// Prints the grid, its key as the file has it; with the origin of each value, if wanted.
pub fn run(chosen: &Chosen, origins: bool) -> anyhow::Result<()> {
    let grid = Grid::read(&chosen.config, chosen.scale, &chosen.set).or_refuse()?;
    say!("{}", grid.to_yaml(origins).trim_end());
    Ok(())
}
