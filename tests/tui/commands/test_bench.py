"""``heartbeat-tui bench`` as its users run it: a program with arguments, streams and an exit code."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.program import Done, run_program

from heartbeat_core.benchmark.protocol import Ended, Samples, decode
from heartbeat_core.recordings.recording import load

LONG_S = 60.0
PROGRAM = [sys.executable, "-m", "heartbeat_tui"]
SMALL = ["--batch", "8", "--hidden", "64", "--intermediate", "64", "--threads", "1"]
# What a fake worker says of a run that went well.
DONE = (
    "start(); tell('environment', values={'host': 'h', 'torch': '0', 'threads': 1, 'order': order})"
    "; beat(0, 900_000, phase='cold'); beat(1, 500_000, 400_000, phase='warm-up'); beat(3, *(300_000 + 17 * i % 40 for i in range(40)))"
    "; tell('proof', row=3, error=1e-7, implies='float32', passed=True); tell('ended', reason='done')"
)
Bench = Callable[..., Done]


def bench(*arguments: str, env: dict[str, str] | None = None) -> Done:
    return run_program("bench", *arguments, env=env)


def recordings(home: Path) -> list[Path]:
    return list(home.rglob("*.jsonl"))


@contextmanager
def terminal() -> Iterator[tuple[int, int]]:
    """Open a terminal: our end and the program's."""
    ends = pty.openpty()
    try:
        yield ends
    finally:
        for end in ends:
            os.close(end)


@pytest.fixture
def fake_bench(fake_worker: Callable[[str], str]) -> Bench:
    """Run the bench on a fake worker."""
    return lambda body, *arguments: bench("--python", fake_worker(body), *arguments)


def test_the_json_is_one_object_of_schema_1(fake_bench: Bench) -> None:
    done = fake_bench(DONE, "--json")
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1
    made = json.loads(done.stdout)
    assert {name: type(value) for name, value in made.items()} == {
        "schema": int,
        "plan": dict,
        "environment": dict,
        "samples_ns": dict,
        "products_per_sample": int,
        "statistics": dict,
        "steady_state": dict,
        "split_ns": dict,
        "stages_ns": dict,
        "compile_ns": int,
        "compiles": int,
        "iterations_per_s": float,
        "at_the_median": dict,
        "quality": dict,
        "flops_per_s": float,
        "bytes_per_s": float,
        "floor": type(None),
        "share_of_floor": type(None),
        "verdict": dict,
        "proof": dict,
        "handbook": type(None),
        "health": type(None),
        "elapsed": type(None),
        "chips": type(None),
        "profile": type(None),
        "serving": type(None),
        "steps": list,
        "warnings": list,
        "labels": list,
        "ending": dict,
    }
    assert made["schema"] == 1
    assert made["samples_ns"] == {"cold": [900_000], "warmup": [500_000, 400_000], "steady": [300_000 + 17 * i % 40 for i in range(40)]}
    assert made["statistics"]["median_ns"] == 300_019.5
    assert made["verdict"]["kind"] in ("plausible", "suspicious", "impossible", "unknown")
    assert made["verdict"]["reason"]
    assert made["proof"]["passed"] is True


def test_the_text_ends_the_handbooks_way_and_then_says_more(fake_bench: Bench) -> None:
    done = fake_bench(DONE)
    assert done.returncode == 0
    assert "Total time for 40 iterations: 12.0008 ms\nAverage time per iteration: 0.3000 ms\n" in done.stdout
    for word in (
        "median",
        "95 % CI",
        "p90",
        "min",
        "max",
        "throughput",
        "FLOP/s",
        "memory",
        "GB/s",
        "cold",
        "verdict",
        "plausible",
    ):
        assert word in done.stdout
    assert "p99" not in done.stdout  # of 40 samples nobody knows it


@pytest.mark.parametrize(
    ("body", "code", "says"),
    [
        (DONE.replace("passed=True", "passed=False"), 1, ""),
        (
            "start(); tell('handbook', products=100, total_ns=9, launched=1, fence_ns=1, idle_fence_ns=1); tell('ended', reason='done')",
            1,
            "",
        ),
        ("start(); beat(0, 5); die(signal.SIGSEGV)", 1, "SIGSEGV"),
        ("start(); print('hello')", 1, "hello"),
        ("tell('failed', kind='plan', title='not so', cause='c', remedy='do this')", 2, "do this"),
        ("tell('failed', kind='backend', title='no device', cause='c', remedy='do that')", 3, "do that"),
    ],
)
@pytest.mark.parametrize("form", [[], ["--json"], ["--stream"]])
def test_the_exit_code_says_how_it_went(fake_bench: Bench, body: str, code: int, says: str, form: list[str]) -> None:
    done = fake_bench(body, *form)
    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    if form == ["--json"]:
        json.loads(done.stdout)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--iterations", "0"], "beat.iterations is 0"),
        (["--batch", "0"], "beat.batch is 0"),
        (["--batch", "1048576", "--hidden", "1048576", "--intermediate", "1048576"], "does not fit into memory"),
        (["--iterations", "3", "--duration", "3s"], "exclude one another"),
        (["--json", "--stream"], "exclude one another"),
        (["--json", "--plot"], "exclude one another"),
        (["--plot", "--stream"], "exclude one another"),
        (["--plot", "--repeat", "2"], "--repeat and --plot"),
        (["--plot", "--compare-methods"], "--compare-methods and --plot"),
        (["--duration", "soon"], "like 30s"),
        (["--duration", "0s"], "like 30s"),
        (["--method", "handbook", "--duration", "3s"], "--iterations 100"),
        (["--method", "guess"], "It is one of"),
        (["--method", "pipelined", "--window", "99"], "--window"),
        (["--window", "9"], "--method pipelined"),
        (["--repeats", "9"], "--method handbook"),
        (["--order-seed", "9"], "--repeat or --vs"),
        (["--usd-per-hour", "9"], "--model"),
        (["--serial"], "--on ray"),
        (["--backend", "gpu"], "It is one of"),
        (["--colour"], "unrecognized"),
        (["--from", "/nonexistent.jsonl"], "cannot be read"),
    ],
)
def test_bad_usage_exits_with_2_and_a_remedy(arguments: list[str], says: str) -> None:
    done = bench(*arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_a_worker_without_records_leaves_no_recording_to_name(fake_bench: Bench) -> None:
    done = fake_bench("die(signal.SIGKILL)")
    assert done.returncode == 1
    assert "recording:" not in done.stdout


def test_the_handbooks_rate_is_not_the_median_of_its_readings(fake_bench: Bench) -> None:
    body = (
        "start(); beat(0, 4_000_000, 300_000, 300_000)"
        "; [tell('handbook', products=100, total_ns=ns, launched=100, fence_ns=1, idle_fence_ns=1) for ns in (4_000_000, 300_000, 300_000)]"
        "; tell('ended', reason='done')"
    )
    done = fake_bench(body, "--method", "handbook")
    assert "Average time per iteration: 0.0400 ms" in done.stdout
    assert "25,000 iterations/s, by the first reading" in done.stdout


def test_a_python_that_is_none_exits_with_3() -> None:
    done = bench("--python", "/nonexistent/python")
    assert done.returncode == 3
    assert "--python" in done.stderr


def test_a_python_without_torch_exits_with_3_and_says_how_to_get_it(tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
    done = bench(*SMALL, "--python", str(bare / "bin" / "python"), "--no-save", env={**os.environ, "PYTHONPATH": os.pathsep.join(ours())})
    assert done.returncode == 3
    assert "torch is not installed" in done.stderr
    assert "pip install torch" in done.stderr
    assert "torch None" not in done.stdout


def ours() -> list[str]:
    """Name the folders our two packages are found in, and no others."""
    import heartbeat_core
    import heartbeat_tui

    return [str(Path(package.__path__[0]).parent) for package in (heartbeat_core, heartbeat_tui)]


def test_flags_go_before_variables_and_those_before_the_file(fake_bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text("[beat]\nbatch = 2\nhidden = 3\nintermediate = 4\n[recordings]\nsave = false\n")
    monkeypatch.setenv("HEARTBEAT_SETTINGS", str(settings))
    monkeypatch.setenv("HEARTBEAT_BEAT_HIDDEN", "5")
    monkeypatch.setenv("HEARTBEAT_BEAT_INTERMEDIATE", "6")
    plan = json.loads(fake_bench(DONE, "--intermediate", "7", "--json").stdout)["plan"]
    assert plan["workload"] == {"batch": 2, "hidden": 5, "intermediate": 7, "dtype": "float32"}


def test_flags_before_the_command_count_too(fake_worker: Callable[[str], str]) -> None:
    done = run_program("--iterations", "7", "--python", fake_worker(DONE), "bench", "--warmup", "2", "--json")
    plan = json.loads(done.stdout)["plan"]
    assert (plan["iterations"], plan["warmup"]) == (7, 2)


def test_a_duration_and_no_end_replace_the_iterations(fake_bench: Bench) -> None:
    plan = json.loads(fake_bench(DONE, "--duration", "1.5m", "--json").stdout)["plan"]
    assert (plan["iterations"], plan["duration_s"]) == (None, 90.0)
    plan = json.loads(fake_bench(DONE, "--until-stopped", "--json").stdout)["plan"]
    assert (plan["iterations"], plan["duration_s"]) == (None, None)


def test_every_run_is_kept_and_can_be_reported_on_again(fake_bench: Bench, home: Path) -> None:
    first = fake_bench(DONE, "--json")
    (path,) = recordings(home)
    again = bench("--from", str(path), "--json")
    assert again.returncode == 0
    was, now = json.loads(first.stdout), json.loads(again.stdout)
    assert {**was, "labels": []} == {**now, "labels": []}
    assert now["labels"] == ["recorded on 2026-11-22"]
    assert recordings(home) == [path]  # a report is no run
    table, _, chart = bench("--from", str(path), "--plot").stdout.partition("latency per iteration, ")
    assert f"recording: {path}" in table
    assert "◆" in chart


def test_no_save_leaves_nothing(fake_bench: Bench, home: Path) -> None:
    assert fake_bench(DONE, "--no-save").returncode == 0
    assert [path for path in home.rglob("*") if path.is_file()] == []


def test_the_stream_is_the_workers_own_lines_and_the_recording(fake_bench: Bench, home: Path) -> None:
    done = fake_bench(DONE + "; tell('telegram', words=['stop'])", "--stream")
    assert [decode(line).type for line in done.stdout.encode().splitlines()][-3:] == ["proof", "ended", "unknown"]
    (path,) = recordings(home)
    assert path.read_text() == done.stdout
    assert done.stderr == ""


def test_a_recording_the_disk_refuses_is_said_and_the_run_goes_on(fake_worker: Callable[[str], str], home: Path) -> None:
    body = DONE.replace("; tell('proof'", "; beat(43, *range(9000)); tell('proof'")
    limit = "import resource, runpy; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))"
    limited = f"{limit}; runpy.run_module('heartbeat_tui', run_name='__main__')"
    path = home / "limited.py"
    path.write_text(limited)
    command = [sys.executable, str(path), "bench", "--python", fake_worker(body), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LONG_S, check=False)
    assert done.returncode == 0
    assert len(json.loads(done.stdout)["samples_ns"]["steady"]) == 9040
    assert "note: the recording ends early" in done.stderr
    loaded = load(recordings(home)[0])
    assert loaded.cut_off
    assert loaded.count == 43


@pytest.mark.parametrize("form", ["--stream", "--json"])
def test_an_output_that_cannot_be_written_ends_the_bench(fake_worker: Callable[[str], str], form: str) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    # it beats until it is told to stop
    body = DONE.replace("tell('ended'", "order['plan']['iterations'] or sys.stdin.readline(); tell('ended'")
    arguments = [form, "--no-save", *(["--until-stopped"] if form == "--stream" else [])]
    with Path("/dev/full").open("w") as full:
        command = [*PROGRAM, "bench", "--python", fake_worker(body), *arguments]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=LONG_S, check=False)
    assert done.returncode == 3
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("on_terminal", [False, True])
def test_a_reader_who_has_gone_ends_the_bench_and_the_worker(
    fake_worker: Callable[[str], str], watch_process: Callable[[int], Callable[[], bool]], on_terminal: bool
) -> None:
    body = """
start()
tell('environment', values={})
import select
count = 0
while not select.select([sys.stdin], [], [], 0.01)[0]:
    beat(count, 5)
    count += 1
tell('ended', reason='stopped')
"""
    command = [*PROGRAM, "bench", "--python", fake_worker(body), "--stream", "--until-stopped", "--no-save"]
    with terminal() as (_, theirs):
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs if on_terminal else subprocess.DEVNULL) as process:
            assert process.stdout
            watched = watch_process(json.loads(process.stdout.readline())["pid"])
            process.stdout.close()
            assert process.wait(LONG_S) == 128 + signal.SIGPIPE
        assert watched()


def test_progress_is_drawn_on_a_terminal_alone(fake_worker: Callable[[str], str]) -> None:
    command = [*PROGRAM, "bench", "--python", fake_worker(DONE), "--json", "--no-save"]
    with terminal() as (ours, theirs):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=theirs, timeout=LONG_S, check=True)
        assert b"\x1b[" in os.read(ours, 65536)
        json.loads(done.stdout)


def test_both_methods_are_compared_and_the_honest_one_decides(fake_bench: Bench) -> None:
    body = """
start()
tell('environment', values={})
if order['plan']['method'] == 'handbook':
    tell('handbook', products=100, total_ns=560_000, launched=1, fence_ns=121_000_000, idle_fence_ns=1000)
else:
    beat(0, 900, phase='cold'); beat(1, *[9_000_000] * 30)
tell('proof', row=3, error=1e-7, implies='float32', passed=True)
tell('ended', reason='done')
"""
    done = fake_bench(body, "--compare-methods", "--no-save")
    assert done.returncode == 0
    assert "handbook: impossible: 1 of 100 products was ever launched" in done.stdout
    assert "synchronized: plausible" in done.stdout
    assert "mark_step does not wait" in done.stdout
    made = json.loads(fake_bench(body, "--compare-methods", "--no-save", "--json").stdout)
    assert made["schema"] == 1
    assert made["handbook"]["verdict"]["kind"] == "impossible"
    assert made["synchronized"]["verdict"]["kind"] == "plausible"
    assert "dropped" in made["explanation"]


def test_a_run_is_recorded_under_its_label(fake_worker: Callable[[str], str], home: Path) -> None:
    python = fake_worker(DONE)
    assert bench("--python", python, "--name", "base", "--note", "a quiet room", "--tag", "cpu", "--tag", "old").returncode == 0
    (recording,) = home.rglob("*.jsonl")
    label = load(recording).label
    assert label is not None
    assert (label.name, label.note, label.tags) == ("base", "a quiet room", ("cpu", "old"))


def test_a_label_that_cannot_be_kept_is_refused_before_the_run(fake_worker: Callable[[str], str], home: Path) -> None:
    python = fake_worker(DONE)
    for arguments, words in ((("--name", "base", "--no-save"), "no recording to label"), (("--name", "a/b"), "has a /")):
        refused = bench("--python", python, *arguments)
        assert refused.returncode == 2
        assert words in refused.stderr
    assert not list(home.rglob("*.jsonl"))


def test_a_label_typed_under_the_plain_c_locale_is_kept_and_found(fake_worker: Callable[[str], str], home: Path) -> None:
    typed = "größer".encode().decode("ascii", "surrogateescape")  # as Python reads it there
    assert bench("--python", fake_worker(DONE), "--name", typed, "--note", typed, "--tag", typed).returncode == 0
    (recording,) = home.rglob("*.jsonl")
    label = load(recording).label
    assert label is not None
    assert (label.name, label.note, label.tags) == ("größer", "größer", ("größer",))
    assert run_program("runs", "tag", typed, "--remove", typed).returncode == 0
    assert "größer" not in run_program("runs", "show", typed).stdout.partition("tags")[2]


def test_it_says_how_to_open_what_it_kept(fake_worker: Callable[[str], str], tmp_path: Path) -> None:
    folder = tmp_path / "profile"
    python = fake_worker(
        "start(); beat(1, *[1000] * 30); tell('proof', row=3, error=1e-7, implies='float32', passed=True)\n"
        "for name in ('trace.json', 'operators.txt'): open(f\"{order['profile']}/{name}\", 'w').write('{}')\n"
        "tell('profile', folder=order['profile'], files={'trace.json': 2, 'operators.txt': 2}, problem=''); tell('ended', reason='done')"
    )
    done = bench("--python", python, "--profile", str(folder))
    assert done.returncode == 0, done.stderr
    assert f"drop {folder}/trace.json on https://ui.perfetto.dev" in done.stdout
    assert f"less {folder}/operators.txt" in done.stdout
    again = bench("--python", python, "--profile", str(folder))
    assert again.returncode == 2
    assert "is not empty" in again.stderr
    assert again.stdout == ""


def test_a_profile_with_a_problem_is_said_and_the_run_counts(fake_worker: Callable[[str], str], tmp_path: Path) -> None:
    body = (
        "start(); beat(1, *[1000] * 30); tell('proof', row=3, error=1e-7, implies='float32', passed=True)\n"
        "tell('profile', folder=order['profile'], files={}, problem='OSError: No space left on device'); tell('ended', reason='done')"
    )
    done = bench("--python", fake_worker(body), "--profile", str(tmp_path / "new"))
    assert done.returncode == 0
    assert "profile: not whole: OSError: No space left on device. The run itself counts." in " ".join(done.stdout.split())


def test_a_run_that_takes_none_says_so(fake_worker: Callable[[str], str], tmp_path: Path) -> None:
    done = bench(
        "--python", fake_worker("start(); beat(1, *[1000] * 30); tell('ended', reason='stopped')"), "--profile", str(tmp_path / "new")
    )
    assert "no profile was taken" in done.stderr


@pytest.mark.parametrize("other", [["--sweep", "batch=1,2"], ["--repeat", "3"], ["--compare-methods"], ["--on", "vm"]])
def test_a_profile_is_of_one_run_on_this_machine(other: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "new"
    done = bench("--profile", str(folder), *other)
    assert done.returncode == 2
    assert "--profile" in done.stderr
    assert not folder.exists()


@pytest.mark.torch
class TestWithTorch:
    def test_a_real_run_is_plausible(self, home: Path) -> None:
        done = bench(*SMALL, "--json", "--iterations", "50")
        assert done.returncode == 0, done.stderr
        made = json.loads(done.stdout)
        assert made["verdict"]["kind"] == "plausible"
        assert made["proof"]["passed"]
        assert [len(made["samples_ns"][name]) for name in ("cold", "warmup", "steady")] == [1, 4, 50]
        assert made["ending"]["kind"] == "done"
        (path,) = recordings(home)
        assert json.loads(bench("--from", str(path), "--json").stdout)["statistics"] == made["statistics"]

    def test_a_peak_is_kept_and_used_and_measured_again_where_a_verified_run_refutes_it(self, home: Path) -> None:
        measured = json.loads(bench(*SMALL, "--json", "--no-save", "--calibrate").stdout)
        (cached,) = home.rglob("ceilings.json")
        ((key, kept),) = json.loads(cached.read_text()).items()
        assert kept["flops_per_s"] == measured["floor"]["roof"]["flops_per_s"] > 0
        assert measured["floor"]["roof"]["hard"] is False
        cached.write_text(json.dumps({key: {**kept, "flops_per_s": 1.0, "bytes_per_s": 1.0, "disturbed": ""}}))  # of a busy hour
        for _ in range(10):  # on a busy machine the order to measure again may come after the end of a run this short
            later = json.loads(bench(*SMALL, "--json", "--no-save").stdout)
            if later["floor"]["roof"]["flops_per_s"] > 1:
                break
        assert json.loads(cached.read_text())[key]["flops_per_s"] == later["floor"]["roof"]["flops_per_s"] > 1e6
        assert "again after this run" in later["floor"]["roof"]["source"]
        assert later["verdict"]["kind"] == "plausible"

    def test_an_interrupt_keeps_the_samples_and_leaves_no_worker(
        self, home: Path, watch_process: Callable[[int], Callable[[], bool]], tmp_path: Path
    ) -> None:
        command = [*PROGRAM, "bench", *SMALL, "--until-stopped", "--stream"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as process:
            assert process.stdout
            watched = watch_process(json.loads(process.stdout.readline())["pid"])
            lines = iter(process.stdout.readline, b"")
            next(line for line in lines if isinstance(decode(line), Samples))
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does
            *_, last = lines
            assert process.wait(LONG_S) == 130
        ended = decode(last)
        assert isinstance(ended, Ended)
        assert ended.reason == "stopped"
        assert watched()
        loaded = load(recordings(home)[0])
        assert loaded.count > 0
        assert not loaded.cut_off


def test_an_interrupted_bench_reports_what_it_has(fake_worker: Callable[[str], str], tmp_path: Path) -> None:
    fifo = tmp_path / "beating"
    os.mkfifo(fifo)
    beating = f"; open({str(fifo)!r}, 'w').close(); sys.stdin.readline(); tell('ended', reason='stopped')"
    command = [*PROGRAM, "bench", "--python", fake_worker(DONE.replace("; tell('ended', reason='done')", beating)), "--json", "--no-save"]
    with terminal() as (ours, theirs), subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs) as process:
        fifo.read_text()
        os.read(ours, 1)  # it draws its progress: it is waiting
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=LONG_S)
        assert b"\x1b[?25h" in os.read(ours, 65536)  # and the cursor is back
    assert process.returncode == 130
    made = json.loads(output)
    assert made["ending"]["kind"] == "stopped"
    assert len(made["samples_ns"]["steady"]) == 40
