//! Walks through the files in an archive, whatever it is packed with.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::Path;

use flate2::read::GzDecoder;
use zip::ZipArchive;

use crate::Error;

/// Is called with every regular file in an archive: its path in there and its contents.
pub(crate) type Visit<'a> = dyn FnMut(&Path, &[u8]) -> Result<(), Error> + 'a;

/// Visits the files in `file`, an archive that is called `name`: `.zip`, `.tar.gz` or `.tgz`. Any other name is that of a
/// file which is not packed: this is the one file in it. `broken` makes the error of an archive that cannot be read.
pub(crate) fn walk(
    file: &Path,
    name: &str,
    visit: &mut Visit<'_>,
    broken: &dyn Fn(io::Error) -> Error,
) -> Result<(), Error> {
    let packed = || File::open(file).map(BufReader::new).map_err(broken);
    if name.ends_with(".zip") {
        let damaged = |error: zip::result::ZipError| broken(error.into());
        let mut archive = ZipArchive::new(packed()?).map_err(damaged)?;
        for index in 0..archive.len() {
            let mut entry = archive.by_index(index).map_err(damaged)?;
            let path = entry.name().map_err(damaged)?.into_owned();
            if entry.is_file() {
                visit(Path::new(&path), &whole(&mut entry).map_err(broken)?)?;
            }
        }
    } else if name.ends_with(".tar.gz") || name.ends_with(".tgz") {
        let mut archive = tar::Archive::new(GzDecoder::new(packed()?));
        for entry in archive.entries().map_err(broken)? {
            let mut entry = entry.map_err(broken)?;
            let path = entry.path().map_err(broken)?.into_owned();
            if entry.header().entry_type().is_file() {
                visit(&path, &whole(&mut entry).map_err(broken)?)?;
            }
        }
    } else {
        visit(Path::new(name), &fs::read(file).map_err(broken)?)?;
    }
    Ok(())
}

fn whole(entry: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut contents = Vec::new();
    entry.read_to_end(&mut contents)?;
    Ok(contents)
}
