"""Where in the user's folders our things lie, and how a file is written whole or not at all.

platformdirs is imported when it is asked: it is kept off the way to --help.
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
    """Name where lies what people want to keep: recordings."""
    from platformdirs import user_data_path

    return user_data_path(APP)


def state_folder() -> Path:
    from platformdirs import user_state_path

    return user_state_path(APP)


def cache_folder() -> Path:
    """Name where lies what can be had anew: ceilings, prices, what was read of recordings, environments."""
    from platformdirs import user_cache_path

    return user_cache_path(APP)


def emulated_gcloud_folder() -> Path:
    """Name where gcloud keeps its things while it asks an emulator, apart from the user's own."""
    return cache_folder() / "emulator-gcloud"


def write_whole(path: Path, text: str) -> None:
    """Write a file by way of another beside it, so that it is never seen half written; a link stays one, and rights stay.

    Raises OSError.
    """
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
