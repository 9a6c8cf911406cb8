#!/usr/bin/env python3
"""Writes the table of docs/security.md: for each rule by its number (T01 to T90) the tests that try to break it.

A test says so in a comment: `/// T63` before it, or `// T33, T81` inside. With --check nothing is written: exit 1 if the
table is not as it would be, or a rule that should have a test has none.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/security.md"
BEGIN, END = "<!-- made by scripts/threats.py -->\n", "<!-- end -->\n"
# What comes with a feature that is not there yet.
LATER = {
    "the second store": [90],
}


def numbers(text):
    """The rules that a comment names: `T09`, `T47 to T49`."""
    found = []
    for first, last in re.findall(r"\bT(\d\d)(?: to T(\d\d))?", text):
        found.extend(range(int(first), int(last or first) + 1))
    return found


def tests(path):
    """The tests of a file with the rules that they name."""
    waiting, current, is_test, mod = [], None, False, ""
    for line in path.read_text().splitlines():
        text = line.strip()
        if text.startswith("///"):
            waiting += numbers(text)
        elif text.startswith("#["):
            is_test |= "test" in text
        elif match := re.match(r"(?:pub )?(?:async )?fn (\w+)", text):
            current = match[1] if is_test else None
            if current:
                yield from ((number, current) for number in waiting)
            waiting, is_test = [], False
        elif text.startswith("//"):
            if current and not text.startswith("//!"):
                yield from ((number, current) for number in numbers(text))
        elif text:
            waiting = [] if not is_test else waiting


def table():
    by_rule = {}
    files = [*ROOT.glob("tests/it/**/*.rs"), *ROOT.glob("src/**/*.rs")]
    for path in sorted(files):
        for number, name in tests(path):
            entry = f"{name.replace('_', ' ')} (`{path.relative_to(ROOT)}`)"
            entries = by_rule.setdefault(number, [])
            if entry not in entries:
                entries.append(entry)
    later = {number: feature for feature, of in LATER.items() for number in of}
    missing = [number for number in range(1, 91) if number not in by_rule and number not in later]
    lines = ["| | tests |\n", "|---|---|\n"]
    for number in range(1, 91):
        entries = by_rule.get(number, [])
        if number in later:
            entries = [*entries, f"*the rest comes with {later[number]}*" if entries else f"*comes with {later[number]}*"]
        lines.append(f"| T{number:02} | {'<br>'.join(entries)} |\n")
    return "".join(lines), missing


def main():
    made, missing = table()
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    new = before + BEGIN + made + END + after
    if missing:
        print("no test says that it is about:", ", ".join(f"T{number:02}" for number in missing), file=sys.stderr)
    if "--check" in sys.argv:
        if new != page:
            print("docs/security.md is not as scripts/threats.py makes it: run it", file=sys.stderr)
        sys.exit(bool(missing) or new != page)
    PAGE.write_text(new)
    sys.exit(bool(missing))


main()
