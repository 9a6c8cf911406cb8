//! Whole bodies through the scan, and what must hold for every body there is.

use proptest::prelude::*;

use super::*;

const METHOD_NAME: &str = "frappe.integrations.oauth2.get_token";

fn scanned(kind: &BodyKind, pieces: &[&[u8]]) -> Result<Seen, Found> {
    let mut scan = BodyScan::new(kind);
    for piece in pieces {
        scan.push(piece)?;
    }
    scan.finish()?;
    Ok(scan.seen())
}

fn multipart() -> BodyKind {
    BodyKind::Multipart(b"B".to_vec())
}

fn part(name: &str, value: &str) -> String {
    format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
}

#[test]
fn a_session_is_found_in_every_kind_of_body() {
    let kinds = [
        (BodyKind::Form, "a=b&s%69d=x".to_owned()),
        (BodyKind::Form, "a=b&sid".to_owned()),
        (BodyKind::Json, "{\"a\":{},\"\\u0073id\" : null}".to_owned()),
        (multipart(), format!("{}{}--B--", part("a", "sid"), part("sid", ""))),
    ];
    for (kind, body) in kinds {
        assert_eq!(scanned(&kind, &[body.as_bytes()]), Err(Found::Session), "{body}");
    }
}

#[test]
fn what_only_mentions_a_session_passes() {
    let kinds = [
        (BodyKind::Form, "a=sid&b=%26sid=x&Sid=1".to_owned()),
        (BodyKind::Json, "{\"a\":{\"sid\":1},\"b\":[\"sid\"],\"c\":\"sid\"}".to_owned()),
        (multipart(), format!("{}--B--", part("a", "name=\"sid\"\r\n\r\nsid=1&sid\r\n--C\r\n"))),
        (BodyKind::Other, "sid=1".to_owned()),
    ];
    for (kind, body) in kinds {
        assert_eq!(scanned(&kind, &[body.as_bytes()]), Ok(Seen::default()), "{body}");
    }
}

#[test]
fn the_choice_of_a_method_is_told_and_refused_where_guarded() {
    for (kind, body) in [
        (BodyKind::Form, "%63md=x".to_owned()),
        (BodyKind::Json, "{\"cmd\":1}".to_owned()),
        (multipart(), format!("{}--B--", part("cmd", "x"))),
    ] {
        assert_eq!(scanned(&kind, &[body.as_bytes()]), Ok(Seen { call: true, method: false }), "{body}");
        // What is guarded against once stays so.
        let mut scan = BodyScan::new(&kind).guarded(Seen { call: true, method: false }).guarded(Seen::default());
        assert_eq!(scan.push(body.as_bytes()), Err(Found::Call), "{body}");
    }
    let mut scan = BodyScan::new(&BodyKind::Form).guarded(Seen { call: true, method: true });
    assert_eq!(scan.push(b"method=x"), Err(Found::Call));
}

#[test]
fn what_may_become_a_match_waits() {
    let mut scan = BodyScan::new(&BodyKind::Form);
    scan.push(b"a=1&si").expect("open");
    assert!(scan.is_undecided());
    scan.push(b"ze=1").expect("another name");
    assert!(!scan.is_undecided());
    let mut scan = BodyScan::new(&multipart());
    scan.push(b"--B\r\nContent-").expect("open");
    assert!(scan.is_undecided());
    scan.push(b"Disposition: form-data; name=a\r\n\r\nvalue").expect("a name");
    assert!(!scan.is_undecided());
}

#[test]
fn a_held_body_has_its_fields() {
    let names = |fields: &Fields, name: &str| fields.values(name).cloned().collect::<Vec<_>>();
    let fields = Fields::parse(&BodyKind::Form, b"a=1&a=%32+&b").expect("a form");
    assert_eq!(names(&fields, "a"), ["1", "2 "]);
    assert_eq!(names(&fields, "b"), [""]);
    let fields = Fields::parse(&BodyKind::Json, b"{\"a\":1,\"a\":{\"b\":2}}").expect("an object");
    assert_eq!(names(&fields, "a"), [serde_json::json!({ "b": 2 })]);
    let fields = Fields::parse(&BodyKind::Json, b"[1]").expect("a list");
    assert_eq!(names(&fields, "data"), [serde_json::json!([1])]);
    let body = format!("{}--B--", part("a", "1"));
    assert_eq!(names(&Fields::parse(&multipart(), body.as_bytes()).expect("a form"), "a"), ["1"]);
    assert_eq!(Fields::parse(&BodyKind::Json, b"{\"a\":NaN}"), Err(Unreadable));
    assert_eq!(Fields::parse(&multipart(), b"--B\r\n"), Err(Unreadable));
    let plain = Fields::parse(&BodyKind::Other, b" {\"doctype\":\"User\"}").expect("no form");
    assert!(matches!(plain.document(), fields::Document::Object(_)));
}

/// How `sid` may be written as a name of a form or of a JSON object.
fn spelled(ways: &[u8], escape: impl Fn(u8) -> String) -> String {
    let spell = |(byte, way): (u8, &u8)| if *way == 0 { char::from(byte).to_string() } else { escape(byte) };
    SESSION.bytes().zip(ways).map(spell).collect()
}

fn cut<'b>(body: &'b [u8], cuts: &[usize]) -> Vec<&'b [u8]> {
    let (mut rest, mut pieces) = (body, Vec::new());
    for cut in cuts.iter().cycle() {
        let (piece, tail) = rest.split_at((*cut).min(rest.len()));
        pieces.push(piece);
        rest = tail;
        if rest.is_empty() {
            break;
        }
    }
    pieces
}

fn any_kind() -> impl Strategy<Value = BodyKind> {
    prop_oneof![Just(BodyKind::Form), Just(BodyKind::Json), Just(multipart()), Just(BodyKind::Other)]
}

proptest! {
    #[test]
    fn the_verdict_is_the_same_however_the_body_is_cut(
        kind in any_kind(),
        body in "(sid|cmd|=|&|%73|\"|\\{|\\}|:|,|\\\\|\\\\u0073|\r\n|\r|\n|--B|--|name=|Content-Disposition: x; |frappe\\.integrations\\.oauth2\\.| |a){0,30}",
        cuts in proptest::collection::vec(1usize..9, 1..20),
    ) {
        let whole = scanned(&kind, &[body.as_bytes()]);
        prop_assert_eq!(scanned(&kind, &cut(body.as_bytes(), &cuts)), whole);
    }

    /// What is passed over leaves every reader as reading it would have.
    #[test]
    fn to_pass_over_calm_stretches_changes_nothing(
        kind in any_kind(),
        body in "(sid=|cmd|=|&|%7|3|%|\\+|\"|\\{|\\}|:|,|\\\\|\\\\u00|73|\r\n|\r|\n|--B|--|Content-Disposition: x; name=a\r\n\r\n|frappe\\.integrations\\.oauth2\\.| |[a-f]{1,40}|[^a]{1,40}){0,30}",
    ) {
        let read = |scan: &mut BodyScan| body.bytes().try_for_each(|byte| scan.push_byte(byte));
        let (mut passing, mut reading) = (BodyScan::new(&kind), BodyScan::new(&kind));
        prop_assert_eq!(passing.push(body.as_bytes()), read(&mut reading));
        prop_assert_eq!(format!("{passing:?}"), format!("{reading:?}"));
    }

    #[test]
    fn values_are_whole_where_calm_stretches_are_passed_over(value in "([a-z]{0,40}|=|\r|\n|--B|--)([a-z]{0,40}|\r\n|-){0,6}x") {
        prop_assume!(!value.contains("\r--B") && !value.contains("\n--B") && !value.starts_with("--B"));
        let body = format!("{}{}--B--", part("a", &value), part("b", "c"));
        let fields = Fields::parse(&multipart(), body.as_bytes()).expect("a form");
        prop_assert_eq!(fields.values("a").next().and_then(|found| found.as_str()), Some(value.as_str()));
    }

    #[test]
    fn a_reserved_value_is_found_however_the_body_is_cut(
        cuts in proptest::collection::vec(1usize..9, 1..60),
        lead in "[a-z&=\" \r\n]{0,20}",
    ) {
        let spelled = METHOD_NAME.bytes().fold(String::new(), |out, byte| out + &format!("%{byte:02x}"));
        let body = format!("{lead}&x={spelled}");
        let pieces = cut(body.as_bytes(), &cuts);
        prop_assert_eq!(scanned(&BodyKind::Other, &pieces), Err(Found::ReservedValue));
    }

    #[test]
    fn no_spelling_hides_a_session(
        ways in proptest::collection::vec(0u8..2, 3),
        before in "([a-z]{1,3}=[a-z%]{0,4}&){0,3}",
        inner in "[a-z:,{}\\[\\]]{0,6}",
    ) {
        let form = format!("{before}{}=x", spelled(&ways, |byte| format!("%{byte:02X}")));
        prop_assert_eq!(scanned(&BodyKind::Form, &[form.as_bytes()]), Err(Found::Session));
        let name = spelled(&ways, |byte| format!("\\u00{byte:02x}"));
        let json = format!("{{\"a\":[\"{inner}\",{{\"b\":\"{inner}\"}}],\"{name}\":1}}");
        prop_assert_eq!(scanned(&BodyKind::Json, &[json.as_bytes()]), Err(Found::Session));
    }

    /// What our own reading of the whole calls a field, the scan has seen: they can't drift apart.
    #[test]
    fn the_scan_sees_every_field_that_the_whole_body_has(
        kind in any_kind(),
        body in "(sid|cmd|=|&|%73|%63md|\"|\\{|\\}|:|,|1|\\\\u0063md|--B\r\n|--B--|\r\n|Content-Disposition: x; name=cmd\r\n\r\n| |a){0,14}",
    ) {
        if let Ok(fields) = Fields::parse(&kind, body.as_bytes()) {
            let has = |name| fields.values(name).next().is_some();
            match scanned(&kind, &[body.as_bytes()]) {
                Ok(seen) => prop_assert!(!has(SESSION) && seen.call == has(CALL), "{body}"),
                Err(found) => prop_assert!(found != Found::Session || has(SESSION) || body.contains("sid") || body.contains("%73")),
            }
        }
    }

    #[test]
    fn no_bytes_make_it_panic(kind in any_kind(), bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = scanned(&kind, &[&bytes]);
        let _ = Fields::parse(&kind, &bytes);
    }
}
