//! The fields of a mapping in a grid file: names, defaults, and what they may hold.

use brink_config::plain;
use brink_config::schema::{Shape, shape};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::tell;
use crate::say::say;

/// The shapes of one type by path, and the fields that have their own sections.
pub struct Section(
    pub fn(&[&'static str]) -> Shape,
    pub &'static [&'static str],
);

/// The fields of a mapping, in the order of the type.
pub struct Fields(Vec<(&'static str, Content)>);

/// What a field may hold.
enum Content {
    /// Another section says it.
    Elsewhere,
    /// More fields.
    Fields(Fields),
    /// A value: its default, and a description.
    Value(Value, String),
}

impl Section {
    /// The section of a type.
    pub fn of<T: DeserializeOwned>(elsewhere: &'static [&'static str]) -> Self {
        Self(shape::<T>, elsewhere)
    }

    /// Its fields with these defaults.
    pub fn fields(&self, defaults: &Value) -> Fields {
        self.fields_at(defaults, &mut Vec::new())
    }

    fn fields_at(&self, defaults: &Value, path: &mut Vec<&'static str>) -> Fields {
        let Shape::Fields(names) = (self.0)(path) else {
            return Fields(Vec::new());
        };
        let fields = names.iter().map(|&name| {
            path.push(name);
            let default = &defaults[name];
            let content = match (self.0)(path) {
                _ if self.1.contains(&name) => Content::Elsewhere,
                Shape::Fields(_) => Content::Fields(self.fields_at(default, path)),
                shape => Content::Value(default.clone(), self.holds(shape, path)),
            };
            path.pop();
            (name, content)
        });
        Fields(fields.collect())
    }

    /// Describes in one line what `shape`, the shape at `path`, may hold.
    fn holds(&self, shape: Shape, path: &mut Vec<&'static str>) -> String {
        match shape {
            Shape::Nothing => "nothing".to_owned(),
            Shape::Value(words) => words,
            Shape::Fields(names) => format!("{{{}}}", names.join(", ")),
            Shape::OneOf(names) => {
                let choices = names.iter().map(|name| {
                    path.push(name);
                    let content = (self.0)(path);
                    let choice = match content {
                        Shape::Nothing => (*name).to_owned(),
                        content => format!("{name}: {}", self.holds(content, path)),
                    };
                    path.pop();
                    choice
                });
                choices.collect::<Vec<_>>().join(" | ")
            }
        }
    }
}

impl Fields {
    /// Prints each with its default and what it may hold.
    pub fn print(&self, indent: usize) {
        for (name, content) in &self.0 {
            match content {
                Content::Elsewhere => tell(&format!("{:indent$}{name}: as below", "")),
                Content::Fields(fields) => {
                    say!("{:indent$}{name}:", "");
                    fields.print(indent + 2);
                }
                Content::Value(default, holds) => {
                    tell(&format!(
                        "{:indent$}{name}: {}  # {holds}",
                        "",
                        text(default)
                    ));
                }
            }
        }
    }

    /// Prints them as YAML. Fields without a default are comments.
    pub fn print_as_yaml(&self, indent: usize) {
        for (name, content) in &self.0 {
            match content {
                Content::Fields(fields) if fields.have_a_default() => {
                    say!("{:indent$}{name}:", "");
                    fields.print_as_yaml(indent + 2);
                }
                Content::Value(Value::Null, holds) => {
                    say!("{:indent$}# {name}: not set  # {holds}", "");
                }
                Content::Value(default, holds) => {
                    say!("{:indent$}{name}: {}  # {holds}", "", text(default));
                }
                _ => say!("{:indent$}# {name}: not set", ""),
            }
        }
    }

    fn have_a_default(&self) -> bool {
        self.0.iter().any(|(_, content)| match content {
            Content::Elsewhere => false,
            Content::Fields(fields) => fields.have_a_default(),
            Content::Value(default, _) => !default.is_null(),
        })
    }

    /// The fields by name.
    pub fn json(&self) -> Value {
        let fields = self.0.iter().map(|(name, content)| {
            let content = match content {
                Content::Elsewhere => json!("as in its own section"),
                Content::Fields(fields) => fields.json(),
                Content::Value(default, holds) => json!({"default": default, "holds": holds}),
            };
            ((*name).to_owned(), content)
        });
        Value::Object(fields.collect::<Map<_, _>>())
    }
}

/// A default as in a grid file.
fn text(default: &Value) -> String {
    match default {
        Value::Null => "not set".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) => plain(number.as_f64().unwrap_or_default()),
        other => other.to_string(),
    }
}
