"""``heartbeat-tui runs``: list, label, compare, check and export the recordings there are."""

from __future__ import annotations

import argparse
import gc
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

from heartbeat_core.benchmark.report import report_json
from heartbeat_core.charts.recorded import run_chart, runs_overlay
from heartbeat_core.charts.trend import trend_chart
from heartbeat_core.columns import cut, sort_rows, text_table, turned
from heartbeat_core.comparison.compare import CheckVerdict, check, compare_all, figures_of
from heartbeat_core.comparison.groups import MeasuredRun, by_plan, check_turn, is_reference, measure, measure_each, price_notes, titles_of
from heartbeat_core.comparison.trend import like_runs, named_runs, trend_of
from heartbeat_core.errors import COULD_NOT_TELL, HeartbeatError
from heartbeat_core.launcher import Launcher
from heartbeat_core.recordings.entry import RunEntry
from heartbeat_core.recordings.index import Index
from heartbeat_core.recordings.labels import Relabel
from heartbeat_core.recordings.query import query_runs
from heartbeat_core.recordings.recording import load, recorded_report
from heartbeat_core.settings import load_settings
from heartbeat_core.units import format_bytes, format_count
from heartbeat_tui.commands.chart_output import print_chart
from heartbeat_tui.commands.console import Actions, add_action, agreed, print_answer, print_error, print_json, print_notes, print_status
from heartbeat_tui.commands.options import number_below, share
from heartbeat_tui.runs.compared import comparison_lines, trend_lines
from heartbeat_tui.runs.rows import COLUMNS, RunRow, attempts, run_row

SORTS = tuple(column.key for column in COLUMNS if column.sort is not None)
EXPORT_FORMATS = ("csv", "json", "md", "png", "svg", "pdf")  # spelled out, because --help must not import the engine; a test compares them
RUN = "an id or the beginning of one, a name, a path, or: last"
GROUP = 'a run, or several: a group, a folder, "tag:slow dtype:float32", or with commas between'


def register(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Without an action: list. Recordings are files: one copied here from another machine is listed too. Nothing is deleted "
        "without asking."
    )
    actions = parser.add_subparsers(metavar="ACTION")
    listing = add(actions, "list", list_runs, "list the recordings, the newest first")
    listing.add_argument("words", nargs="*", metavar="WORD", help="only runs that match every word; tag:slow looks at the tags alone")
    listing.add_argument("--sort", choices=SORTS, default="started")
    listing.add_argument("--reverse", action="store_true", help="reverse the order")
    listing.add_argument("--limit", type=int, metavar="N", help="only the first N")
    listing.add_argument("--all", action="store_true", help="also attempts that ended before their first sample (JSON always has them)")
    listing.add_argument("--wide", action="store_true", help="with rate, samples, host, group and size")
    parser.set_defaults(run=lambda _args: list_runs(listing.parse_args([])))
    add(actions, "show", show_run, "report on a run as bench does", single=True, plot="print its latencies below the table")
    naming = add(actions, "name", lambda args: change_label(args, Relabel(name=args.name)), "name a run", single=True, aliases=("rename",))
    naming.add_argument("name", metavar="NAME", help='"" removes the name')
    noting = add(actions, "note", lambda args: change_label(args, Relabel(note=args.note)), "add a note to a run", single=True)
    noting.add_argument("note", metavar="TEXT", help='"" removes the note')
    tagging = add(actions, "tag", tag_run, "tag a run", single=True)
    tagging.add_argument("tags", nargs="*", metavar="TAG")
    tagging.add_argument("--remove", nargs="+", action="extend", default=[], metavar="TAG", help="remove these tags")
    deleting = add(actions, "delete", delete_runs, "delete recordings; asks first")
    deleting.add_argument("runs", nargs="+", metavar="RUN", help=RUN)
    deleting.add_argument("--yes", action="store_true", help="do not ask")
    purpose = "show by what factor runs differ, with its confidence interval"
    comparing = add(actions, "compare", compare_runs, purpose, plot="print their latencies in one chart below the table")
    comparing.add_argument("reference", metavar="REFERENCE", help=GROUP)
    purpose = "the same; none: the group REFERENCE is divided by config, and the config given first is the reference"
    comparing.add_argument("candidates", nargs="*", metavar="CANDIDATE", help=purpose)
    add_rate(comparing)
    checking = add(actions, "check", check_runs, "exit 1 if the candidate is slower than the baseline, 0 if not, 3 if that is not certain")
    checking.add_argument("baseline", metavar="BASELINE", help=GROUP)
    checking.add_argument("candidate", metavar="CANDIDATE", help=GROUP)
    checking.add_argument(
        "--max-slowdown", type=share, default=0.05, metavar="SHARE", help="exit 1 where it is slower by more than this, surely; default 5%%"
    )
    purpose = "answer even by one process a side, or by runs that are not plausible"
    checking.add_argument("--single-process", action="store_true", help=purpose)
    purpose = "show one benchmark over time, and where it changed"
    trending = add(actions, "trend", show_trend, purpose, plot="print its medians in a chart below the table")
    which = trending.add_mutually_exclusive_group(required=True)
    which.add_argument("name", nargs="?", metavar="NAME", help="of its runs, their group or tag; or words such as tag:nightly")
    which.add_argument("--config-of", metavar="RUN", help="all runs with the config, device and host of this one")
    trending.add_argument(
        "--max-change", type=share, default=0.05, metavar="SHARE", help="by how much runs may differ that did not change; default 5%%"
    )
    trending.add_argument("--limit", type=int, default=50, metavar="N", help="only the newest N runs; default 50")

    purpose = "write a run, a comparison or a sweep as CSV, JSON, Markdown or charts"
    more = "Write a run, a comparison with the first one, or the group of a sweep. CSV of one run has a line a sample."
    exporting = add_action(actions, "export", run_export, purpose, more)
    exporting.add_argument("groups", nargs="+", metavar="RUN", help=GROUP)
    exporting.add_argument("--format", choices=EXPORT_FORMATS, help="default: as the file's name ends")
    exporting.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: stdout")
    exporting.add_argument("--trend", action="store_true", help="the runs named RUN as one benchmark over time: a chart, or JSON")
    exporting.add_argument("--force", action="store_true", help="overwrite FILE")
    add_rate(exporting)


def add(
    actions: Actions,
    name: str,
    function: Callable[[argparse.Namespace], int],
    what: str,
    *,
    single: bool = False,
    aliases: tuple[str, ...] = (),
    plot: str = "",
) -> argparse.ArgumentParser:
    """Add one action; a ``single`` one is about one run, ``plot`` says what its --plot prints."""
    parser = add_action(actions, name, function, what, aliases=aliases)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one object of JSON")
    if plot:
        form.add_argument("--plot", action="store_true", help=plot)
    if single:
        parser.add_argument("which", metavar="RUN", help=RUN)
    return parser


def add_rate(parser: argparse.ArgumentParser) -> None:
    purpose = "what an hour costs, by chip, host or backend: v6e=2.70"
    parser.add_argument("--rate", type=rate, action="append", default=[], metavar="DEVICE=USD", help=purpose)


def rate(text: str) -> tuple[str, float]:
    """Read "v6e=2.70"; raise ArgumentTypeError."""
    device, _, price = text.rpartition("=")
    return device, number_below(1e6, price if device else "", f"{text!r} is not a rate; try v6e=2.70, US dollars an hour")


def open_index() -> Index:
    """Return the index of the recordings folder in the settings."""
    with closing(Launcher(load_settings())) as launcher:
        return launcher.index()


def show_progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        print_status(f"\r\x1b[K{done:,} of {total:,} recordings read" if done < total else "\r\x1b[K", end="")


def list_runs(args: argparse.Namespace) -> int:
    """List the recordings; return 0, whatever their state."""
    gc.disable()  # it would visit ten thousand runs again and again, and this program ends soon
    index = open_index()
    every = index.entries(show_progress)
    now = datetime.now(timezone.utc)
    _, descending = turned(COLUMNS, ("", False), args.sort)
    matching = query_runs(every, " ".join(args.words))
    found = [run_row(entry, now) for entry in matching if args.all or args.json or not entry.is_attempt]
    rows = sort_rows(COLUMNS, found, (args.sort, descending != args.reverse))
    shown = rows if args.limit is None else rows[: max(0, args.limit)]
    if args.json:
        values = {"folder": str(index.folder), "count": len(rows), "runs": [row.entry.to_json() for row in shown]}
        print_json({**values, "notes": list(index.notes)}, indent=None)  # on one line: indenting 10,000 runs takes half a second
        return 0
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() and not args.wide else None
    print("\n".join(list_lines(shown, len(every), index.folder, wide=args.wide, width=width)))
    if hidden := len(matching) - len(found):
        print_status(f"note: {attempts(hidden)} not listed; --all lists {'it' if hidden == 1 else 'them'}")
    print_notes(index.notes)
    return 0


def show_run(args: argparse.Namespace) -> int:
    """Report on one run; return 3 if its recording cannot be read."""
    index = open_index()
    entry = index.find(args.which)
    if not entry.readable:
        print_answer(args, {"run": entry.to_json(), "report": None}, label_lines(entry))
        return COULD_NOT_TELL
    series = load(entry.path)
    report = recorded_report(series, index.peak_cache)
    print_answer(args, {"run": entry.to_json(), "report": report_json(report, series)}, label_lines(entry))
    if args.json:
        return 0
    from heartbeat_tui.commands.bench_output import print_report

    print_report(report, entry.path)
    if args.plot:
        print_chart(partial(run_chart, report, series))
    return 0


def tag_run(args: argparse.Namespace) -> int:
    if not args.tags and not args.remove:
        remedy = "Name one: heartbeat-tui runs tag RUN TAG; --remove TAG removes one."
        raise HeartbeatError("no tag is given", "runs tag adds and removes tags.", remedy)
    return change_label(args, Relabel(add_tags=tuple(args.tags), remove_tags=tuple(args.remove)))


def change_label(args: argparse.Namespace, change: Relabel) -> int:
    index = open_index()
    entry = index.label(index.find(args.which), change)
    print_answer(args, {"run": entry.to_json()}, label_lines(entry))
    return 0


def delete_runs(args: argparse.Namespace) -> int:
    """Delete recordings after a question; return 1 if the answer is no, or if some of them cannot be deleted."""
    index = open_index()
    entries = index.find_all(args.runs)
    what = "this recording" if len(entries) == 1 else f"these {len(entries)} recordings"
    now = datetime.now(timezone.utc)
    print_status("\n".join(table_lines([run_row(entry, now) for entry in entries])))
    if not agreed(args, f"Delete {what}, {format_bytes(sum(entry.bytes for entry in entries))}, for good?"):
        return 1
    failures = index.delete_all(entries)
    kept = {entry.path for entry, _ in failures}
    gone = [str(entry.path) for entry in entries if entry.path not in kept]
    for _, error in failures:
        print_error(error)
    if args.json:
        failed = [{"path": str(entry.path), "problem": f"{error.title}: {error.cause}"} for entry, error in failures]
        print_json({"deleted": gone, "failed": failed})
    else:
        print_status(f"{len(gone)} of {len(entries)} deleted." if failures else f"{len(gone)} deleted.")
    return 1 if failures else 0


def measured(index: Index, text: str) -> list[MeasuredRun]:
    """Read the runs of one group."""
    entries = index.find_all(text.split(","))
    for entry in entries if len(entries) > 1 else ():
        check_turn(entry)
    return [measure(entry, index.peak_cache) for entry in entries]


def groups_of(index: Index, args: argparse.Namespace) -> tuple[list[list[MeasuredRun]], list[str]]:
    """Read the reference and the candidates, with notes; a group alone is divided by config."""
    read = [measure_each(index.find_all(text.split(",")), index.peak_cache) for text in (args.reference, *args.candidates)]
    notes = [line for _, lines in read for line in lines]
    if args.candidates:
        return [runs for runs, _ in read], notes
    parts = by_plan(read[0][0])
    unknown = "the config that ran first: these recordings do not say which one was given first"
    why = "the config that was given first" if is_reference(parts[0]) else unknown
    return parts, [*notes, f"the reference is {titles_of(parts)[0]}, {why}"]


def compare_runs(args: argparse.Namespace) -> int:
    """Compare each candidate with the reference; return 3 if none of the comparisons can tell."""
    from heartbeat_tui.runs.library import known_rates

    parts, notes = groups_of(open_index(), args)
    made = compare_all(parts, known_rates(dict(args.rate)))
    groups = figures_of(made)
    notes += price_notes(groups)
    if not args.json:
        print_notes(notes)
    print_answer(args, {"comparisons": [comparison.to_json() for comparison in made], "notes": notes}, comparison_lines(made))
    if args.plot:
        print_chart(partial(runs_overlay, parts, groups))
    return COULD_NOT_TELL if all(comparison.kind == "cannot tell" for comparison in made) else 0


def check_runs(args: argparse.Namespace) -> int:
    """Print whether the candidate is slower than allowed; return the exit code of the answer."""
    index = open_index()
    checked = check(measured(index, args.baseline), measured(index, args.candidate), args.max_slowdown, single_process=args.single_process)
    print_answer(args, checked.to_json(), check_lines(checked))
    return checked.exit_code


def show_trend(args: argparse.Namespace) -> int:
    """Print the runs of one benchmark from the oldest to the newest, with the changes."""
    index = open_index()
    entries = index.entries(show_progress)
    like = index.find(args.config_of) if args.config_of is not None else None
    found = like_runs(entries, like) if like else named_runs(entries, args.name)
    title = f"runs like {like.title}" if like else args.name
    trend = trend_of(found, index.peak_cache, title, allowed=args.max_change, most=args.limit)
    print_answer(args, trend.to_json(), (line for line, _ in trend_lines(trend)))
    if args.plot:
        print_chart(partial(trend_chart, trend))
    return 0


def run_export(args: argparse.Namespace) -> int:
    """Write what is named, to stdout or to a new file; raise HeartbeatError where neither a flag nor the file names the format."""
    from heartbeat_core.export.export import FORMATS, PICTURES, export_runs, export_trend, write_export
    from heartbeat_tui.runs.library import known_rates

    format_ = args.format or (args.output.suffix.removeprefix(".").lower() if args.output else "")
    if format_ not in FORMATS:
        raise HeartbeatError("the format is not given", f"There are {', '.join(FORMATS)}.", "Add --format md, or -o FILE.md.")
    if args.output is None and format_ in PICTURES and sys.stdout.isatty():
        raise HeartbeatError("no file is given", "A picture cannot be shown in a terminal.", f"Add -o FILE.{format_}.")
    index = open_index()
    if args.trend:
        content, left_out = export_trend(named_runs(index.entries(), args.groups[0]), args.groups[0], format_, index)
    else:
        groups = [index.find_all(text.split(",")) for text in args.groups]
        content, left_out = export_runs(groups, format_, index, known_rates(dict(args.rate)))
    print_notes(left_out)
    if args.output is None:
        sys.stdout.buffer.write(content)
        return 0
    write_export(args.output, content, force=args.force)
    print_status(f"{args.output}: {len(content):,} bytes")
    return 0


def list_lines(rows: Sequence[RunRow], count: int, folder: Path, *, wide: bool, width: int | None) -> Iterator[str]:
    """Return the lines of the list, and below them how many of the ``count`` recordings they are."""
    if not rows:
        yield f"No recording in {folder} matches." if count else f"No recording in {folder}. heartbeat-tui bench makes one."
        return
    yield from table_lines(rows, wide=wide, width=width)
    size = format_bytes(sum(row.entry.bytes for row in rows))
    runs = f"{count} run" if count == 1 else f"{format_count(count)} runs"
    yield f"{f'{len(rows)} of {runs}' if len(rows) < count else runs} in {folder}, {size}"


def table_lines(rows: Sequence[RunRow], *, wide: bool = False, width: int | None = None) -> Iterator[str]:
    """Return a line for each run, and below it what is wrong with it."""
    titles, *lines = text_table(COLUMNS, rows, wide=wide, width=width)
    yield titles
    for row, line in zip(rows, lines, strict=True):
        yield line
        if row.entry.problem:
            yield cut(f"  {row.entry.status}: {row.entry.problem}", width or sys.maxsize)


def label_lines(entry: RunEntry) -> Iterator[str]:
    """Return the label of a run, and what is wrong with it."""
    yield f"{entry.id}  {entry.name}".rstrip()
    facts = {"tags: ": " ".join(entry.tags), "group: ": entry.group, "note: ": entry.note}
    facts |= {f"{entry.status}: ": entry.problem, "recorded on ": entry.host}
    yield from (f"{label}{text}" for label, text in facts.items() if text)


def check_lines(checked: CheckVerdict) -> Iterator[str]:
    """Return the answer, then the comparison behind it."""
    glyph = {"no regression": "✓", "regression": "✗", "cannot tell": "?"}[checked.answer]
    yield f"{glyph} {checked.answer}: {checked.sentence}"
    yield ""
    yield from comparison_lines([checked.comparison], verdict=False)
