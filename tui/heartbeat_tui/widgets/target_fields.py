"""The fields of a target: what is wrong with one is said as it is typed, and what there is to choose from."""

from __future__ import annotations

import re
from collections.abc import Mapping

from heartbeat_core.cloud.accelerators import FAMILIES, find_accelerator, runtime_fits
from heartbeat_core.cloud.target import PROVISIONING, Target
from heartbeat_tui.checks_messages import Offers
from heartbeat_tui.widgets.form_fields import Field, Note

FIELDS = (
    Field("project", "project", "the id of the project"),
    Field("zone", "zone", "where the TPU VM is to be"),
    Field("accelerator_type", "accelerator", "generation and size: v6e-1"),
    Field("runtime_version", "runtime", "the image of the TPU VM"),
    Field("provisioning", "provisioning", "on demand, spot (taken back when needed) or reserved", PROVISIONING),
    Field("service_account", "account of VM", "empty: one that holds TPU Admin is looked for"),
)
OPTIONAL = ("service_account",)
PROJECT = re.compile(r"(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]")
ZONE = re.compile(r"[a-z]+-[a-z]+\d+-[a-z]")
RUNTIME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
LISTED = {"project": "projects", "zone": "zones", "accelerator_type": "accelerator_types", "runtime_version": "runtime_versions"}
MOST_SHOWN = 4


def texts_of(target: Target) -> dict[str, str]:
    """Write a target into its fields."""
    return {field.name: getattr(target, field.name).value or "" for field in FIELDS}


def options(name: str, offers: Offers | None) -> tuple[str, ...]:
    """List what a field may be completed to."""
    listed: tuple[str, ...] = getattr(offers, LISTED[name]) if offers and name in LISTED else ()
    if name == "runtime_version":
        known = tuple(dict.fromkeys(family.runtime for family in FAMILIES))
        return listed or known
    return listed


def note_of(name: str, texts: Mapping[str, str], offers: Offers | None) -> Note | None:
    """Say what is wrong or doubtful in a field, None where it is fine."""
    text = texts[name].strip()
    if not text:
        return None if name in OPTIONAL else Note("It is needed.", "failed")
    malformed = {
        "project": (PROJECT, "6 to 30 small letters, digits and hyphens, a letter first: llm-dev-42."),
        "zone": (ZONE, "A zone is written like us-central1-b."),
        "runtime_version": (RUNTIME, "A runtime is written like v2-alpha-tpuv6e."),
        "service_account": (ADDRESS, "It is an e-mail address."),
    }
    if name in malformed and not malformed[name][0].fullmatch(text):
        return Note(malformed[name][1], "failed")
    listed = options(name, offers) if name in LISTED and offers and getattr(offers, LISTED[name]) else ()
    if name == "accelerator_type":
        return accelerator_note(text, texts["zone"], listed)
    if name == "runtime_version":
        return runtime_note(text, texts["accelerator_type"], listed)
    if listed and text not in listed:
        what = {"project": "You cannot see this project.", "zone": "No TPUs there."}[name]
        return Note(f"{what} There {'is' if len(listed) == 1 else 'are'} {some(listed)}.", "attention")
    return None


def accelerator_note(text: str, zone: str, listed: tuple[str, ...]) -> Note | None:
    if listed and text not in listed:
        return Note(f"{zone} does not offer it, but {some(closest(text, listed))}.", "attention")
    if not listed and find_accelerator(text) is None:
        return Note("Not known here; it is written like v6e-1 or v5litepod-4.", "attention")
    return None


def runtime_note(text: str, accelerator_type: str, listed: tuple[str, ...]) -> Note | None:
    accelerator = find_accelerator(accelerator_type)
    if accelerator and runtime_fits(accelerator, text) is False:
        return Note(f"It has no driver for {accelerator.type}; {accelerator.family.runtime} has.", "attention")
    if listed and text not in listed:
        return Note("The zone does not offer it.", "attention")
    return None


def closest(text: str, listed: tuple[str, ...]) -> tuple[str, ...]:
    """Put those of the same generation first."""
    prefix = text.partition("-")[0]
    return tuple(sorted(listed, key=lambda name: not name.startswith(prefix)))


def matching(name: str, text: str, offers: Offers | None) -> tuple[str, ...]:
    """List what the text may be completed to."""
    return tuple(option for option in options(name, offers) if option.casefold().startswith(text.strip().casefold()))


def some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - MOST_SHOWN} more" if len(names) > MOST_SHOWN else ""
    return ", ".join(names[:MOST_SHOWN]) + more


def runtime_for(accelerator_type: str) -> str | None:
    """Name the runtime that goes with a type, None where that is not known."""
    accelerator = find_accelerator(accelerator_type)
    return accelerator.family.runtime if accelerator else None


def changed(texts: Mapping[str, str], before: Mapping[str, str]) -> dict[str, str]:
    """Give the fields that say something else than before."""
    return {name: texts[name].strip() for name in (field.name for field in FIELDS) if texts[name].strip() != before[name]}
