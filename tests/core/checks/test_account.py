"""Who asks: with gcloud's files and a login that stand where the user's would."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from heartbeat_core.checks.account import CHECKS
from heartbeat_core.checks.result import Result
from heartbeat_core.checks.runner import Runner
from heartbeat_core.cloud.auth import Login, Principal, Sort
from heartbeat_core.cloud.errors import CloudError
from heartbeat_core.cloud.gcloud_config import GcloudConfig, SourcedValue
from heartbeat_core.cloud.metadata import Metadata
from heartbeat_core.cloud.session import CloudSession, Limits

ADA, ROBOT = "ada@example.com", "robot@llm.iam.gserviceaccount.com"
NOT_SET = SourcedValue(None, "the credentials")


class SignedIn:
    """A connection that has a token, and never asks anybody."""

    def __init__(self, login: Login, *, problem: str = "") -> None:
        self.login, self.principal, self.endpoint, self.problem = login, login.principal, None, problem

    def authorize(self, headers: dict[str, str], timeout: Any, refused: str | None = None) -> str:
        if self.problem:
            raise CloudError("no credentials", self.problem, service="oauth2")
        return "token"

    def send(self, *arguments: Any) -> Any:
        raise CloudError("refused", "no such scope", status=401)

    def close(self) -> None:
        pass


@pytest.fixture
def asked(world: Any) -> Callable[..., dict[str, Result]]:
    def ask(
        *,
        account: str | None = ADA,
        accounts: tuple[str, ...] | None = (ADA,),
        name: str | None = ADA,
        sort: Sort = "user",
        quota: SourcedValue = NOT_SET,
        works: bool = True,
        refused: str = "invalid_grant: Token has been expired or revoked.",
        environ: Mapping[str, str] | None = None,
        metadata: Metadata | None = None,
        problem: str = "",
    ) -> dict[str, Result]:
        properties = {"core/account": SourcedValue(account, "gcloud configuration default")} if account else {}
        config = GcloudConfig(Path("/nowhere"), "default", properties, accounts, problem)
        login = Login(None, Principal(name, sort, "a file"), quota)
        session = CloudSession(cast("Any", SignedIn(login, problem="" if works else refused)), Limits(tries=1))
        found = replace(world(), gcloud=config, metadata=metadata, endpoint=None, environ=environ or {}, open_session=lambda: session)
        return {result.id: result for result in Runner(CHECKS, found).run().results}

    return ask


def statuses(found: dict[str, Result]) -> list[str]:
    return [found[f"account.{name}"].status for name in ("gcloud", "adc", "match", "quota-project")]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"quota": SourcedValue("demo-project", "a file")}, ["pass", "pass", "pass", "pass"]),
        ({"quota": SourcedValue("another", "a file")}, ["pass", "pass", "pass", "warn"]),
        ({}, ["pass", "pass", "pass", "warn"]),
        ({"name": None}, ["pass", "pass", "unknown", "warn"]),
        ({"name": "ADA@example.com"}, ["pass", "pass", "pass", "warn"]),
        ({"name": "grace@example.com"}, ["pass", "pass", "warn", "warn"]),
        ({"works": False}, ["pass", "fail", "blocked", "blocked"]),
        ({"account": None, "accounts": ()}, ["fail", "pass", "blocked", "warn"]),
        ({"accounts": ("grace@example.com",)}, ["fail", "pass", "blocked", "warn"]),
        ({"accounts": None}, ["unknown", "pass", "pass", "warn"]),
        ({"problem": "config_default cannot be read"}, ["unknown", "pass", "pass", "warn"]),
        ({"name": ROBOT, "sort": "service account", "account": ROBOT, "accounts": (ROBOT,)}, ["pass", "pass", "pass", "not_applicable"]),
        (
            {"name": ROBOT, "sort": "metadata server", "account": None, "accounts": (), "metadata": Metadata(email=ROBOT)},
            ["pass", "pass", "pass", "not_applicable"],
        ),
    ],
)
def test_the_account_is_shown(asked: Any, changes: dict[str, Any], expected: list[str]) -> None:
    assert statuses(asked(**changes)) == expected


def test_remedies_of_a_login_want_the_terminal(asked: Any) -> None:
    found = asked(works=False, account=None, accounts=())
    assert found["account.adc"].remedies[0].command == ("gcloud", "auth", "application-default", "login")
    assert found["account.adc"].remedies[0].interactive
    assert found["account.gcloud"].remedies[0].command == ("gcloud", "init")
    assert found["account.gcloud"].remedies[0].interactive


def test_the_quota_project_is_set_by_one_command(asked: Any) -> None:
    remedy = asked()["account.quota-project"].remedies[0]
    assert remedy.command == ("gcloud", "auth", "application-default", "set-quota-project", "demo-project")


def test_on_a_vm_the_one_tested_is_its_service_account_and_that_is_said(asked: Any) -> None:
    found = asked(name=ROBOT, sort="metadata server", account=None, accounts=(), metadata=Metadata(email=ROBOT))
    assert "this VM's service account" in found["account.adc"].summary
    assert "may do" in found["account.adc"].why


def test_a_credentials_file_that_cannot_be_read_is_not_fixed_by_logging_in(world: Any) -> None:
    def broken() -> CloudSession:
        raise CloudError("no credentials", "/home/ada/key.json (from GOOGLE_APPLICATION_CREDENTIALS) cannot be read: no such file")

    (found,) = Runner(CHECKS, replace(world(), open_session=broken, endpoint=None)).run(["account.adc"]).results
    assert (found.status, found.remedies[0].command) == ("fail", None)
    assert "unset GOOGLE_APPLICATION_CREDENTIALS" in found.remedies[1].text


def test_without_credentials_the_rest_is_blocked_by_that(world: Any) -> None:
    def none() -> CloudSession:
        raise CloudError("no credentials", "Your default credentials were not found.")

    found = Runner(CHECKS, replace(world(), open_session=none, endpoint=None)).run(["account.adc"])
    assert [(result.id, result.status) for result in found.results] == [("account.adc", "fail")]


KEY = {"GOOGLE_APPLICATION_CREDENTIALS": "/home/ada/key.json"}


@pytest.mark.parametrize(
    ("sort", "refused", "title", "fix"),
    [
        ("service account", "invalid_grant: Invalid JWT Signature.", "key is not accepted", "keys list"),
        (
            "service account", "invalid_grant: Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe.",
            "clock of this machine", "date -u",
        ),
        (
            "external account", "unauthorized_client: The given credential is rejected by the attribute condition.",
            "workload identity pool", "workload-identity-pools providers describe",
        ),
        (
            "service account", "Unable to acquire impersonated credentials: iam.serviceAccounts.getAccessToken denied",
            "may not impersonate", "roles/iam.serviceAccountTokenCreator",
        ),
        ("external account", "the workforce session has expired", "sign-in through your organization", "--login-config"),
        ("user", "invalid_grant: Bad Request, invalid_rapt", "sign in again", "correct that file"),
        ("user", "invalid_grant: Token has been expired or revoked.", "no longer valid", "correct that file"),
    ],
)  # fmt: skip
def test_each_kind_of_credentials_has_its_cause_and_its_fix(asked: Any, sort: Sort, refused: str, title: str, fix: str) -> None:
    found = asked(works=False, sort=sort, refused=refused, environ=KEY)["account.adc"]
    assert found.status == "fail"
    assert title in found.summary
    assert refused[:40] in found.why  # as Google gave it
    first = found.remedies[0]
    assert fix in (first.shell or first.text)
    # signing in alone changes nothing while the variable is set
    assert ("gcloud", "auth", "application-default", "login") not in [remedy.command for remedy in found.remedies]


def test_while_a_key_is_named_the_quota_project_is_set_by_a_variable(asked: Any) -> None:
    found = asked(environ=KEY)["account.quota-project"]
    assert found.status == "warn"
    assert "export GOOGLE_CLOUD_QUOTA_PROJECT=demo-project" in found.remedies[0].text
