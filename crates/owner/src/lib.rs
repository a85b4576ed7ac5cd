//! What an owner does with a served model, without a command line: [`protect`] it, [`ask`](ask()) it again, and show what was found.
//!
//! The binary `brink` and the Python package are two doors to this crate. It prints nothing and reads no variable.

mod anchors;
mod ask;
mod error;
mod head;
mod history;
mod journal;
mod marks;
mod more;
pub mod noise;
mod page;
pub mod profiles;
mod protect;
mod said;
mod shown;

pub use ask::{Asked, ask};
pub use error::Error;
pub use history::Entry;
pub use journal::Journal;
pub use marks::{check_folder, read, trusted, write};
pub use more::more;
pub use page::page;
pub use protect::{Protected, Step, Wanted, protect};
pub use said::{Said, Strength, Verdict, promised};
pub use shown::Shown;
