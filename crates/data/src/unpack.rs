//! Visits the files in an archive, whatever its format.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::Path;

use flate2::read::GzDecoder;
use zip::ZipArchive;

use crate::Error;

/// A callback for every regular file in an archive. Its arguments are the path in the archive and the contents.
pub(crate) type Visit<'a> = dyn FnMut(&Path, &[u8]) -> Result<(), Error> + 'a;

/// The most bytes that one file in an archive may unpack to. The largest official file has an eighth of this.
const LARGEST: u64 = 1 << 28;

/// An archive may unpack to this many times its length, plus [`SLACK`]. Photographs hardly shrink when they are packed.
const SWELLING: u64 = 20;

/// The extra bytes that an archive may unpack to; needed for archives of a few small files.
const SLACK: u64 = 1 << 20;

/// Visits the files in the archive `file`. Its format depends on the ending of `name`: `.zip`, `.tar.gz` or `.tgz`. A file with
/// any other name is not an archive; it is visited itself. `broken` makes the error for an archive that cannot be read.
pub(crate) fn walk(
    file: &Path,
    name: &str,
    visit: &mut Visit<'_>,
    broken: &dyn Fn(io::Error) -> Error,
) -> Result<(), Error> {
    let packed = || File::open(file).map(BufReader::new).map_err(broken);
    let length = fs::metadata(file).map_err(broken)?.len();
    let mut left = length.saturating_mul(SWELLING).saturating_add(SLACK);
    if name.ends_with(".zip") {
        let damaged = |error: zip::result::ZipError| broken(error.into());
        let mut archive = ZipArchive::new(packed()?).map_err(damaged)?;
        for index in 0..archive.len() {
            let mut entry = archive.by_index(index).map_err(damaged)?;
            let path = entry.name().map_err(damaged)?.into_owned();
            if entry.is_file() {
                visit(
                    Path::new(&path),
                    &whole(&mut entry, &mut left).map_err(broken)?,
                )?;
            }
        }
    } else if name.ends_with(".tar.gz") || name.ends_with(".tgz") {
        let mut archive = tar::Archive::new(GzDecoder::new(packed()?));
        for entry in archive.entries().map_err(broken)? {
            let mut entry = entry.map_err(broken)?;
            let path = entry.path().map_err(broken)?.into_owned();
            if entry.header().entry_type().is_file() {
                visit(&path, &whole(&mut entry, &mut left).map_err(broken)?)?;
            }
        }
    } else {
        visit(Path::new(name), &fs::read(file).map_err(broken)?)?;
    }
    Ok(())
}

/// The contents of a file in an archive. `left` is the number of bytes that may still be unpacked.
fn whole(entry: &mut impl Read, left: &mut u64) -> io::Result<Vec<u8>> {
    let most = LARGEST.min(*left);
    let mut contents = Vec::new();
    entry.take(most + 1).read_to_end(&mut contents)?;
    *left = left.saturating_sub(contents.len() as u64);
    if contents.len() as u64 > most {
        return Err(io::Error::other(
            "it unpacks to more data than photographs need",
        ));
    }
    Ok(contents)
}
