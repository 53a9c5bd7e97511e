"""A checklist with answers prepared beforehand, and what drives the pane on it."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.tui.conftest import PATIENCE_S, Driven
from tests.tui.rest import settled
from tests.waiting import until

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.checks.check import Check, passed
from heartbeat_core.checks.context import CheckEnvironment
from heartbeat_core.checks.result import CheckReport, Result, Status
from heartbeat_core.cloud.auth import Principal
from heartbeat_core.cloud.errors import CloudError
from heartbeat_core.cloud.gcloud_config import GcloudConfig, SourcedValue
from heartbeat_core.cloud.session import CloudSession, Evidence
from heartbeat_core.cloud.target import Target
from heartbeat_core.diagnosis import remedies as do
from heartbeat_tui.app import HeartbeatApp
from heartbeat_tui.checks.monitor import CheckMonitor, chosen_here
from heartbeat_tui.checks.pane import ReadinessPane
from heartbeat_tui.widgets.text import Lines

WORDS = {"project": "llm-dev", "zone": "us-central1-b", "service": "cloudquotas.googleapis.com", "service_account": "tpu@llm-dev.iam"}
QUOTA = {**WORDS, "quota_id": "TPUV6EPerProjectPerZoneForTPUAPI", "value": "1"}
TARGET = Target(
    project=SourcedValue("llm-dev", "gcloud configuration default"),
    zone=SourcedValue("us-central1-b", "default"),
    accelerator_type=SourcedValue("v6e-1", "ACCELERATOR_TYPE"),
    runtime_version=SourcedValue("v2-alpha-tpuv6e", "goes with v6e-1"),
    provisioning=SourcedValue("on-demand", "default"),
    tpu_name=SourcedValue("llm-tpu-vm", "default"),
)
PRINCIPAL = Principal("you@example.com", "user", "gcloud auth application-default login")


def answer(check_id: str, question: str, status: Status, summary: str, *, why: str = "", **more: Any) -> Result:
    asked = f"GET {check_id.partition('.')[0]} /v1/projects/llm-dev"
    evidence = Evidence(asked, "you@example.com", "200", "2026-11-22T12:04:07+00:00", 143.0)
    return Result(check_id, check_id.partition(".")[0], question, status, summary, why, (evidence,), took_ms=150.0, **more)


ANSWERS = (
    answer("host.python", "Is this Python new enough?", "pass", "Python 3.11.7"),
    answer("host.chips", "Are there TPU chips?", "not_applicable", "not on a TPU VM"),
    answer("account.adc", "Do programs have credentials?", "pass", "as you@example.com"),
    answer("project.exists", "Is there such a project?", "pass", "llm-dev, number 123456789012"),
    answer(
        "project.billing",
        "Does somebody pay for the project?",
        "fail",
        "no billing account is linked",
        remedies=(do.link_billing(WORDS), do.billing_page(WORDS)),
    ),
    answer(
        "api.cloudquotas",
        "Is the Cloud Quotas API on?",
        "fail",
        "Cloud Quotas API is off",
        why="A project may use an API only after it was enabled there.",
        remedies=(do.enable_api(WORDS),),
        link="https://docs.cloud.google.com/service-usage/docs/enable-disable",
    ),
    answer("api.tpu", "Is the Cloud TPU API on?", "pass", "Cloud TPU API is on"),
    answer("iam.tpu-admin", "May you create TPU VMs?", "pass", "you may do what TPU Admin may"),
    answer(
        "iam.service-agent",
        "Has Cloud TPU its agent?",
        "unknown",
        "not seen",
        why="That it is not seen does not mean that it is not there.",
        remedies=(do.create_service_agent(WORDS),),
    ),
    answer(
        "quota.tpu-zone",
        "Does the TPU quota of the zone cover one v6e-1?",
        "fail",
        "limit 0, 0 used, 1 v6e chip needed",
        why="New projects start at 0; capacity is a separate matter.",
        remedies=(do.request_quota(QUOTA), do.quota_page(WORDS)),
    ),
    answer("quota.cpus", "Does the CPU quota cover its VM?", "warn", "limit 24, 0 used, 44 CPUs needed"),
    replace(
        answer(
            "zone.accelerator", "Does the zone offer it?", "blocked", "not asked: api.cloudquotas first", blocked_by=("api.cloudquotas",)
        ),
        evidence=(),
    ),
)


def no_session() -> CloudSession:
    raise CloudError("no credentials", "Your default credentials were not found.")


class FakeRunner:
    """Answers from ``answers``, the first one where there are several; stops before ``hold`` until ``gate`` opens."""

    def __init__(
        self, on_result: Callable[[Result], None], on_start: Callable[[str], None], answers: Iterable[Result], target: Target
    ) -> None:
        self.on_result, self.on_start = on_result, on_start
        self.answers = {result.id: [result] for result in answers}
        self.checks = {
            result.id: Check(
                result.id,
                result.id.partition(".")[2],
                result.question,
                lambda context: passed(""),
                ("account.adc",) if result.group == "api" else (),
            )
            for result in answers
        }
        gcloud = GcloudConfig(Path("/nowhere"), "default", {}, ())
        self.environment = CheckEnvironment(target, no_session, gcloud, environ={})
        self.results: dict[str, Result] = {}
        self.rounds: list[tuple[str, ...] | None] = []
        self.hold, self.reached, self.gate = "", threading.Event(), threading.Event()
        self.cancelled = False

    def run(self, names: Iterable[str] | None = None) -> CheckReport:
        self.cancelled = False
        self.rounds.append(None if names is None else tuple(names))
        for name in self.select(names):
            self.on_start(name)
            if name == self.hold:
                self.reached.set()
                assert self.gate.wait(PATIENCE_S)
            if self.cancelled:
                break
            coming = self.answers[name]
            self.results[name] = coming.pop(0) if len(coming) > 1 else coming[0]
            self.on_result(self.results[name])
        return self.report()

    def select(self, names: Iterable[str] | None = None) -> tuple[str, ...]:
        wanted = None if names is None else set(names)
        return tuple(name for name in self.checks if wanted is None or {name, name.partition(".")[0]} & wanted)

    def passed(self, name: str) -> bool:
        return name in self.results and self.results[name].status == "pass"

    def report(self) -> CheckReport:
        return CheckReport(tuple(self.results[name] for name in self.checks if name in self.results), self.environment.target, PRINCIPAL)

    def cancel(self) -> None:
        self.cancelled = True
        self.gate.set()


class FakeRunnerFactory:
    """Makes fake runners and keeps them; ``prepare`` may change each before it runs."""

    def __init__(self, answers: Iterable[Result] = ANSWERS, prepare: Callable[[FakeRunner], object] = lambda runner: None) -> None:
        self.answers, self.prepare = tuple(answers), prepare
        self.runners: list[FakeRunner] = []

    def __call__(self, choices: Mapping[str, str], *, on_result: Callable[[Result], None], on_start: Callable[[str], None]) -> Any:
        runner = FakeRunner(on_result, on_start, self.answers, chosen_here(TARGET, choices))
        self.prepare(runner)
        self.runners.append(runner)
        return runner

    @property
    def runner(self) -> FakeRunner:
        return self.runners[-1]


class ReadinessDriver(Driven):
    """An app on its Readiness pane."""

    WORKERS = ("checks", "offers", "remedy")

    @property
    def pane(self) -> ReadinessPane:
        pane = self.app.checks.view
        assert pane is not None
        return pane

    async def held(self, survey: FakeRunnerFactory) -> None:
        """Wait until the runner has come to the check before which it stops, then let it be drawn."""
        await until(lambda: survey.runners and survey.runner.reached.is_set(), "the check before which the runner stops")
        await settled(self.app)

    def details(self) -> str:
        """Return the details of the selected check, its lines joined."""
        lines = [self.pane.query_one(name, Lines).content.plain for name in ("#details-question", "#details-text")]
        return " ".join(" ".join(lines).split())


@asynccontextmanager
async def open_readiness(
    survey: Any = None, *, size: tuple[int, int] = (120, 40), settle: bool = True, delays: tuple[float, ...] = (), **options: Any
) -> AsyncIterator[ReadinessDriver]:
    """Open the app on its Readiness pane."""
    monitor = CheckMonitor(survey or FakeRunnerFactory(), delays=delays)
    app = HeartbeatApp(
        BenchmarkConfig(),
        lambda plan: None,  # type: ignore[arg-type, return-value]
        check_monitor=lambda: monitor,
        mode="readiness",
        reduced_motion=True,
        **options,
    )
    async with app.run_test(size=size, notifications=True) as pilot:
        driver = ReadinessDriver(app, pilot)
        if settle:
            await driver.settle()
        yield driver


Open = Callable[..., AbstractAsyncContextManager[ReadinessDriver]]


@pytest.fixture
def readiness() -> Open:
    """Open the Readiness pane: ``async with readiness(survey, size=(80, 24)) as driver``."""
    return open_readiness


@pytest.fixture
def survey() -> Callable[..., FakeRunnerFactory]:
    """Make what looks around: ``survey(answers, prepare)``."""
    return FakeRunnerFactory


@pytest.fixture
def answers() -> tuple[Result, ...]:
    return ANSWERS
