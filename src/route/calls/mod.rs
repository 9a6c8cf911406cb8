//! Methods of ERPNext that reach any doctype, named by a parameter: to which documents a call of one leads, and by which
//! HTTP method one would do the same under `/api/resource`. What is not in the table stands under its own name alone.

#[cfg(test)]
mod tests;

use http::Method;
use serde_json::{Map, Value};

use super::parameters::{Parameters, Said, object};

/// Where a call leads.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Reached {
    /// To these.
    pub(super) documents: Vec<Document>,
    /// To these methods, as if they were called by their names.
    pub(super) methods: Vec<String>,
    /// And where else?
    pub(super) else_where: Elsewhere,
}

/// What a call does to a document.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Document {
    pub(super) method: Method,
    pub(super) doctype: String,
    pub(super) name: Name,
}

/// Which document of a doctype.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Name {
    /// None in particular: a list, a count, a new one.
    None,
    Known(String),
    Unknown,
}

/// Whether a call may lead to documents that we don't know of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Elsewhere {
    #[default]
    No,
    /// No doctype is named, or several where one is meant.
    Unclear,
    /// A parameter can't be read that ERPNext may be able to read.
    Unreadable,
}

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    Read,
    Insert,
    Write,
    /// Writes, and makes what is new.
    Save,
    Delete,
    /// Gives another name: the old one is gone.
    Rename,
}

/// How a call names its documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// By `doctype`, all of it.
    Doctype,
    /// By `doctype`, and several names in a parameter that is not looked at.
    Names,
    /// By `doctype` and the parameter of this name.
    Name(&'static str),
    /// By a document in this parameter, as an object or as JSON text.
    Document(&'static str),
    /// By a list of documents in `docs`.
    Documents,
    /// By `dt` and `dn`, or by a document in `docs` or `document`.
    Called,
}

use By::{Called, Doctype, Documents, Names};
use Does::{Delete, Insert, Read, Rename, Save, Write};

/// In the order of their names.
const CALLS: &[(&str, Does, By)] = &[
    ("frappe.api.v2.run_doc_method", Write, Called),
    ("frappe.client.attach_file", Write, By::Name("docname")),
    ("frappe.client.bulk_update", Write, Documents),
    ("frappe.client.cancel", Write, By::Name("name")),
    ("frappe.client.delete", Delete, By::Name("name")),
    ("frappe.client.get", Read, By::Name("name")),
    ("frappe.client.get_count", Read, Doctype),
    ("frappe.client.get_doc_permissions", Read, By::Name("docname")),
    ("frappe.client.get_list", Read, Doctype),
    ("frappe.client.get_single_value", Read, Doctype),
    ("frappe.client.get_value", Read, Doctype),
    ("frappe.client.has_permission", Read, By::Name("docname")),
    ("frappe.client.insert", Insert, By::Document("doc")),
    ("frappe.client.insert_many", Insert, Documents),
    ("frappe.client.is_document_amended", Read, By::Name("docname")),
    ("frappe.client.rename_doc", Rename, By::Name("old_name")),
    ("frappe.client.save", Save, By::Document("doc")),
    ("frappe.client.set_value", Write, By::Name("name")),
    ("frappe.client.submit", Save, By::Document("doc")),
    ("frappe.client.validate_link", Read, By::Name("docname")),
    ("frappe.desk.doctype.bulk_update.bulk_update.submit_cancel_or_update_docs", Write, Names),
    ("frappe.desk.form.load.get_docinfo", Read, By::Name("name")),
    ("frappe.desk.form.load.getdoc", Read, By::Name("name")),
    ("frappe.desk.form.load.getdoctype", Read, Doctype),
    ("frappe.desk.form.save.cancel", Write, By::Name("name")),
    ("frappe.desk.form.save.discard", Write, By::Name("name")),
    ("frappe.desk.form.save.savedocs", Save, By::Document("doc")),
    ("frappe.desk.reportview.delete_items", Delete, Names),
    ("frappe.desk.reportview.export_query", Read, Doctype),
    ("frappe.desk.reportview.get", Read, Doctype),
    ("frappe.desk.reportview.get_count", Read, Doctype),
    ("frappe.desk.reportview.get_filter_dashboard_data", Read, Doctype),
    ("frappe.desk.reportview.get_list", Read, Doctype),
    ("frappe.desk.reportview.get_sidebar_stats", Read, Doctype),
    ("frappe.desk.reportview.get_stats", Read, Doctype),
    ("frappe.desk.search.get_link_title", Read, By::Name("docname")),
    ("frappe.desk.search.search_link", Read, Doctype),
    ("frappe.desk.search.search_widget", Read, Doctype),
    ("frappe.handler.run_doc_method", Write, Called),
    ("frappe.handler.runserverobj", Write, Called),
    ("frappe.model.rename_doc.update_document_title", Rename, By::Name("docname")),
    ("run_doc_method", Write, Called),
    ("runserverobj", Write, Called),
];

/// Methods that tell something and lead to no documents.
const HARMLESS: [&str; 6] =
    ["frappe.auth.get_logged_user", "frappe.handler.ping", "frappe.handler.version", "frappe.ping", "ping", "version"];
/// It reads, and may have a job send what it has read.
const EXPORT: &str = "frappe.desk.reportview.export_query";

/// The methods that take a file, and may hand it to the method that `method` names.
const UPLOADS: [&str; 3] = ["upload_file", "frappe.handler.upload_file", "frappe.api.v2.upload_file"];

fn find(method: &str) -> Option<(Does, By)> {
    let at = CALLS.binary_search_by(|(name, ..)| (*name).cmp(method)).ok()?;
    CALLS.get(at).map(|(_, does, by)| (*does, *by))
}

/// Whether the parameters of a call of this method tell where it leads.
pub(super) fn leads_on(method: &str) -> bool {
    find(method).is_some()
}

/// Whether a call of this method by GET is known to change nothing. Of any other method that can't be told: it may commit by
/// itself, send a mail, or leave work to a job.
pub(super) fn only_reads(method: &str, parameters: &Parameters<'_>) -> bool {
    let reads = |method: &str| {
        HARMLESS.contains(&method) || (method != EXPORT && find(method).is_some_and(|(does, _)| does == Does::Read))
    };
    let leads_to = reached(method, parameters).map(|reached| reached.methods).unwrap_or_default();
    reads(method) && leads_to.iter().all(|method| reads(method))
}

/// Whether `name` is a function of this name in the module of the doctype's class.
pub(super) fn is_beside(name: &str, doctype: &str, method: &str) -> bool {
    let module = doctype.trim_end().replace([' ', '-'], "_").to_ascii_lowercase();
    let ending = format!(".doctype.{module}.{module}.{method}");
    name.to_ascii_lowercase().ends_with(&ending.to_ascii_lowercase())
}

/// The method of the table that is this function beside the class of this doctype.
pub(super) fn beside(doctype: &str, method: &str) -> Option<&'static str> {
    CALLS.iter().map(|(name, ..)| *name).find(|name| is_beside(name, doctype, method))
}

/// Whether it takes a file.
pub(super) fn is_upload(method: &str) -> bool {
    UPLOADS.contains(&method)
}

/// Where a call leads; `None` for a method that is not in the table.
pub(super) fn reached(method: &str, parameters: &Parameters<'_>) -> Option<Reached> {
    if is_upload(method) {
        return Some(Reached { methods: parameters.texts("method"), ..Reached::default() });
    }
    let (does, by) = find(method)?;
    let mut reached = Reached::default();
    match by {
        By::Doctype => reached.add_named(does, parameters, "doctype", None),
        By::Names => reached.add_named(does, parameters, "doctype", Some("")),
        By::Name(name) => reached.add_named(does, parameters, "doctype", Some(name)),
        By::Document(name) => reached.add_document(does, parameters.said(name)),
        By::Documents => reached.add_documents(does, parameters.said("docs")),
        By::Called => reached.add_called(does, parameters),
    }
    match method {
        // It sets what an object in place of the field's name says: a doctype too.
        "frappe.client.set_value" => reached.add_switched(parameters.said("fieldname")),
        // A method of the caller's choice searches.
        "frappe.desk.search.search_link" | "frappe.desk.search.search_widget" => {
            reached.methods = parameters.texts("query");
        }
        _ => {}
    }
    Some(reached)
}

impl Reached {
    fn lose(&mut self, how: Elsewhere) {
        self.else_where = self.else_where.max(how);
    }

    fn add(&mut self, does: Does, doctype: &str, name: &Name) {
        let mut add = |method, name: &Name| {
            self.documents.push(Document { method, doctype: doctype.to_owned(), name: name.clone() });
        };
        match does {
            Does::Read => add(Method::GET, name),
            Does::Insert => add(Method::POST, &Name::None),
            Does::Write | Does::Save => add(Method::PUT, name),
            Does::Delete => add(Method::DELETE, name),
            Does::Rename => {
                add(Method::PUT, name);
                add(Method::DELETE, name);
            }
        }
    }

    /// `name`: the parameter with the document's name; one without a name has several.
    fn add_named(&mut self, does: Does, parameters: &Parameters<'_>, doctype: &str, name: Option<&str>) {
        let named = match name.map(|name| parameters.said(name)) {
            None => Name::None,
            Some(Said::One(Value::String(name))) if !name.is_empty() => Name::Known(name),
            Some(_) => Name::Unknown,
        };
        let said = parameters.said(doctype);
        if !matches!(said, Said::One(_)) {
            self.lose(Elsewhere::Unclear);
        }
        for value in said.values() {
            match value {
                Value::String(doctype) if !doctype.is_empty() => self.add(does, &doctype, &named),
                Value::String(_) | Value::Null => self.lose(Elsewhere::Unclear),
                Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                    self.lose(Elsewhere::Unreadable);
                }
            }
        }
    }

    fn add_document(&mut self, does: Does, said: Said) {
        if !matches!(said, Said::One(_)) {
            self.lose(Elsewhere::Unclear);
        }
        for value in said.values() {
            match object(value) {
                Some(Value::Object(document)) => self.add_object(does, &document),
                Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
                    self.lose(Elsewhere::Unclear);
                }
                Some(Value::Array(_)) | None => self.lose(Elsewhere::Unreadable),
            }
        }
    }

    fn add_documents(&mut self, does: Does, said: Said) {
        if !matches!(said, Said::One(_)) {
            self.lose(Elsewhere::Unclear);
        }
        for value in said.values() {
            match object(value) {
                Some(Value::Array(documents)) => {
                    for document in documents {
                        self.add_document(does, Said::One(document));
                    }
                }
                Some(_) | None => self.lose(Elsewhere::Unreadable),
            }
        }
    }

    fn add_called(&mut self, does: Does, parameters: &Parameters<'_>) {
        let in_object: Vec<_> = ["docs", "document"].into_iter().filter(|name| parameters.has(name)).collect();
        if parameters.has("dt") || in_object.is_empty() {
            self.add_named(does, parameters, "dt", Some("dn"));
        }
        for name in in_object {
            self.add_document(does, parameters.said(name));
        }
    }

    fn add_object(&mut self, does: Does, document: &Map<String, Value>) {
        let text = |name: &str| document.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let name = text("name").or_else(|| text("docname"));
        // Where `docname` names the document ERPNext loads that one, and saves it under `name`.
        if let (Some(doctype), Some(docname)) = (text("doctype"), document.get("docname").filter(|it| !it.is_null())) {
            let loaded = docname.as_str().map_or(Name::Unknown, |docname| Name::Known(docname.to_owned()));
            self.add(does, doctype, &loaded);
        }
        // ERPNext inserts what has no name or says that it is new.
        let says_new = !matches!(document.get("__islocal"), None | Some(Value::Null | Value::Bool(false)));
        let new = does == Does::Save && (name.is_none() || says_new);
        match text("doctype") {
            Some(doctype) => {
                self.add(does, doctype, &name.map_or(Name::Unknown, |name| Name::Known(name.to_owned())));
                if new {
                    self.add(Does::Insert, doctype, &Name::None);
                }
            }
            None if document.get("doctype").is_none_or(Value::is_null) => self.lose(Elsewhere::Unclear),
            None => self.lose(Elsewhere::Unreadable),
        }
        self.add_parent(document);
    }

    /// A row of a table is written with the document that it belongs to.
    pub(super) fn add_parent(&mut self, document: &Map<String, Value>) {
        match document.get("parenttype") {
            None | Some(Value::Null) => {}
            Some(Value::String(doctype)) if doctype.is_empty() => {}
            Some(Value::String(doctype)) => self.add(Does::Write, doctype, &Name::Unknown),
            Some(_) => self.lose(Elsewhere::Unreadable),
        }
    }

    fn add_switched(&mut self, said: Said) {
        for value in said.values() {
            match object(value) {
                Some(Value::Object(values)) => self.add_changed(&values, None),
                Some(_) => {}
                None => self.lose(Elsewhere::Unreadable),
            }
        }
    }

    /// Values that are set on a document of `known`, or of any doctype: they may make it one of another doctype or name.
    pub(super) fn add_changed(&mut self, values: &Map<String, Value>, known: Option<(&str, &str)>) {
        let is_known = |key: &str, text: &str| match known {
            Some((doctype, name)) => text == if key == "doctype" { doctype } else { name },
            None => false,
        };
        for key in ["doctype", "name"] {
            match values.get(key) {
                None | Some(Value::Null) => {}
                Some(Value::String(text)) if is_known(key, text) => {}
                Some(Value::String(text)) if key == "doctype" => self.add(Does::Write, text, &Name::Unknown),
                Some(Value::String(text)) => {
                    if let Some((doctype, _)) = known {
                        self.add(Does::Write, doctype, &Name::Known(text.clone()));
                    }
                }
                Some(_) => self.lose(Elsewhere::Unreadable),
            }
        }
        self.add_parent(values);
    }
}
