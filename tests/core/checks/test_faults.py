"""Faults on the way, over a real network: none of them makes a pass of what is none, and none holds up the rest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from tests.emulation import EmulatorThread, start_emulator

from heartbeat_core.checks.context import CheckEnvironment, demo_environ, detect_environment
from heartbeat_core.checks.registry import checks_for
from heartbeat_core.checks.result import CheckReport
from heartbeat_core.checks.runner import Runner
from heartbeat_core.cloud.session import Limits

IN_THE_CLOUD = tuple(check for check in checks_for() if check.group != "host")
QUICK = Limits(tries=3, backoff_s=0.001)
FLAKY_ROUNDS = 10


def world_at(url: str, limits: Limits = QUICK) -> CheckEnvironment:
    return detect_environment({"project": "demo-project"}, endpoint=url, environ=demo_environ(), limits=limits)


def check(url: str, limits: Limits = QUICK, limit_s: float | None = None) -> CheckReport:
    return Runner(IN_THE_CLOUD, world_at(url, limits), limit_s=limit_s).run()


@pytest.fixture(scope="module")
def flaky() -> Iterator[EmulatorThread]:
    with start_emulator("flaky", seed=7) as started:
        yield started


def test_faults_never_make_a_failure_nor_an_exception(flaky: EmulatorThread) -> None:
    for _ in range(FLAKY_ROUNDS):
        readiness = check(flaky.url, replace(QUICK, tries=2))
        assert len(readiness.results) == len(IN_THE_CLOUD)
        assert {result.status for result in readiness.results} <= {"pass", "unknown", "not_applicable", "warn"}
        assert readiness.ready is not False


@pytest.fixture(scope="module")
def flaky_and_missing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorThread]:
    """Start a Cloud that is flaky and where the quota of the zone is 0."""
    file = tmp_path_factory.mktemp("scenario") / "both.toml"
    text = 'description = "both"\nextends = "flaky"\n[quotas]\nTPUV6EPerProjectPerZoneForTPUAPI = { us-central1-b = 0 }\n'
    file.write_text(text, encoding="utf-8")
    with start_emulator(str(file), seed=11) as started:
        yield started


def test_faults_never_make_a_pass_of_what_is_missing(flaky_and_missing: EmulatorThread) -> None:
    found = {result.status for _ in range(FLAKY_ROUNDS) for result in check(flaky_and_missing.url).results if result.id == "quota.tpu-zone"}
    assert "fail" in found
    assert found <= {"fail", "unknown"}


def test_one_broken_api_is_unknown_and_the_rest_is_checked() -> None:
    with start_emulator("broken-quotas") as started:
        readiness = check(started.url)
    open_ = {result.id: result for result in readiness.results if result.status not in ("pass", "not_applicable", "warn")}
    assert {name: result.status for name, result in open_.items()} == {"quota.tpu-zone": "unknown", "quota.tpu-region": "unknown"}
    assert readiness.ready is None
    assert "500" in open_["quota.tpu-zone"].evidence[0].answered


def test_one_silent_api_is_unknown_and_the_rest_is_checked(tmp_path: Any) -> None:
    file = tmp_path / "silent.toml"
    file.write_text('description = "silent"\nextends = "ready"\n[faults.latency_s]\ncloudquotas = 120\n', encoding="utf-8")
    with start_emulator(str(file)) as started:
        readiness = check(started.url, limit_s=3.0)
    statuses = {result.id: result.status for result in readiness.results}
    open_ = {name for name, status in statuses.items() if status not in ("pass", "not_applicable", "warn")}
    assert open_ == {
        "quota.tpu-zone",
        "quota.tpu-region",
    }
    assert readiness.ready is None


def test_an_endpoint_that_does_not_answer_is_unknown(unused_tcp_port: int) -> None:
    readiness = check(f"http://127.0.0.1:{unused_tcp_port}")
    assert {result.status for result in readiness.results} <= {"unknown", "not_applicable", "pass", "warn"}
    passed = {result.id for result in readiness.results if result.status == "pass"}
    assert passed <= {"account.adc", "zone.pairing"}
    assert readiness.ready is None
