//! Configuration: no text makes it panic, problems point into the text, and what is valid stays so when it is written anew.
#![no_main]

use empress_gateway::{config::Config, route::Router};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let config = match Config::from_toml(text) {
        Ok(config) => config,
        Err(problems) => {
            assert!(!problems.list.is_empty());
            let lines = text.bytes().filter(|byte| *byte == b'\n').count() + 1;
            for problem in &problems.list {
                assert!(problem.line.is_none_or(|line| (1..=lines).contains(&line)), "{problem:?}");
                assert!(!problem.message.is_empty());
            }
            let _ = problems.to_string();
            return;
        }
    };
    if let Err(problems) = Router::new(&config.route) {
        assert!(!problems.0.is_empty() && problems.0.iter().all(|problem| problem.index < config.route.len()));
    }
    for notice in config.notices() {
        assert!(!notice.is_empty());
    }
    let written = toml::to_string(&text.parse::<toml::Table>().expect("TOML")).expect("TOML");
    let again = Config::from_toml(&written).unwrap_or_else(|problems| panic!("{problems}\n{written}"));
    assert_eq!(format!("{again:?}"), format!("{config:?}"), "{written}");
    let more = format!("{written}\n[there_is_no_such_section]\n");
    assert!(Config::from_toml(&more).is_err(), "an unknown section");
});
