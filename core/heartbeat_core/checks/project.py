"""Checks of the project: that it exists, billing, and the APIs."""

from __future__ import annotations

import functools

from heartbeat_core.checks.check import EXISTS, Check, Finding, failed, passed, unknown, warned
from heartbeat_core.checks.context import Context
from heartbeat_core.cloud import projects
from heartbeat_core.cloud.errors import CloudError
from heartbeat_core.diagnosis import remedies as do
from heartbeat_core.diagnosis.diagnose import diagnose_exception
from heartbeat_core.diagnosis.model import Remedy

OUT_OF_REACH = ("project-denied", "permission", "forbidden", "not-found")
BILLING = "https://docs.cloud.google.com/billing/docs/how-to/modify-project"
ENABLE = "https://docs.cloud.google.com/service-usage/docs/enable-disable"
ONLY_CHECKED = ("serviceusage", "cloudresourcemanager", "cloudbilling", "cloudquotas")  # creating a TPU VM needs none of these


def exists(context: Context) -> Finding:
    chosen, words = context.target.project, context.words
    if not chosen:
        why = "Neither --project nor PROJECT_ID nor gcloud's configuration names one."
        return failed("no project is chosen", why, do.list_projects(words), do.set_project(words), do.create_project(words))
    try:
        project = context.fetch(projects.get_project)
    except CloudError as error:
        diagnosis = diagnose_exception(error, "call", words)
        if diagnosis.id == "project-suspended":
            return failed(diagnosis.title, diagnosis.why, *diagnosis.remedies, do.suspended_page(words))
        if error.kind == "refused" and diagnosis.id in OUT_OF_REACH:
            why = f"Google gives the same answer for a missing project and for one you cannot see. It is set by {chosen.source}."
            fixes = (do.list_projects(words), do.list_accounts(words), do.create_project(words))
            return failed(f"{chosen.value} is missing or out of reach", why, *fixes)
        raise
    number = f", number {project.number}" if project.number else ""
    if project.state == "ACTIVE":
        return passed(f"{project.id}{number}", f"It is set by {chosen.source}.")
    if project.state == "DELETE_REQUESTED":
        undelete = ("gcloud", "projects", "undelete", project.id)
        remedy = Remedy("Restore it, within 30 days of its deletion.", undelete, changes="keeps the project")
        return failed(f"{project.id} is being deleted", "Nothing new can be created in it.", remedy)
    return unknown(f"{project.id} is in an unknown state: {project.state or 'none'}")


def billing(context: Context) -> Finding:
    words = context.words
    link = (do.list_billing_accounts(words), do.link_billing(words), do.billing_page(words))
    try:
        found = projects.get_billing(context.session, context.project)
    except CloudError as error:
        diagnosis = diagnose_exception(error, "call", words)
        if diagnosis.id != "api-disabled":
            raise
        # gcloud can link an account all the same: it calls the API for another project
        return unknown("could not tell: the Cloud Billing API is off", diagnosis.evidence, *link)
    if found.enabled:
        return passed(f"billing account {found.account}" if found.account else "enabled")
    if found.enabled is None:
        return unknown("could not tell: Google does not say whether billing is enabled", "", do.billing_page(words))
    summary = f"the billing account {found.account} is closed" if found.account else "no billing account is linked"
    why = "Without billing the APIs of TPUs and VMs refuse every call. Linking an account costs nothing; running TPU VMs do."
    return failed(summary, why, *link)


def api(context: Context, name: str) -> Finding:
    service = f"{name}.googleapis.com"
    words = {**context.words, "service": service}
    try:
        state = context.fetch(projects.get_apis).get(service)
    except CloudError as error:
        diagnosis = diagnose_exception(error, "call", words)
        if name == "serviceusage" and diagnosis.id == "api-disabled":
            return off(name, diagnosis.evidence, words)
        raise
    if state == "DISABLED":
        return off(name, "", words)
    return passed(f"{service} is on") if state == "ENABLED" else unknown(f"{service} is in an unknown state: {state or 'none'}")


def off(name: str, why: str, words: dict[str, str]) -> Finding:
    summary = f"{projects.APIS[name]} API is off"
    if name in ONLY_CHECKED:
        why = f"A TPU VM can be made without it, but some checks cannot be made. {why}".strip()
        return warned(summary, why, do.enable_api(words))
    return failed(summary, why or "A project can use an API only after it is enabled there.", do.enable_api(words))


CHECKS = (
    Check(
        "project.exists", "Project", "Does the project exist, and can you see it?", exists, ("account.adc",),
        "resourcemanager.projects.get",
    ),
    Check(
        "project.billing", "Billing enabled", "Is billing enabled for the project?", billing, EXISTS,
        "resourcemanager.projects.get", link=BILLING,
    ),
    *(
        # without project.exists: an API that is off is often why a project seems out of reach
        Check(
            f"api.{name}", f"{title} API", f"Is the {title} API on?", functools.partial(api, name=name), ("account.adc",),
            "serviceusage.services.get", link=ENABLE,
        )
        for name, title in projects.APIS.items()
    ),
)  # fmt: skip
