//! The query of a list call: fields, filters, order, page.

use std::cmp::Ordering;

use serde_json::Value;

use super::request::Request;
use super::rows::Row;

/// What a list call asks for.
#[derive(Clone, Debug)]
pub struct Query {
    /// Names, `*`, or `table.field` of a child table.
    pub fields: Vec<String>,
    /// All must hold.
    pub filters: Vec<Filter>,
    /// Fields and whether descending, the first counting most.
    pub order: Vec<(String, bool)>,
    /// 0 is no limit.
    pub limit: usize,
    /// Rows to skip.
    pub start: usize,
}

/// One condition.
#[derive(Clone, Debug)]
pub struct Filter {
    field: String,
    operator: String,
    value: Value,
}

impl Query {
    /// Reads the parameters; both the names of v1 and those of v2.
    pub fn of(request: &Request) -> Self {
        let number = |names: [&str; 2], default| {
            let text = names.iter().find_map(|name| request.value(name));
            text.and_then(|text| text.parse().ok()).unwrap_or(default)
        };
        let fields = match request.json_value("fields") {
            Some(Value::Array(items)) => items.iter().filter_map(|item| item.as_str().map(clean)).collect(),
            Some(Value::String(field)) => vec![clean(&field)],
            _ => vec!["name".to_owned()],
        };
        let order = request.value("order_by").unwrap_or_else(|| "name".to_owned());
        let order = order.split(',').map(|text| {
            let mut words = text.split_whitespace();
            let field = clean(words.next().unwrap_or("name"));
            (field, words.next().is_some_and(|word| word.eq_ignore_ascii_case("desc")))
        });
        Self {
            fields,
            filters: request.json_value("filters").map(filters).unwrap_or_default(),
            order: order.collect(),
            limit: number(["limit_page_length", "limit"], 20),
            start: number(["limit_start", "start"], 0),
        }
    }

    /// Whether the row fulfils all filters.
    pub fn admits(&self, row: &Row) -> bool {
        self.filters.iter().all(|filter| filter.admits(row))
    }

    /// The order of two rows; by name where none is asked for.
    pub fn compare(&self, a: &Row, b: &Row) -> Ordering {
        let orders = self.order.iter().map(|(field, descending)| {
            let order = compare(&a.value(field), &b.value(field));
            if *descending { order.reverse() } else { order }
        });
        orders.fold(Ordering::Equal, Ordering::then)
    }
}

impl Filter {
    fn admits(&self, row: &Row) -> bool {
        // A field of a child table holds if it holds for one of its rows.
        let candidates = row.candidates(&self.field);
        let equal = |value: &Value| candidates.iter().any(|has| compare(has, value) == Ordering::Equal);
        let ordered = |wanted: &[Ordering]| {
            candidates.iter().any(|has| !has.is_null() && wanted.contains(&compare(has, &self.value)))
        };
        let list = || match &self.value {
            Value::Array(items) => items.clone(),
            Value::String(text) => text.split(',').map(|part| part.trim().into()).collect(),
            other => vec![other.clone()],
        };
        match self.operator.as_str() {
            "=" => equal(&self.value),
            "!=" => !equal(&self.value),
            ">" => ordered(&[Ordering::Greater]),
            "<" => ordered(&[Ordering::Less]),
            ">=" => ordered(&[Ordering::Greater, Ordering::Equal]),
            "<=" => ordered(&[Ordering::Less, Ordering::Equal]),
            "in" => list().iter().any(equal),
            "not in" => !list().iter().any(equal),
            "like" => candidates.iter().any(|has| like(&text(has), &text(&self.value))),
            "not like" => !candidates.iter().any(|has| like(&text(has), &text(&self.value))),
            "is" => {
                let set = candidates.iter().any(|has| !text(has).is_empty());
                set == (text(&self.value) == "set")
            }
            _ => false,
        }
    }
}

fn filters(value: Value) -> Vec<Filter> {
    match value {
        Value::String(name) => {
            vec![Filter { field: "name".to_owned(), operator: "=".to_owned(), value: name.into() }]
        }
        Value::Object(map) => map
            .into_iter()
            .map(|(field, value)| match value {
                Value::Array(pair) if pair.len() == 2 => {
                    let operator = text(&pair[0]).to_lowercase();
                    Filter { field: clean(&field), operator, value: pair[1].clone() }
                }
                value => Filter { field: clean(&field), operator: "=".to_owned(), value },
            })
            .collect(),
        Value::Array(items) => items.iter().filter_map(condition).collect(),
        _ => Vec::new(),
    }
}

/// `[field, operator, value]`, `[field, value]` or `[doctype, field, operator, value]`.
fn condition(item: &Value) -> Option<Filter> {
    let parts = item.as_array()?;
    let (field, operator, value) = match parts.len() {
        2 => (&parts[0], "=".to_owned(), &parts[1]),
        3 => (&parts[0], text(&parts[1]), &parts[2]),
        4 => (&parts[1], text(&parts[2]), &parts[3]),
        _ => return None,
    };
    let (field, operator) = (clean(&text(field)), operator.to_lowercase());
    Some(Filter { field, operator, value: value.clone() })
}

/// Field names may come as `` `tabUser`.`name` ``.
fn clean(field: &str) -> String {
    let field = field.replace('`', "");
    match field.split_once('.') {
        Some((table, rest)) if table.starts_with("tab") => rest.to_owned(),
        _ => field,
    }
}

/// As MariaDB compares: numbers as numbers, texts without regard to case.
fn compare(a: &Value, b: &Value) -> Ordering {
    let number = |value: &Value| value.as_f64().or_else(|| text(value).parse().ok());
    if (a.is_number() || b.is_number())
        && let (Some(a), Some(b)) = (number(a), number(b))
    {
        return a.total_cmp(&b);
    }
    text(a).to_lowercase().cmp(&text(b).to_lowercase())
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(flag) => u8::from(*flag).to_string(),
        other => other.to_string(),
    }
}

/// SQL's `like` with `%` only.
fn like(text: &str, pattern: &str) -> bool {
    let (text, pattern) = (text.to_lowercase(), pattern.to_lowercase());
    let parts: Vec<&str> = pattern.split('%').collect();
    if parts.len() == 1 {
        return text == pattern;
    }
    let (first, last) = (parts[0], parts[parts.len() - 1]);
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    for part in &parts[1..parts.len() - 1] {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}
