"""The handbook's own slips, and what gcloud says when it is not told enough."""

from __future__ import annotations

from heartbeat_core.diagnosis import remedies as do
from heartbeat_core.diagnosis.entry import Entry
from heartbeat_core.diagnosis.model import Remedy, Words

ONE_DASH = r"(?<![\w-])-(?P<flag>project|zone|accelerator-type|version)"


def two_dashes(words: Words) -> Remedy:
    """Write the whole command where one was to be created, the flag alone in any other."""
    flag = words.get("flag", "project")
    text = f"Write --{flag} with two dashes."
    return do.create_vm(words, text) if words.get("creates") else Remedy(text)


ENTRIES = (
    Entry(
        "one-dash",
        "-{flag} needs two dashes",
        "gcloud refuses a flag with one dash. The handbook's command to create a TPU VM has one before project.",
        (two_dashes,),
        (
            rf"tpu-vm[. ](?P<creates>create)\b(?:(?!\bgcloud\b).){{0,400}}{ONE_DASH}[= ]",
            rf"unrecognized arguments?:.{{0,200}}{ONE_DASH}=",
            rf"\bgcloud\b(?:(?!\bgcloud\b).){{0,400}}{ONE_DASH}[= ]",
        ),
    ),
    Entry(
        "unpinned-pip",
        "this installs a torch and a torch_xla that do not match",
        "The handbook's line names no versions: pip takes the newest torch, and torch_xla, which ends at an older one, does not say "
        "which it needs.",
        (do.install_pair, do.built_for_you),
        (
            # torch and torch_xla on one line of pip, the first or the second without a version
            r"pip3? install (?:(?!\bpip).){0,100}?(?<![\w-])torch(?![\w.=~<>\[-]).{0,60}?\btorch[_-]xla\b",
            r"pip3? install (?:(?!\bpip).){0,100}?\btorch[_-]xla(?:\[\w+\])?(?![\w.=~<>\[-])",
        ),
    ),
    Entry(
        "gcloud-no-zone",
        "gcloud does not know the zone",
        "The command names none, and none is set.",
        (do.set_zone,),
        (r"Failed to find attribute \[zone\]", r"property \[compute/zone\] is not (?:currently )?set", r"Error parsing \[zone\]"),
    ),
    Entry(
        "gcloud-no-project",
        "gcloud does not know the project",
        "The command names none, and none is set.",
        (do.list_projects, do.set_project),
        (
            r"required property \[(?:core/)?project\] is not (?:currently )?set",
            r"Failed to find attribute \[project\]",
            r"resource is not properly specified.{0,80}\[project\]",
        ),
    ),
    Entry(
        "gcloud-missing",
        "gcloud is not installed",
        "The shell finds no program of that name.",
        ("Install it: https://docs.cloud.google.com/sdk/docs/install",),
        (r"gcloud: (?:command )?not found", r"No such file or directory: '?gcloud\b"),
        (),
        "https://docs.cloud.google.com/sdk/docs/install",
    ),
)
