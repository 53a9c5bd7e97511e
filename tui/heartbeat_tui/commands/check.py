"""``heartbeat-tui check``: whether this project, this account and this machine are ready for a TPU."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable, Iterator
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from heartbeat_core.checks.result import GLYPHS, GROUPS, Result, count
from heartbeat_core.errors import sanitize_line
from heartbeat_tui.commands.console import WIDTH, folded
from heartbeat_tui.commands.options import add_cloud_flags, open_environment

if TYPE_CHECKING:
    from heartbeat_core.checks.check import Check
    from heartbeat_core.checks.result import CheckReport, Result
    from heartbeat_core.checks.runner import Runner
    from heartbeat_core.diagnosis.model import Remedy


EXIT = {True: 0, False: 1, None: 3}
DONE = ("pass", "warn", "not_applicable")


def register(commands: argparse._SubParsersAction[Any]) -> None:
    parser = commands.add_parser(
        "check",
        help="see whether project, account and machine are ready for a TPU",
        description="Ask every question of the checklist; nothing is changed. Exit 0 ready, 1 not ready, 2 bad usage, 3 could not tell.",
    )
    parser.add_argument("--only", nargs="+", action="extend", default=[], metavar="ID|GROUP", help="these alone, and what they depend on")
    parser.add_argument("--skip", nargs="+", action="extend", default=[], metavar="ID|GROUP", help="all but these")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one object: schema, ready, principal, target, checks")
    form.add_argument("--fix-plan", action="store_true", help="print what mends it all as a shell script, to read before running")
    add_cloud_flags(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Ask, print, and return 0, 1 or 3; raise HeartbeatError for names that no check has."""
    from heartbeat_core.checks.registry import checks_for

    checks = choose(checks_for(args.only), args.only, args.skip)
    with open_environment(args) as (environment, label):
        runner = make_runner(checks, environment, args.timeout)
        try:
            runner.run(args.only or None)
        finally:
            runner.cancel()
        report = shown(runner, args.only)
    if args.json:
        print(json.dumps({**report.to_json(), "emulated": label or None}, indent=1))
    elif args.fix_plan:
        print("\n".join(plan_lines(report, label)))
    else:
        print("\n".join(text_lines(report, label)))
    return EXIT[report.ready]


def choose(checks: Iterable[Check], only: list[str], skip: list[str]) -> tuple[Check, ...]:
    """Leave out what is to be skipped; raise HeartbeatError for a name that no check and no group has, or where nothing is left."""
    from heartbeat_core.errors import HeartbeatError

    checks = tuple(checks)
    known = {name for check in checks for name in (check.id, check.group)}
    for name in (*only, *skip):
        if name not in known:
            refuse(name)
    kept = tuple(check for check in checks if check.id not in skip and check.group not in skip)
    if not any(not only or check.id in only or check.group in only for check in kept):
        raise HeartbeatError("no check is left", "--skip takes away all that --only names.", "Skip less.")
    return kept


def refuse(name: str) -> None:
    import difflib

    from heartbeat_core.checks.registry import CHECKS
    from heartbeat_core.checks.result import GROUPS
    from heartbeat_core.errors import HeartbeatError

    ids = [check.id for check in CHECKS]
    if name in (*ids, *GROUPS):
        return  # one that --only has left out
    nearest = difflib.get_close_matches(name, [*ids, *GROUPS], n=1, cutoff=0.4)
    cause = f"Did you mean {nearest[0]}?" if nearest else f"Groups are {', '.join(GROUPS)}."
    raise HeartbeatError(f"there is no check or group {name}", cause, f"Checks are {', '.join(ids)}.")


def make_runner(checks: tuple[Check, ...], environment: Any, timeout_s: float | None) -> Runner:
    """Make a runner that tells its progress on stderr where that is a terminal."""
    from heartbeat_core.checks.runner import Runner

    runner = Runner(checks, environment, limit_s=timeout_s)
    if sys.stderr.isatty():
        begun: set[str] = set()

        def line(words: str) -> None:
            print(f"\r\x1b[K{words}", end="", file=sys.stderr, flush=True)

        def on_start(name: str) -> None:
            begun.add(name)
            line(f"{len(runner.results)}/{len(checks)} asking {name} …")

        def on_result(result: Result) -> None:
            begun.discard(result.id)
            line(f"{len(runner.results)}/{len(checks)} asking {', '.join(sorted(begun)[:2])} …" if begun else "")

        runner.on_start, runner.on_result = on_start, on_result
    return runner


def shown(runner: Runner, only: list[str]) -> CheckReport:
    """Give what was asked for, and of what that depends on whatever has not passed."""
    if not only:
        return runner.report()
    named = {check.id for check in runner.checks.values() if check.id in only or check.group in only}
    others = {result.id for result in runner.results.values() if result.status not in DONE}
    return runner.report(named | others)


INDENT = " " * 10
OPEN = ("fail", "warn", "unknown")
MOST_REMEDIES = 4
HOST = re.compile(r"[\w-]+(?:\.[\w-]+)*\.googleapis\.com")  # the same failure at another API is the same


def words_of(status: str) -> str:
    return "n/a" if status == "not_applicable" else status


def text_lines(report: CheckReport, label: str = "") -> Iterator[str]:
    """Write the headline, each group with what it counts, and for what is open why and what mends it."""
    yield sanitize_line(" · ".join(part for part in (label, headline(report), *about(report)) if part))
    following = report.next
    said: dict[object, str] = {}  # why and remedies -> the check that said them first
    for title, results in report.sections():
        counts = "  ".join(f"{number} {words_of(status)}" for status, number in count(results).items())
        yield f"\n{title:<24} {counts}"
        for result in results:
            mark = "   ← next" if following and result.id == following.id else ""
            yield f"  {GLYPHS[result.status]} {words_of(result.status):<8} {result.id:<30} {sanitize_line(result.summary)}{mark}"
            if result.status in OPEN:
                same = said.setdefault((HOST.sub("", result.why), result.remedies), result.id)
                again = same != result.id and bool(result.why or result.remedies)
                yield from lines("why", f"as for {same}") if again else details(result)


def headline(report: CheckReport) -> str:
    """Say what it comes to; a part of the checklist makes nobody ready."""
    part = set(GROUPS) - {result.group for result in report.results}
    return report.headline() + (", as far as asked" if report.ready and part else "")


def about(report: CheckReport) -> Iterator[str]:
    """Say what and who it is about, each with its source."""
    target = report.target
    if target:
        model = {"on-demand": "on demand"}.get(target.model, target.model)
        yield f"{target.accelerator_type.value or 'no accelerator'} in {target.zone.value or 'no zone'}, {model}"
        yield f"project {target.project.value} (from {target.project.source})" if target.project else "no project"
    if report.principal:
        yield f"as {report.principal}"


def details(result: Result) -> Iterator[str]:
    if result.why:
        yield from lines("why", result.why)
    for number, remedy in enumerate(result.remedies[:MOST_REMEDIES]):
        yield from lines("remedy" if number == 0 else "or, then", remedy.text)
        if remedy.shell or remedy.page:
            yield f"    {INDENT}{sanitize_line(remedy.shell or remedy.page or '')}"
            yield f"    {INDENT}{consequences(remedy)}"
    if result.link:
        yield from lines("more", result.link)


def lines(label: str, text: str) -> Iterator[str]:
    return folded(text, f"    {label:<{len(INDENT)}}", f"    {INDENT}")


def consequences(remedy: Remedy) -> str:
    """Say what a remedy changes, what it costs and what it wants."""
    notes = [f"changes: {remedy.changes}" if remedy.changes else "changes nothing"]
    notes.append({True: "costs money", False: "costs nothing", None: "may cost money"}[remedy.costs])
    notes += ["asks in the terminal"] if remedy.interactive else []
    notes += [f"fill in {', '.join(remedy.missing)}"] if remedy.missing else []
    return sanitize_line(f"({' · '.join(notes)})")


TO_MEND = ("fail", "warn", "unknown")


def plan_lines(report: CheckReport, label: str = "") -> Iterator[str]:
    """Write the script; what costs money, creates a project, deletes, is a second way or lacks a word stands in it as a comment."""
    yield "#!/bin/sh"
    yield from comment(f"What heartbeat-tui check would mend: {report.headline()}.{f' {label}.' if label else ''}")
    yield from comment("Read it before running it. Lines that begin with '#? ' want a decision of yours, or something filled in.")
    if label:
        yield from comment(
            "It is for an emulated Google Cloud: point gcloud at it as heartbeat-tui emulator says, or it meets the real one."
        )
    yield "set -eu"
    done: set[tuple[str, ...]] = set()
    for result in report.results:
        if result.status in TO_MEND and result.remedies:
            yield ""
            yield from step(result, done)
    waiting = [result for result in report.results if result.status == "blocked"]
    if waiting:
        yield ""
        yield from comment("Not asked yet, for what blocks it comes first. Check again afterwards:")
        yield from (f"#   {result.id}: {sanitize_line(result.summary)}" for result in waiting)


def step(result: Result, done: set[tuple[str, ...]]) -> Iterator[str]:
    """Write what mends one check; ``done`` holds the commands that stand in the script already."""
    yield from comment(f"{result.id}, {result.status}: {result.summary}")
    mended = False
    for remedy in result.remedies:
        yield from comment(f"  {remedy.text} {consequences(remedy) if remedy.shell or remedy.page else ''}")
        if remedy.page:
            yield from comment(f"  {remedy.page}")
        if not remedy.command or not remedy.shell:
            continue
        if remedy.command in done:
            yield from comment("  Done above.")
            mended = mended or bool(remedy.changes)
        elif safe(remedy) and (not mended or "add-iam-policy-binding" in remedy.command):  # a further role is no second way
            yield sanitize_line(remedy.shell)
            done.add(remedy.command)
            mended = bool(remedy.changes)
        else:
            yield f"#? {sanitize_line(remedy.shell)}"


def safe(remedy: Remedy) -> bool:
    """Say whether a command may stand in the script as it is."""
    # a project that cannot be seen may be somebody's, or misspelt: whether to create it is for a person to say
    decision = "delete" in remedy.changes or remedy.changes == "creates a project" or remedy.text.startswith("Or ")
    return remedy.costs is not True and not remedy.missing and not decision


def comment(text: str) -> Iterator[str]:
    indent = " " * (len(text) - len(text.lstrip()))
    for line in wrap(sanitize_line(text), WIDTH, break_long_words=False, break_on_hyphens=False) or [""]:
        yield f"# {indent if line[:1] != ' ' else ''}{line}".rstrip()
