//! The TOML text as a tree of values whose lines are known by path, and every key of it that does not fit a type.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use toml::{
    Table, Value,
    de::{DeTable, DeValue},
};

use super::problem::{Problem, Problems};

/// One step from a value into it.
#[derive(Clone, Debug)]
enum Step {
    Key(String),
    Index(usize),
}

/// The path of a key as problems name it.
fn path_of(steps: &[Step]) -> String {
    let mut path = String::new();
    for step in steps {
        match step {
            Step::Key(key) if path.is_empty() => path.push_str(key),
            Step::Key(key) => path.extend([".", key]),
            Step::Index(index) => path.extend(["[", &index.to_string(), "]"]),
        }
    }
    path
}

/// A parsed text.
pub(super) struct Document {
    values: Table,
    lines: BTreeMap<String, usize>,
}

impl Document {
    /// Takes the text apart; every breach of TOML's grammar is reported.
    pub(super) fn parse(text: &str) -> Result<Self, Problems> {
        let line_at = |offset: usize| 1 + text.bytes().take(offset).filter(|b| *b == b'\n').count();
        let (spanned, errors) = DeTable::parse_recoverable(text);
        let broken = |errors: &[toml::de::Error]| {
            let problem = |error: &toml::de::Error| Problem {
                path: String::new(),
                line: error.span().map(|span| line_at(span.start)),
                message: format!("not TOML: {}", error.message()),
            };
            Problems::new(errors.iter().map(problem).collect())
        };
        if !errors.is_empty() {
            return Err(broken(&errors));
        }
        let values = toml::from_str(text).map_err(|error| broken(&[error]))?;
        let mut lines = BTreeMap::new();
        note_lines(spanned.get_ref(), &mut Vec::new(), &line_at, &mut lines);
        Ok(Self { values, lines })
    }

    /// The line of the key, or of the nearest thing around it.
    pub(super) fn line(&self, path: &str) -> Option<usize> {
        let mut path = path;
        loop {
            if let Some(line) = self.lines.get(path) {
                return Some(*line);
            }
            path = path.get(..path.rfind(['.', '['])?)?;
        }
    }

    /// Whether the text has the key.
    pub(super) fn has(&self, path: &str) -> bool {
        self.lines.contains_key(path)
    }

    /// Takes the document as a `T`, every key of which has a default. Keys that do not fit are reported, each by
    /// itself, and left out.
    pub(super) fn read<T: DeserializeOwned + Default>(&self) -> (T, Vec<Problem>) {
        let (mut problems, mut sound) = (Vec::new(), self.values.clone());
        for (steps, message) in misfits::<T>(&mut Vec::new(), &Value::Table(self.values.clone())) {
            let path = path_of(&steps);
            problems.push(Problem { line: self.line(&path), path, message });
            remove(&mut sound, &steps);
        }
        match Value::Table(sound).try_into() {
            Ok(read) => (read, problems),
            Err(error) => {
                // Keys that fit one by one and not together: a type whose parts depend on each other.
                problems.push(Problem { path: String::new(), line: None, message: error.message().to_owned() });
                (T::default(), problems)
            }
        }
    }
}

fn note_lines(
    table: &DeTable<'_>,
    at: &mut Vec<Step>,
    line_at: &impl Fn(usize) -> usize,
    lines: &mut BTreeMap<String, usize>,
) {
    for (key, value) in table {
        at.push(Step::Key(key.get_ref().to_string()));
        lines.insert(path_of(at), line_at(key.span().start));
        note_lines_of_value(value.get_ref(), at, line_at, lines);
        at.pop();
    }
}

fn note_lines_of_value(
    value: &DeValue<'_>,
    at: &mut Vec<Step>,
    line_at: &impl Fn(usize) -> usize,
    lines: &mut BTreeMap<String, usize>,
) {
    match value {
        DeValue::Table(table) => note_lines(table, at, line_at, lines),
        DeValue::Array(array) => {
            for (index, element) in array.iter().enumerate() {
                at.push(Step::Index(index));
                lines.insert(path_of(at), line_at(element.span().start));
                note_lines_of_value(element.get_ref(), at, line_at, lines);
                at.pop();
            }
        }
        _ => {}
    }
}

/// The innermost values within `value` that do not fit a `T` when they stand there alone.
fn misfits<T: DeserializeOwned>(at: &mut Vec<Step>, value: &Value) -> Vec<(Vec<Step>, String)> {
    let Some(message) = misfit::<T>(at, value.clone()) else { return Vec::new() };
    let mut inner = Vec::new();
    match value {
        Value::Table(table) if misfit::<T>(at, Value::Table(Table::new())).is_none() => {
            for (key, value) in table {
                at.push(Step::Key(key.clone()));
                inner.extend(misfits::<T>(at, value));
                at.pop();
            }
        }
        Value::Array(array) if misfit::<T>(at, Value::Array(Vec::new())).is_none() => {
            for (index, value) in array.iter().enumerate() {
                at.push(Step::Index(index));
                inner.extend(misfits::<T>(at, value));
                at.pop();
            }
        }
        _ => {}
    }
    if inner.is_empty() { vec![(at.clone(), message)] } else { inner }
}

/// What is said of a document that has this value alone.
fn misfit<T: DeserializeOwned>(at: &[Step], value: Value) -> Option<String> {
    let document = at.iter().rev().fold(value, |inner, step| match step {
        Step::Key(key) => Value::Table(Table::from_iter([(key.clone(), inner)])),
        Step::Index(_) => Value::Array(vec![inner]),
    });
    document.try_into::<T>().err().map(|error| for_people(error.message()))
}

/// serde's words, where they are for programmers.
fn for_people(message: &str) -> String {
    let unknown = message.strip_prefix("unknown field ").and_then(|rest| rest.split_once(", expected "));
    match unknown {
        Some((_, keys)) => {
            let keys = keys.trim_start_matches("one of ").replace('`', "");
            format!("there is no such key here; there are: {keys}")
        }
        None => message.to_owned(),
    }
}

/// Takes the key out that the steps lead to; of an element the whole list, so that no other changes its place.
fn remove(table: &mut Table, steps: &[Step]) {
    let Some((Step::Key(key), rest)) = steps.split_first() else { return };
    if !rest.iter().any(|step| matches!(step, Step::Key(_))) {
        table.remove(key);
        return;
    }
    let (mut value, mut rest) = (table.get_mut(key), rest);
    while let Some((Step::Index(index), further)) = rest.split_first() {
        value = value.and_then(|list| list.get_mut(*index));
        rest = further;
    }
    if let Some(Value::Table(inner)) = value {
        remove(inner, rest);
    }
}
