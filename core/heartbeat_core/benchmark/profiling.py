"""The profile of a few iterations: the profiler's trace and the HLO, taken after the timed iterations."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from heartbeat_core.benchmark.backends.base import HLO, OPERATORS, TRACE, Backend
from heartbeat_core.benchmark.protocol import Profiled
from heartbeat_core.errors import HeartbeatError

ITERATIONS = 5
# the end of a file's name -> what it is, and what opens it; {path} is the file, {folder} where all of them lie
KINDS: tuple[tuple[str, str, str], ...] = (
    (".trace.json.gz", "torch_xla's trace, for a timeline", "drop {path} on https://ui.perfetto.dev"),
    (
        ".xplane.pb",
        "torch_xla's trace, in full",
        "tensorboard --logdir {folder}   (needs: pip install tensorboard tensorboard-plugin-profile)",
    ),
    (TRACE, "torch's trace, Chrome's format", "drop {path} on https://ui.perfetto.dev"),
    (OPERATORS, "the operators and their times", "less {path}"),
    (HLO, "the HLO of one iteration, as torch_xla gives it to the compiler", "less {path}"),
)


@dataclass(frozen=True)
class ProfileFile:
    """One file of a profile, and the command or the page that opens it."""

    path: Path
    size: int
    what: str
    how: str


def prepare_folder(folder: Path) -> Path:
    """Make the folder for a profile and return its full path; raise HeartbeatError where it holds something, or cannot be made."""
    folder = folder.absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        taken = next(folder.iterdir(), None)
    except OSError as error:
        raise HeartbeatError(f"{folder} cannot hold a profile", str(error), "Name a folder that can be written.") from error
    if taken is not None:
        cause = f"It holds {taken.name}; nothing is written over."
        raise HeartbeatError(f"{folder} is not empty", cause, "Name a new folder, or empty this one.")
    return folder


def take_profile(backend: Backend, folder: Path, now: int) -> Profiled:
    """Profile a few iterations into the folder; a failure goes into the record, for the run counts without a profile."""
    problem = ""
    try:
        backend.profile(folder, ITERATIONS)
    except Exception as error:  # noqa: BLE001 - profilers fail in ways of their own, and the run is already measured
        problem = f"{type(error).__name__}: {error}".splitlines()[0]
    try:
        files = {str(path.relative_to(folder)): path.stat().st_size for path in sorted(folder.rglob("*")) if path.is_file()}
    except OSError as error:
        files, problem = {}, problem or str(error)
    if not problem and not all(files.values()):
        problem = "a file of it is empty; is the disk full?"
    if not problem and not files:
        problem = "the profiler wrote nothing"
    return Profiled(now, str(folder), files, problem)


def files_of(profiled: Profiled) -> list[ProfileFile]:
    """List the files of a profile with what opens each, the timelines first."""
    folder = Path(profiled.folder)
    found: list[ProfileFile] = []
    for end, what, how in KINDS:
        for name, size in profiled.files.items():
            if name.endswith(end) and isinstance(size, int):
                path = folder / name
                found.append(ProfileFile(path, size, what, how.format(path=path, folder=folder)))
    return found
