//! What can go wrong on the way from records to files.

/// A failure to make or write a report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A table cannot become a data file.
    #[error(
        "cannot make a data file of the table {title:?}: its columns must have different names"
    )]
    Data {
        /// The table.
        title: String,
        /// The data library's answer.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A figure cannot be drawn.
    #[error("cannot draw the figure {title:?}")]
    Draw {
        /// The figure.
        title: String,
        /// The drawing library's answer.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The page cannot be filled in.
    #[error("cannot fill in the page")]
    Page(#[source] minijinja::Error),
    /// A folder cannot be made.
    #[error("cannot make the folder {}: check that its parent exists and may be written, or choose another one", path.display())]
    Folder {
        /// The folder.
        path: std::path::PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A file cannot be written, or a record not be read.
    #[error(transparent)]
    Store(#[from] brink_store::Error),
}
