//! The Python co-process (`python/peer.py`) that says what ERPNext's side makes of the same bytes.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{LazyLock, Mutex},
};

use serde_json::Value;

struct Peer {
    _process: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

static PEER: LazyLock<Mutex<Peer>> = LazyLock::new(|| Mutex::new(Peer::start()));

impl Peer {
    fn start() -> Self {
        let python = env::var_os("EMPRESS_FUZZ_PYTHON").expect(
            "EMPRESS_FUZZ_PYTHON names a Python with werkzeug and gunicorn; scripts/fuzz.sh makes one and sets it",
        );
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/peer.py");
        let mut process = Command::new(python)
            .args(["-B", "-I"])
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python starts");
        let questions = process.stdin.take().expect("a pipe");
        let answers = BufReader::new(process.stdout.take().expect("a pipe"));
        Self { _process: process, questions, answers }
    }

    fn ask(&mut self, kind: u8, first: &[u8], second: &[u8]) -> Value {
        let mut question = vec![kind];
        for text in [first, second] {
            question.extend(u32::try_from(text.len()).expect("a short text").to_le_bytes());
            question.extend(text);
        }
        self.questions.write_all(&question).expect("Python reads");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("Python answers");
        assert!(line.ends_with('\n'), "Python has ended, its message stands above");
        // A text with half a surrogate pair is none: what the gateway had to refuse, or could not see.
        serde_json::from_str(&line).unwrap_or(Value::Null)
    }
}

fn ask(kind: u8, first: &[u8], second: &[u8]) -> Option<Value> {
    let answer = PEER.lock().expect("one thread").ask(kind, first, second);
    (!answer.is_null()).then_some(answer)
}

/// What a request of this method and target is to ERPNext; `None`: an error.
#[must_use]
pub fn target(method: &str, target: &str) -> Option<Value> {
    ask(b'T', method.as_bytes(), target.as_bytes())
}

/// What a body of this content type is to ERPNext; `None`: an error.
#[must_use]
pub fn body(content_type: &[u8], body: &[u8]) -> Option<Value> {
    ask(b'B', content_type, body)
}
