#!/usr/bin/env python3
"""The licence texts of the crates that an SBOM names, one after the other: most licences ask for that.

    licences.py SBOM.json
"""

import json
import pathlib
import subprocess
import sys

# Beside the crate's own, those of C code that it carries one folder below.
NAMES = ("licen", "copying", "notice", "copyright", "unlicense")


def texts(folder):
    """The files with licences, in an order of their own names alone."""
    found = [path for pattern in ("*", "*/*") for path in folder.glob(pattern)]
    return sorted(path for path in found if path.name.lower().startswith(NAMES) and path.is_file())


def main():
    sbom = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    command = ["cargo", "metadata", "--locked", "--format-version", "1"]
    packages = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["packages"]
    folders = {(p["name"], p["version"]): pathlib.Path(p["manifest_path"]).parent for p in packages}
    licences = {(p["name"], p["version"]): p["license"] or "see below" for p in packages}
    for crate in sorted((c["name"], c["version"]) for c in sbom["components"]):
        print("=" * 80, f"{crate[0]} {crate[1]}: {licences[crate]}", "=" * 80, sep="\n")
        found = texts(folders[crate])
        if not found:
            print("The crate comes without the text; its licence is the one named above.\n")
        for path in found:
            print(f"--- {path.relative_to(folders[crate])}\n")
            print(path.read_text(encoding="utf-8", errors="replace").strip(), end="\n\n")


if __name__ == "__main__":
    main()
