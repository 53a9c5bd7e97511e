"""Every gcloud command that the program can show, before gcloud's own parser; none is run."""

from __future__ import annotations

import ast
import functools
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from tests.core.checks.conftest import IN_THE_CLOUD, NOWHERE, open_direct, session_over
from tests.core.diagnosis.test_remedies import all_remedies
from tests.gcloud_parser import refused_by_gcloud, unknown_flags

from heartbeat_core.checks.context import demo_environ, detect_environment
from heartbeat_core.checks.runner import Runner
from heartbeat_core.cloud.accelerators import Provisioning
from heartbeat_core.emulator.scenario import scenario_names
from heartbeat_core.vms.request import CreateRequest

ROOT = Path(__file__).parent.parent
SOURCES = sorted([*ROOT.glob("core/**/*.py"), *ROOT.glob("tui/**/*.py")])
DOCS = sorted([ROOT / "README.md", *ROOT.glob("docs/*.md")])
ENDLESS = ("flaky", "slow", "broken-quotas")  # their faults are on the way
OTHERWISE = ("ready", "iap-only", "org-policy", "no-service-account-roles", "quota-zone-zero")
FILLED = "x1"
pytestmark = pytest.mark.skipif(not shutil.which("gcloud"), reason="no gcloud here")


@functools.cache
def literals() -> tuple[ast.Tuple | ast.Constant, ...]:
    """Return the tuples and texts of the source."""
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES)
    return tuple(node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Tuple | ast.Constant))


def tuples() -> Iterator[tuple[str, ...]]:
    """Yield the commands written as tuples; what is computed in them stands as a value."""
    for node in literals():
        if isinstance(node, ast.Tuple) and len(node.elts) > 2 and getattr(node.elts[0], "value", None) == "gcloud":
            yield tuple(word for element in node.elts if (word := word_of(element)))


def word_of(element: ast.expr) -> str:
    if isinstance(element, ast.Constant):
        return str(element.value)
    if isinstance(element, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else FILLED for part in element.values)
    if isinstance(element, ast.Call) and getattr(element.func, "id", "") == "project_flag":
        return "--project=llm-dev"
    return "" if isinstance(element, ast.Starred | ast.IfExp) else FILLED


def sentences() -> Iterator[str]:
    """Yield every text of the program and of its documentation."""
    yield from (" ".join(node.value.split()) for node in literals() if isinstance(node, ast.Constant) and isinstance(node.value, str))
    yield from (path.read_text(encoding="utf-8") for path in (*DOCS, *ROOT.glob("core/**/rules/*.ini")))


def test_no_sentence_names_a_flag_that_gcloud_does_not_know() -> None:
    assert unknown_flags(sentences()) == []


def test_no_command_opens_ssh_to_the_world_or_lists_other_versions() -> None:
    for text in (*sentences(), *map(" ".join, tuples())):
        assert "firewall-rules create" not in text or "--source-ranges" in text or "--help" in text
        assert "tpus versions list" not in text


def fixes() -> Iterator[tuple[str, ...]]:
    """Yield the commands of the fixes of every scenario, for some of them also for another kind of TPU VM."""
    inside = {"external_ip": "no", "provisioning": "spot", "service_account": "heartbeat-tpu@demo-project.iam.gserviceaccount.com"}
    runs = [*((name, {}) for name in scenario_names() if name not in ENDLESS), *((name, inside) for name in OTHERWISE)]
    for scenario, flags in runs:
        found = detect_environment({"project": "demo-project", **flags}, endpoint=NOWHERE, environ=demo_environ())
        report = Runner(IN_THE_CLOUD, replace(found, open_session=functools.partial(session_over, open_direct(scenario)))).run()
        yield from (remedy.command for result in report.results for remedy in result.remedies if remedy.command)


def creations() -> Iterator[tuple[str, ...]]:
    first = CreateRequest("llm-dev", "us-central1-b", "llm", "v6e-1", "v2-alpha-tpuv6e")
    full = replace(first, external_ip=False, network="n", subnetwork="s", service_account="a@b.iam.gserviceaccount.com", labels={"a": "b"})
    for request in (first, full):
        for model in get_args(Provisioning):
            for queued in (False, True) if model != "flex-start" else (True,):
                yield replace(request, provisioning=model, queued=queued).command()


def test_gcloud_understands_every_fix_and_every_creation_and_knows_each_flag_in_the_source() -> None:
    whole, parts = {*all_remedies(), *fixes(), *creations()}, set(tuples())
    assert len(whole) > 40
    refused = refused_by_gcloud(whole | parts)
    assert {command: problem for command, problem in refused.items() if command in map(" ".join, whole)} == {}
    # what is computed in a tuple is not there: only flags and verbs are certain
    assert [problem for problem in refused.values() if "unrecognized arguments" in problem or "Invalid choice" in problem] == []
