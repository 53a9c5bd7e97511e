"""The parser of the real gcloud: which commands it refuses. All are parsed in one process, and none is run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

# In gcloud's own Python: its libraries are not on ours. Placeholders such as <ZONE> stand for values.
SCRIPT = """
import contextlib, io, json, re, sys
sys.path[:0] = [sys.argv[1] + "/lib", sys.argv[1] + "/lib/third_party"]
from googlecloudsdk import gcloud_main
parser = gcloud_main.CreateCLI([])._CLI__parser
for line in sys.stdin:
    words, said = json.loads(line), io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            parser.parse_args(words[1:])
        problem = ""
    except SystemExit as error:
        problem = said.getvalue() if error.code else ""
    print(json.dumps([words, problem]))
"""


def refused_by_gcloud(commands: Iterable[Iterable[str]]) -> dict[str, str]:
    """Return the commands that gcloud's parser refuses, each with the reason; those of other programs are left out."""
    answers = run_in_gcloud(SCRIPT, [words for command in commands if (words := list(command))[0] == "gcloud"])
    assert answers
    return {" ".join(words): problem for words, problem in answers if problem}


def run_in_gcloud(script: str, lines: Iterable[object]) -> list[Any]:
    """Run a script under gcloud's Python; each line is one object of JSON, in and out."""
    program = shutil.which("gcloud")
    assert program, "needs gcloud"
    sdk = Path(program).resolve().parent.parent
    bundled = sdk / "platform/bundledpythonunix/bin/python3"
    python = os.environ.get("CLOUDSDK_PYTHON") or (str(bundled) if bundled.exists() else "python3")
    with tempfile.TemporaryDirectory() as folder:
        environ = {"PATH": os.environ["PATH"], "HOME": folder, "CLOUDSDK_CONFIG": folder}
        text = "\n".join(json.dumps(line) for line in lines)
        done = subprocess.run([python, "-S", "-c", script, str(sdk)], input=text, env=environ, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


FLAG = re.compile(r"--[a-z][a-z-]*")
PROSE = re.compile(r"\bgcloud((?: [a-z][a-z0-9-]+)+)((?: --[a-z][a-z-]*(?:[= ](?!--)[^\s,;)`'\"]+)?)*)")
TREE_SCRIPT = """
import json, sys
sys.path[:0] = [sys.argv[1] + "/data/cli"]
from gcloud_completions import STATIC_COMPLETION_CLI_TREE as tree
for line in sys.stdin:
    words, flags = json.loads(line)
    node, known = tree, set(tree["flags"]) | {"--help"}
    for word in words:
        if word not in node["commands"]:
            break
        node = node["commands"][word]
        known |= set(node["flags"])
    unknown = [flag for flag in flags if flag not in known]
    print(json.dumps([words, unknown if node is not tree else []]))
"""


def unknown_flags(texts: Iterable[str]) -> list[tuple[str, list[str]]]:
    """Return the commands in sentences whose flags gcloud does not know; a verb that gcloud has not is a word of the sentence."""
    found = {match[0]: (match[1].split(), FLAG.findall(match[2])) for text in texts for match in PROSE.finditer(text)}
    answers = run_in_gcloud(TREE_SCRIPT, found.values())
    assert len(answers) == len(found)
    return [(command, unknown) for command, (_, unknown) in zip(found, answers, strict=True) if unknown]
