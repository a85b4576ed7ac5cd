//! A registry: one static slice that lists every generator, or every attack. The names in grids, the lists of the
//! command line and the table-driven tests come from it. So a new generator takes one file and one line.

use serde_json::Value;

use crate::schema::Shape;

/// One entry of a registry.
pub struct Entry {
    /// Its name in grid files and records.
    pub name: &'static str,
    /// Its title in tables and figures.
    pub title: &'static str,
    /// What it is, in one sentence.
    pub summary: &'static str,
    /// Its fields with their defaults, as JSON. Optional fields that are absent by default are left out.
    pub defaults: fn() -> Value,
    /// The [`Shape`] of its settings at a path.
    pub shape: fn(&[&'static str]) -> Shape,
}

/// Declares `REGISTRY`, a slice of [`Entry`], and `Spec`, an enum with one variant per entry.
///
/// Each line gives a name, a file, the type in that file, a title, and a summary. The type must implement `Default` and the
/// trait. The line also declares the file's `mod` and `pub use`. The method returns a `Spec` as a trait object. The
/// calling crate must depend on serde and serde_json.
#[macro_export]
macro_rules! registry {
    ($trait:ident as $method:ident; $($name:literal $module:ident::$variant:ident, $title:literal, $summary:literal;)*) => {
        $(mod $module; pub use $module::$variant;)*

        /// An entry of [`REGISTRY`] with its settings, as a grid file writes it.
        #[derive(Clone, Debug, PartialEq, ::serde::Serialize, ::serde::Deserialize)]
        pub enum Spec {
            $(#[doc = $summary] #[serde(rename = $name)] $variant($variant),)*
        }

        /// All entries.
        pub static REGISTRY: &[$crate::registry::Entry] = &[$($crate::registry::Entry {
            name: $name,
            title: $title,
            summary: $summary,
            defaults: || ::serde_json::to_value($variant::default()).unwrap_or_default(),
            shape: $crate::schema::shape::<$variant>,
        },)*];

        impl Spec {
            /// Its name.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$variant(_) => $name,)* }
            }

            /// What it does.
            pub fn $method(&self) -> &dyn $trait {
                match self { $(Self::$variant(settings) => settings,)* }
            }
        }
    };
}
