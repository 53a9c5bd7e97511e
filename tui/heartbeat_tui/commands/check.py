"""``heartbeat-tui check``: run the readiness checks; print them as text, JSON or a fix plan."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from heartbeat_core.checks.check import Check
from heartbeat_core.checks.fix_plan import OPEN, follows, is_safe, open_results
from heartbeat_core.checks.registry import checks_for
from heartbeat_core.checks.result import GLYPHS, GROUPS, CheckReport, Result, count
from heartbeat_core.checks.runner import Runner
from heartbeat_core.errors import HeartbeatError, nearest, sanitize_line
from heartbeat_tui.commands.console import consequences, folded, print_answer
from heartbeat_tui.commands.options import add_cloud_flags, open_environment

EXIT = {True: 0, False: 1, None: 3}
DONE = ("pass", "warn", "not_applicable")


def register(parser: argparse.ArgumentParser) -> None:
    parser.description = "Run every check; nothing is changed. Exit 0 ready, 1 not ready, 2 bad usage, 3 could not tell."
    parser.add_argument("--only", nargs="+", action="extend", default=[], metavar="ID|GROUP", help="only these, and what they need")
    parser.add_argument("--skip", nargs="+", action="extend", default=[], metavar="ID|GROUP", help="all but these")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one object: schema, ready, principal, target, checks")
    form.add_argument("--fix-plan", action="store_true", help="print all fixes as a shell script, to read before running it")
    add_cloud_flags(parser)


def run(args: argparse.Namespace) -> int:
    """Run the checks, print them, and return 0, 1 or 3; raise HeartbeatError for an unknown name."""
    checks = choose(checks_for(args.only), args.only, args.skip)
    with open_environment(args) as (environment, label):
        runner = make_runner(checks, environment, args.timeout)
        try:
            runner.run(args.only or None)
        finally:
            runner.cancel()
        report = shown(runner, args.only)
    print_answer(args, {**report.to_json(), "emulated": label or None}, (plan_lines if args.fix_plan else text_lines)(report, label))
    return EXIT[report.ready]


def choose(checks: Iterable[Check], only: list[str], skip: list[str]) -> tuple[Check, ...]:
    """Return the checks to run; raise HeartbeatError for an unknown name, or where none is left."""
    checks = tuple(checks)
    known = {name for check in checks for name in (check.id, check.group)}
    for name in (*only, *skip):
        if name not in known and name not in (ids := [*(check.id for check in checks_for()), *GROUPS]):
            near = nearest(name, ids)
            cause = f"Did you mean {near}?" if near else f"Groups are {', '.join(GROUPS)}."
            raise HeartbeatError(f"there is no check or group {name}", cause, f"Checks are {', '.join(ids[: len(checks_for())])}.")
    kept = tuple(check for check in checks if check.id not in skip and check.group not in skip)
    if not any(not only or check.id in only or check.group in only for check in kept):
        raise HeartbeatError("no check is left", "--skip excludes all that --only names.", "Skip less.")
    return kept


def make_runner(checks: tuple[Check, ...], environment: Any, timeout_s: float | None) -> Runner:
    """Return a runner that shows its progress on stderr where that is a terminal."""
    runner = Runner(checks, environment, limit_s=timeout_s)
    if sys.stderr.isatty():
        begun: set[str] = set()

        def line(words: str) -> None:
            print(f"\r\x1b[K{words}", end="", file=sys.stderr, flush=True)

        def on_start(name: str) -> None:
            begun.add(name)
            line(f"{len(runner.results)}/{len(checks)} checking {name} …")

        def on_result(result: Result) -> None:
            begun.discard(result.id)
            line(f"{len(runner.results)}/{len(checks)} checking {', '.join(sorted(begun)[:2])} …" if begun else "")

        runner.on_start, runner.on_result = on_start, on_result
    return runner


def shown(runner: Runner, only: list[str]) -> CheckReport:
    """Return the report of the named checks, and of those they need that have not passed."""
    if not only:
        return runner.report()
    named = {check.id for check in runner.checks.values() if check.id in only or check.group in only}
    others = {result.id for result in runner.results.values() if result.status not in DONE}
    return runner.report(named | others)


INDENT = " " * 10
MOST_FIXES = 4
HOST = re.compile(r"[\w-]+(?:\.[\w-]+)*\.googleapis\.com")  # the same failure at another API is the same


def short_status(status: str) -> str:
    return "n/a" if status == "not_applicable" else status


def text_lines(report: CheckReport, label: str = "") -> Iterator[str]:
    """Yield the headline, each section with its counts, and why and the fixes of each open check."""
    part = set(GROUPS) - {"ray"} - {result.group for result in report.results}  # a part of the checks alone is not ready
    headline = report.headline() + (", as far as checked" if report.ready and part else "")
    yield sanitize_line(" · ".join(filter(None, (label, headline, *about(report)))))
    following = report.next
    shown: dict[object, str] = {}  # why and fixes -> the first check with them
    for title, results in report.sections():
        counts = "  ".join(f"{number} {short_status(status)}" for status, number in count(results).items())
        yield f"\n{title:<24} {counts}"
        for result in results:
            mark = "   ← next" if following and result.id == following.id else ""
            yield f"  {GLYPHS[result.status]} {short_status(result.status):<8} {result.id:<30} {sanitize_line(result.summary)}{mark}"
            if result.status in OPEN:
                same = shown.setdefault((HOST.sub("", result.why), result.remedies), result.id)
                again = same != result.id and bool(result.why or result.remedies)
                yield from lines("why", f"as for {same}") if again else details(result)


def about(report: CheckReport) -> Iterator[str]:
    """Yield target, project and principal, each with its source."""
    target = report.target
    if target:
        model = target.model.replace("on-demand", "on demand")
        yield f"{target.accelerator_type.value or 'no accelerator'} in {target.zone.value or 'no zone'}, {model}"
        yield f"project {target.project.value} (from {target.project.source})" if target.project else "no project"
    if report.principal:
        yield f"as {report.principal}"


def details(result: Result) -> Iterator[str]:
    if result.why:
        yield from lines("why", result.why)
    for number, fix in enumerate(result.remedies[:MOST_FIXES]):
        yield from lines("fix" if number == 0 else "or, then", fix.text)
        if fix.shell or fix.page:
            yield f"    {INDENT}{sanitize_line(fix.shell or fix.page or '')}"
            yield f"    {INDENT}{consequences(fix)}"
    if result.link:
        yield from lines("more", result.link)


def lines(label: str, text: str) -> Iterator[str]:
    return folded(text, f"    {label:<{len(INDENT)}}", f"    {INDENT}")


def plan_lines(report: CheckReport, label: str = "") -> Iterator[str]:
    """Yield the script; a fix that costs money, creates a project, deletes, is an alternative or has placeholders is a comment."""
    yield "#!/bin/sh"
    yield from comment(f"Fixes of heartbeat-tui check: {report.headline()}.{f' {label}.' if label else ''}")
    yield from comment("Read it before running it. Lines that begin with '#? ' need your decision, or a value filled in.")
    if label:
        yield from comment(
            "It is for an emulated Google Cloud: point gcloud at it as heartbeat-tui emulator prints, or it changes the real one."
        )
    yield "set -eu"
    done: set[tuple[str, ...]] = set()
    for result in open_results(report):
        yield ""
        yield from step(result, done)
    planned = {result.id for result in open_results(report)}
    waiting = [result for result in report.results if result.status in ("blocked", "unknown") and result.id not in planned]
    if waiting:
        yield ""
        yield from comment("Not checked yet, or not possible to tell. Check again afterwards:")
        yield from (f"#   {result.id}: {sanitize_line(result.summary)}" for result in waiting)


def step(result: Result, done: set[tuple[str, ...]]) -> Iterator[str]:
    """Yield the fixes of one check; ``done`` holds the commands that are in the script already."""
    yield from comment(f"{result.title} ({result.id}), {result.status}: {result.summary}")
    fixed = False
    for fix in result.remedies:
        yield from comment(f"  {fix.text} {consequences(fix) if fix.shell or fix.page else ''}")
        if fix.page:
            yield from comment(f"  {fix.page}")
        if not fix.command or not fix.shell:
            continue
        if fix.command in done:
            yield from comment("  Done above.")
            fixed = fixed or bool(fix.changes)
        elif is_safe(fix) and not fix.missing and (not fixed or follows(fix)):
            yield sanitize_line(fix.shell)
            done.add(fix.command)
            fixed = bool(fix.changes)
        else:
            yield f"#? {sanitize_line(fix.shell)}"


def comment(text: str) -> Iterator[str]:
    indent = " " * (len(text) - len(text.lstrip()))
    return folded(text, "# ", f"# {indent}")
