"""The parser of the real gcloud: which commands it refuses. All are parsed in one process, and none is run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

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
    program = shutil.which("gcloud")
    assert program, "needs gcloud"
    sdk = Path(program).resolve().parent.parent
    python = os.environ.get("CLOUDSDK_PYTHON") or next(
        (str(path) for path in sdk.glob("platform/bundledpythonunix/bin/python3")), "/usr/bin/python3"
    )
    lines = [json.dumps(list(command)) for command in commands]
    with tempfile.TemporaryDirectory() as folder:
        environ = {"PATH": os.environ["PATH"], "HOME": folder, "CLOUDSDK_CONFIG": folder}
        done = subprocess.run(
            [python, "-S", "-c", SCRIPT, str(sdk)],
            input="\n".join(line for line in lines if line.startswith('["gcloud"')),
            env=environ,
            capture_output=True,
            text=True,
            check=True,
        )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert answers
    return {" ".join(words): problem for words, problem in answers if problem}
