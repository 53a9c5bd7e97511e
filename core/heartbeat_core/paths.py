"""Our folders among the user's, and writing a file atomically.

platformdirs is imported on use, which keeps --help fast.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

APP = "heartbeat-tui"


def config_folder() -> Path:
    from platformdirs import user_config_path

    return user_config_path(APP)


def data_folder() -> Path:
    """Return the folder of what users keep: recordings."""
    from platformdirs import user_data_path

    return user_data_path(APP)


def state_folder() -> Path:
    from platformdirs import user_state_path

    return user_state_path(APP)


def cache_folder() -> Path:
    """Return the folder of what can be made again: measured peaks, prices, the index of recordings, environments."""
    from platformdirs import user_cache_path

    return user_cache_path(APP)


def emulated_gcloud_folder() -> Path:
    """Return the folder of gcloud's configuration for an emulator, separate from the user's."""
    return cache_folder() / "emulator-gcloud"


def expanded(path: str | Path) -> Path:
    """Return a path with a leading ~ replaced; that of a user who does not exist stays, for what opens the path to refuse."""
    return Path(os.path.expanduser(path))  # noqa: PTH111  # that of pathlib raises RuntimeError there


def write_whole(path: Path, text: str) -> None:
    """Write a file atomically, through another one beside it; a link stays a link, and permissions stay. Raises OSError."""
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    draft = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        if path.exists():
            draft.chmod(path.stat().st_mode & 0o777)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
