"""Checks of the accounts: gcloud's, that of programs, whether they match, and the quota project."""

from __future__ import annotations

from heartbeat_core.checks.check import Check, Finding, failed, not_applicable, passed, unknown, warned
from heartbeat_core.checks.context import Context
from heartbeat_core.cloud import projects
from heartbeat_core.cloud.errors import CloudError
from heartbeat_core.diagnosis import remedies as do
from heartbeat_core.diagnosis.diagnose import diagnose_exception

EMULATED = "the emulator needs no credentials"
ADC = "https://docs.cloud.google.com/docs/authentication/provide-credentials-adc"
QUOTA_PROJECT = "https://docs.cloud.google.com/docs/authentication/adc-troubleshooting/user-creds"
SIGNED_OUT = ("credentials-missing", "credentials-expired", "credentials-reauthentication", "account-state")


def gcloud(context: Context) -> Finding:
    """Read from gcloud's files which account it acts as, and whether it is signed in."""
    if context.environment.emulated:
        return not_applicable(EMULATED)
    config, metadata = context.environment.gcloud, context.environment.metadata
    context.note(f"{config.file} and the accounts with credentials", f"account {config.account or 'not set'}")
    if config.problem:
        return unknown("could not tell: gcloud's configuration cannot be read", config.problem, do.init({}))
    if config.account is None:
        if metadata and metadata.email:
            return passed(f"as this VM's service account, {metadata.email}")
        return failed("gcloud has no account", "It was never signed in, or its account is unset.", do.init({}), do.login({}))
    if config.accounts is None:
        return unknown(f"could not tell whether {config.account} is signed in", "gcloud's database cannot be read.", do.list_accounts({}))
    impersonated = config.properties.get("auth/impersonate_service_account")
    if config.account in config.accounts or impersonated or (metadata and metadata.email == config.account):
        return passed(f"as {config.account}, in the configuration {config.name}")
    return failed(f"gcloud is set to {config.account}, which is not signed in", "", do.login({}), do.list_accounts({}))


def adc(context: Context) -> Finding:
    """Get a token as programs do, and find out whose it is."""
    try:
        principal = context.session.identify()
    except CloudError as error:
        diagnosis = diagnose_exception(error, "call", context.words)
        if error.kind == "no credentials" or diagnosis.id in SIGNED_OUT:
            return failed(diagnosis.title, diagnosis.why, *diagnosis.remedies)
        raise
    if principal.name is None:
        why = f"The credentials from {principal.source} are valid. Google does not say whose they are."
        return passed(f"as {principal}", why)
    if principal.sort == "metadata server":
        return passed(f"as this VM's service account, {principal.name}", "The checks below test what this service account may do.")
    return passed(f"as {principal}")


def match(context: Context) -> Finding:
    if context.environment.emulated:
        return not_applicable(EMULATED)
    principal, metadata = context.session.principal, context.environment.metadata
    account = context.environment.gcloud.account or (metadata.email if metadata else None)
    context.note("gcloud's account and that of programs", f"{account} and {principal}")
    if principal.name is None or account is None:
        return unknown(
            f"could not tell: gcloud acts as {account or 'no account'}, programs as {principal}", "", do.login_adc(context.words)
        )
    if principal.name.casefold() == account.casefold():
        return passed(f"both act as {account}")
    why = "Their credentials are separate: a fix run by gcloud may change another account than the one checked here."
    return warned(f"gcloud acts as {account}, programs as {principal.name}", why, do.login_adc(context.words), do.login({}))


def quota_project(context: Context) -> Finding:
    """Find the quota project: users' credentials do not name one by themselves."""
    session, project = context.session, context.target.project.value
    remedy = do.set_quota_project(context.words)
    if session.emulated:
        return emulated_quota_project(context)
    if session.principal.sort in ("service account", "metadata server"):
        return not_applicable("calls of a service account count against its own project")
    named = session.login.quota_project
    context.note("the quota project of the credentials", str(named))
    if not named:
        why = "Some APIs then count calls against a project of Google's where they are off, and report yours as off."
        return warned("the credentials name no quota project", why, remedy)
    if project and named.value != project:
        why = f"It is set by {named.source}. Each API has to be enabled there too."
        return warned(f"calls count against {named.value}, not against {project}", why, remedy)
    return passed(f"calls count against {named.value}")


def emulated_quota_project(context: Context) -> Finding:
    """Make a call: a scenario may count calls against another project."""
    try:
        context.fetch(projects.get_apis)
    except CloudError as error:
        diagnosis = diagnose_exception(error, "call", context.words)
        if diagnosis.id == "quota-project-foreign":
            return warned(diagnosis.title, diagnosis.why, *diagnosis.remedies)
    return not_applicable("the emulator needs no quota project")


CHECKS = (
    Check("account.gcloud", "gcloud signed in", "Is gcloud signed in?", gcloud, needs=("host.gcloud",)),
    Check("account.adc", "Default credentials", "Do programs have credentials that work?", adc, link=ADC),
    Check(
        "account.match", "Same account", "Do gcloud and programs act as the same account?", match, needs=("account.gcloud", "account.adc"),
    ),
    Check(
        "account.quota-project", "Quota project", "Do calls count against a project of yours?", quota_project, needs=("account.adc",),
        link=QUOTA_PROJECT,
    ),
)  # fmt: skip
