//! One static slice that names every generator, or every attack: the grid's names, the command line's lists and the
//! table-driven tests come from it, so adding one is one file and one line.

use serde_json::Value;

use crate::schema::Shape;

/// One entry of a registry.
pub struct Entry {
    /// Its name in configurations and records.
    pub name: &'static str,
    /// Its title in tables and figures.
    pub title: &'static str,
    /// What it is, in a sentence.
    pub summary: &'static str,
    /// Its fields with their defaults; without those that may be absent and are.
    pub defaults: fn() -> Value,
    /// What its settings are read from, by path.
    pub shape: fn(&[&'static str]) -> Shape,
}

/// Declares `REGISTRY`, a slice of [`Entry`], and `Spec`, the enum that a grid file names its variants by.
///
/// Each line is a name, a file and the type in it, with defaults, that implements the trait, and a summary; the line is the
/// file's `mod` and `pub use`, too. The method gives the trait object of a `Spec`. The crate that calls it depends on serde and
/// serde_json.
#[macro_export]
macro_rules! registry {
    ($trait:ident as $method:ident; $($name:literal $module:ident::$variant:ident, $title:literal, $summary:literal;)*) => {
        $(mod $module; pub use $module::$variant;)*

        /// One of the [`REGISTRY`] with its settings, as a configuration names it.
        #[derive(Clone, Debug, PartialEq, ::serde::Serialize, ::serde::Deserialize)]
        pub enum Spec {
            $(#[doc = $summary] #[serde(rename = $name)] $variant($variant),)*
        }

        /// All that can be named.
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
