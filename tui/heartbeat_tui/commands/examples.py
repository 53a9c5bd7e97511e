"""Two examples for each command, which its --help shows."""

from __future__ import annotations

EXAMPLES = {
    "": ("--start --batch 1", "--demo ready"),
    "bench": ("bench --batch 1 --duration 30s", "bench --repeat 5 --vs backend=xla --json"),
    "tour": ("tour", "tour --text"),
    "devices": ("devices", "devices --json --python ~/venv/bin/python"),
    "fleet": ("fleet check hosts-1f2e3d4c", "fleet check --on ray --max-slow 3% --json"),
    "fleet check": ("fleet check tag:nightly", "fleet check --on my-slice:all --duration 30s"),
    "runs": ("runs", "runs compare nightly last"),
    "runs list": ("runs list tag:nightly --wide", "runs list --sort median --limit 10 --json"),
    "runs show": ("runs show last --plot", "runs show 4f1c2a --json"),
    "runs name": ("runs name last baseline", 'runs name baseline ""'),
    "runs note": ('runs note last "after the update of torch"', 'runs note 4f1c2a ""'),
    "runs tag": ("runs tag last nightly", "runs tag 4f1c2a --remove nightly"),
    "runs delete": ("runs delete 4f1c2a", "runs delete tag:trial --yes"),
    "runs compare": ("runs compare baseline last --plot", "runs compare cpu tpu --rate v6e=2.70"),
    "runs check": ("runs check baseline nightly", "runs check baseline nightly --max-slowdown 2%"),
    "runs trend": ("runs trend nightly --plot", "runs trend --config-of last --json"),
    "runs export": ("runs export last -o run.csv", "runs export baseline last -o comparison.md"),
    "chips": ("chips --watch", "chips --on my-tpu:0 --json"),
    "replay": ("replay run.jsonl", "replay run.jsonl --speed 4"),
    "backend": ("backend list", "backend install xla"),
    "backend list": ("backend list", "backend list --json"),
    "backend install": ("backend install xla", "backend install xla --python python3.12 --yes"),
    "backend remove": ("backend remove xla", "backend remove xla --yes"),
    "emulator": ("emulator --scenario quota-used", "emulator --list"),
    "explain": ('explain "Quota limit TPUV6EPerProjectPerZone exceeded"', "explain - --json"),
    "check": ("check --project my-project --fix-plan", "check --demo quota-used --only quota"),
    "vms": ("vms list", "vms create --spot --dry-run"),
    "vms list": ("vms list --wide", "vms list --zone us-central1-b --json"),
    "vms describe": ("vms describe my-tpu", "vms describe my-tpu --queued --json"),
    "vms create": (
        "vms create my-tpu --accelerator-type v6e-1 --dry-run",
        "vms create --spot --keep-trying --zones us-central1-b,us-east5-b",
    ),
    "vms watch": ("vms watch my-tpu", "vms watch my-tpu --until READY --timeout 30m"),
    "vms start": ("vms start my-tpu", "vms start my-tpu --no-wait --yes"),
    "vms stop": ("vms stop my-tpu", "vms stop my-tpu other-tpu --yes"),
    "vms delete": ("vms delete my-tpu", "vms delete my-tpu --queued --yes"),
    "vms ssh": ("vms ssh my-tpu", "vms ssh my-tpu:1 --print"),
    "vms setup": ("vms setup my-tpu", "vms setup my-tpu --print"),
    "settings": ("settings", "settings set beat.batch 1"),
    "settings path": ("settings path", "settings path | xargs less"),
    "settings set": ("settings set beat.batch 1", "settings set recordings.save false"),
    "settings unset": ("settings unset beat.batch", "settings unset recordings.save"),
    "report": ("report > report.json", "report --no-devices --project my-project"),
    "completion": ("completion bash > ~/.local/share/bash-completion/completions/heartbeat-tui", "completion zsh"),
}


def examples_of(prog: str) -> str:
    """Return the examples of the command that a parser is of, by its name: "heartbeat-tui runs list"."""
    name, _, command = prog.partition(" ")
    return "".join(f"  {name} {example}\n" for example in EXAMPLES.get(command, ()))
