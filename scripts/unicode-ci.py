#!/usr/bin/env python3
"""Writes src/route/unicode_ci.txt: which letters the collation `utf8mb4_unicode_ci` takes for one another.

It asks a MariaDB for the weights of all letters of the Basic Multilingual Plane; the words behind `--` are how its client
is called:

    scripts/unicode-ci.py -- mariadb --host 127.0.0.1 --user root
"""

import subprocess
import sys
from collections import defaultdict
from pathlib import Path

LETTERS = [code for code in range(0x10000) if not 0xD800 <= code < 0xE000]
TABLE = Path(__file__).parent.parent / "src/route/unicode_ci.txt"
HEAD = """\
# Made by scripts/unicode-ci.py from MariaDB's own answers: utf8mb4_unicode_ci of {version}.
# A line has what letters are compared as, then these letters; all are code points in hex. `-`: as nothing.
"""


def ask(client, statements):
    options = ["--batch", "--raw", "--skip-column-names", "--default-character-set=utf8mb4"]
    asked = subprocess.run(client + options, input=statements, capture_output=True, text=True)
    if asked.returncode != 0:
        sys.exit(f"MariaDB does not answer: {asked.stderr.strip()}")
    return asked.stdout.rstrip("\n").split("\n")


def weights(client):
    rows = [LETTERS[at : at + 500] for at in range(0, len(LETTERS), 500)]
    weight = "HEX(WEIGHT_STRING(_utf8mb4 x'{}' COLLATE utf8mb4_unicode_ci))"
    select = lambda row: ", ".join(weight.format(chr(code).encode().hex()) for code in row)
    answers = ask(client, "".join(f"SELECT {select(row)};\n" for row in rows))
    found = [text for answer in answers for text in answer.split("\t")]
    if len(found) != len(LETTERS):
        sys.exit(f"{len(found)} weights came for {len(LETTERS)} letters")
    return {code: units(text) for code, text in zip(LETTERS, found)}


def units(text):
    """What the collation compares one by one: ideographs have weights of two words, the first of FB40 to FBFF."""
    words = iter([text[at : at + 4] for at in range(0, len(text), 4)])
    return [word + next(words) if "FB40" <= word <= "FBFF" else word for word in words]


def ranges(codes):
    runs = []
    for code in codes:
        if runs and runs[-1][1] == code - 1:
            runs[-1][1] = code
        else:
            runs.append([code, code])
    return " ".join(f"{first:x}" if first == last else f"{first:x}-{last:x}" for first, last in runs)


def main():
    if "--" not in sys.argv:
        sys.exit(__doc__)
    client = sys.argv[sys.argv.index("--") + 1 :]
    (version,) = ask(client, "SELECT VERSION();\n")
    by_letter = weights(client)
    # Small letters stand for themselves and the large ones.
    stands_for = {}
    for code in sorted(LETTERS, key=lambda code: (chr(code) != chr(code).lower(), code)):
        if len(by_letter[code]) == 1:
            stands_for.setdefault(by_letter[code][0], code)
    lines = defaultdict(list)
    for code, weight in by_letter.items():
        letters = [stands_for.get(part) for part in weight]
        plain = code < 0x80 and letters == [ord(chr(code).lower())]
        if None not in letters and letters != [code] and not plain:
            lines[tuple(letters)].append(code)
    with TABLE.open("w") as table:
        table.write(HEAD.format(version=version))
        for letters, codes in sorted(lines.items()):
            compared_as = " ".join(f"{letter:x}" for letter in letters) or "-"
            table.write(f"{compared_as}: {ranges(codes)}\n")


main()
