"""Runs every command that the documents show.

Each fenced block of `sh` is run by bash in a folder that looks like a clone of the project, and each line of a
`console` block that begins with `$ `, while `counterweight up` serves the sample beside it. The words of the
output are not compared: they hold ids and times. A comment on the line before a block changes that:

    <!-- run: no, WHY -->        it is not run; WHY says where it is run instead, or why it cannot be
    <!-- run: short, COMMAND --> COMMAND is run in its place: the same program, for a moment
    <!-- run: with data -->      it needs the real data; $DATA names the folder
    <!-- run: fails -->          the command is meant to be refused

Short commands may name programs of benches/ (`serving`, `front`, …), which --benches finds.

Usage: check_documents.py --program target/release/counterweight [--benches FOLDER] [--data FOLDER] [DOCUMENT ...]
"""

import argparse
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
MARK = re.compile(
    r"<!-- run: (no, (?P<why>.+)|short, (?P<short>.+)|(?P<data>with data)|(?P<fails>fails)) -->"
)
# Programs of the project that documents name, beside `counterweight` itself.
BENCHES = (
    "front", "hostile", "join", "overload", "preview", "replicas", "request_log", "serving", "train", "weights",
)
# Longer than the slowest command takes; only something that hangs meets it.
PATIENCE = 1200


class Block:
    """One fenced block: where it stands, what it runs, and how."""

    def __init__(self, document, line, commands, mark):
        self.place = f"{document.relative_to(ROOT)}:{line}"
        self.commands = (mark and mark["short"]) or commands
        self.why = mark and mark["why"]
        self.data = bool(mark and mark["data"])
        self.fails = bool(mark and mark["fails"])


def read_blocks(document):
    """The blocks of a document that hold commands, in order."""
    blocks, mark, kind, lines, start = [], None, None, [], 0
    for number, line in enumerate(document.read_text().splitlines(), 1):
        if kind is None:
            if line.startswith("```"):
                kind, lines, start = line[3:].strip() or "text", [], number
            elif line.strip():
                mark = MARK.fullmatch(line.strip())
            continue
        if not line.startswith("```"):
            lines.append(line)
            continue
        if kind == "console":
            lines = [line[2:] for line in lines if line.startswith("$ ")]
        if kind in ("sh", "console") and lines:
            blocks.append(Block(document, start, "\n".join(lines), mark))
        kind, mark = None, None
    return blocks


def clone_into(folder):
    """What commands of the documents read of a clone; what they write stays in the folder."""
    for name in ("benches", "data", "deploy", "examples", "proto", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("target"))


def start_up(program, folder, log):
    """Starts `up` on free ports; gives back the process and the combiner's address."""
    command = [program, "up", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"]
    process = subprocess.Popen(
        command, cwd=folder, stdout=log.open("w"), stderr=subprocess.STDOUT, start_new_session=True
    )
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = re.search(r"combiner +(127\.0\.0\.1:\d+)", log.read_text())
        if found:
            return process, found[1]
        if process.poll() is not None:
            break
        time.sleep(0.1)
    sys.exit(f"`up` did not start:\n{log.read_text()}")


def run(block, folder, environment):
    """Runs a block; gives back what went wrong, or nothing."""
    script = block.commands if block.fails else "set -euo pipefail\n" + block.commands
    result = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    if (result.returncode != 0) == block.fails:
        return None
    return f"{block.place}: exit code {result.returncode}\n{block.commands}\n{result.stdout[-4000:]}"


def check(blocks, folder, environment, counts):
    """Runs the blocks of one document in order; gives back what went wrong."""
    failures = []
    for block in blocks:
        if block.why:
            counts["elsewhere"] += 1
            print(f"not run: {block.place}: {block.why}", flush=True)
        elif block.data and "DATA" not in environment:
            counts["skipped"] += 1
            print(f"SKIPPED: {block.place}: there is no real data", flush=True)
        else:
            began = time.monotonic()
            failure = run(block, folder, environment)
            counts["run"] += 1
            word = "FAILED" if failure else "ok"
            print(f"{word}: {block.place} ({time.monotonic() - began:.1f} s)", flush=True)
            if failure:
                failures.append(failure)
    return failures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--program", required=True, type=pathlib.Path)
    parser.add_argument("--benches", type=pathlib.Path, help="folder with the programs of benches/")
    parser.add_argument("--data", type=pathlib.Path)
    parser.add_argument("documents", nargs="*", type=pathlib.Path)
    options = parser.parse_args()
    documents = [path.resolve() for path in options.documents] or sorted(
        path
        for pattern in ("*.md", "docs/*.md", "deploy/*.md", "data/*.md", "examples/**/*.md")
        for path in ROOT.glob(pattern)
    )

    failures, counts = [], {"run": 0, "elsewhere": 0, "skipped": 0}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        clone_into(folder)
        programs = folder / "bin"
        programs.mkdir()
        (programs / "counterweight").symlink_to(options.program.resolve())
        for name in BENCHES if options.benches else ():
            (programs / name).symlink_to((options.benches / name).resolve())
        environment = dict(os.environ)
        environment["PATH"] = f"{programs}:{pathlib.Path(sys.executable).parent}:{environment['PATH']}"
        if options.data:
            environment["DATA"] = str(options.data.resolve())
        for document in documents:
            blocks = read_blocks(document)
            if not any(not block.why for block in blocks):
                continue
            # Each document begins at revision 0 of the weights, so that it can say `--expect 0`.
            shutil.rmtree(folder / "var", ignore_errors=True)
            up, address = start_up(programs / "counterweight", folder, folder / "up.log")
            environment["COUNTERWEIGHT_ADDRESS"] = address
            try:
                failures += check(blocks, folder, environment, counts)
            finally:
                os.killpg(up.pid, signal.SIGTERM)
                up.wait(timeout=60)
    print(f"{counts['run']} blocks run, {counts['elsewhere']} not run here, {counts['skipped']} skipped")
    if failures:
        sys.exit("\n\n".join(failures))


if __name__ == "__main__":
    main()
