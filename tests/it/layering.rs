//! The direction of the code: a part names only what is to its left, and each library has its owners.

use std::{
    fs,
    path::{Path, PathBuf},
};

use regex::Regex;

/// From low to high.
const PARTS: [&str; 19] = [
    "clock",
    "http1",
    "random",
    "secret",
    "telemetry",
    "oauth",
    "config",
    "fetch",
    "route",
    "store",
    "erpnext",
    "issuer",
    "access",
    "backchannel",
    "endpoints",
    "proxy",
    "server",
    "cli",
    "fuzzing",
];
/// One writes grants, the other reads them.
const STRANGERS: [(&str, &str); 2] = [("issuer", "access"), ("access", "issuer")];
const OWNERS: [(&str, &[&str]); 6] = [
    ("pingora", &["proxy", "server"]),
    ("rusqlite", &["store"]),
    ("moka", &["access", "erpnext", "endpoints", "fetch"]),
    ("reqwest", &["erpnext", "backchannel", "fetch"]),
    ("anyhow", &["server", "cli", "main"]),
    ("jsonwebtoken", &["oauth", "issuer"]),
];

/// The packages; each has its lints for all that is built from it: library, program, examples, benches, tests.
const PACKAGES: [&str; 2] = ["Cargo.toml", "benches/bare-pingora/Cargo.toml"];

/// The code without its comments.
fn code(text: &str) -> String {
    let comment = Regex::new(r"(?m)^\s*//.*$|\s//[ /!].*$").expect("a pattern");
    comment.replace_all(text, "").into_owned()
}

/// The parts that the code names, alone or in a group.
fn named(code: &str) -> Vec<String> {
    let at = Regex::new(r"\bcrate::(\{|[a-z_0-9]+)").expect("a pattern");
    let mut names = Vec::new();
    for found in at.captures_iter(code) {
        let start = found.get(1).expect("the group is there");
        if start.as_str() == "{" {
            names.extend(group(&code[start.end()..]));
        } else {
            names.push(start.as_str().to_owned());
        }
    }
    names
}

/// The first words of a group's members.
fn group(code: &str) -> Vec<String> {
    let (mut names, mut depth, mut word) = (Vec::new(), 0, String::new());
    let mut begins = true;
    for letter in code.chars() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => begins = true,
            _ if depth == 0 && begins && (letter.is_ascii_lowercase() || letter == '_') => word.push(letter),
            _ if depth == 0 && begins && !word.is_empty() => begins = false,
            _ => {}
        }
        if !begins || letter == ',' {
            names.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty()));
        }
    }
    names.extend(Some(word).filter(|word| !word.is_empty()));
    names
}

/// Every source file with the part that it belongs to.
fn files() -> Vec<(String, PathBuf, String)> {
    fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    walk(&source, &mut paths);
    let part = |path: &Path| {
        let first = path.strip_prefix(&source).ok().and_then(|path| path.components().next());
        first.map(|first| first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()).expect("a part")
    };
    paths.into_iter().map(|path| (part(&path), path.clone(), code(&fs::read_to_string(path).expect("text")))).collect()
}

fn rank(part: &str) -> Option<usize> {
    PARTS.iter().position(|other| *other == part)
}

#[test]
fn a_part_names_only_what_is_to_its_left() {
    let mut breaches = Vec::new();
    for (part, path, code) in files() {
        if part == "lib" || part == "main" {
            continue;
        }
        let own = rank(&part).unwrap_or_else(|| panic!("{part} has no place in the order"));
        for name in named(&code) {
            let above = rank(&name).is_some_and(|rank| rank > own);
            if above || STRANGERS.contains(&(part.as_str(), name.as_str())) {
                breaches.push(format!("{} names {name}", path.display()));
            }
        }
    }
    assert!(breaches.is_empty(), "{breaches:#?}");
}

#[test]
fn each_library_is_named_by_its_owners_alone() {
    let mut breaches = Vec::new();
    for (part, path, code) in files() {
        for (library, owners) in OWNERS {
            let pattern = Regex::new(&format!(r"\b{library}(_[a-z]+)?::")).expect("a pattern");
            if pattern.is_match(&code) && !owners.contains(&part.as_str()) {
                breaches.push(format!("{} names {library}", path.display()));
            }
        }
    }
    assert!(breaches.is_empty(), "{breaches:#?}");
}

#[test]
fn names_are_found_alone_in_groups_and_not_in_comments() {
    let text = "//! crate::cli\nuse crate::{\n    access::{Denial, Realm},\n    oauth, route::Target};\n\
                fn f() { crate::proxy::run() } // crate::server\n";
    let mut found = named(&code(text));
    found.sort();
    assert_eq!(found, ["access", "oauth", "proxy", "route"]);
}

#[test]
fn unsafe_code_is_forbidden_in_every_package() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    for package in PACKAGES {
        let manifest = fs::read_to_string(here.join(package)).expect("it is there");
        let (_, lints) = manifest.split_once("[lints.rust]\n").expect(package);
        assert!(lints.starts_with("unsafe_code = \"forbid\"\n"), "{package}");
    }
}
