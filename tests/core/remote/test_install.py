"""The procedure of a set-up, where the connection is a shell of our own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from heartbeat_core.errors import HeartbeatError
from heartbeat_core.remote.hosts import Host
from heartbeat_core.remote.install import InstallStep, install


@pytest.mark.parametrize("ending", ["exit 255", "kill -TERM $$"])
def test_a_check_that_was_not_answered_brings_nothing(ending: str, tmp_path: Path) -> None:
    """What would be brought wipes what may be there."""
    mark = tmp_path / "mark"
    connection = ("sh", "-c", f'case "$0" in *touch*) eval "$0";; *) {ending};; esac')
    host = Host("vm", 0, connection, dict(os.environ), str(tmp_path), "python3")
    step = InstallStep("environment", "an environment", ("test", "-e", str(tmp_path)), (("touch", str(mark)),))
    with pytest.raises(HeartbeatError) as refused:
        install(host, step, lambda line: None)
    assert refused.value.exit_code == 3
    assert not mark.exists()
