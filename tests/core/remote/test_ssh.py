from __future__ import annotations

import pytest

from heartbeat_core.errors import HeartbeatError
from heartbeat_core.remote.ssh import OPTIONS, Vm, direct, read_dry_run, split_flags

# Taken from gcloud 550, of a home with a blank in its name.
LINE = (
    "/usr/bin/ssh -T -i /home/ada l/.ssh/google_compute_engine -o CheckHostIP=no -o HostKeyAlias=tpu.1000000000000031676-1 "
    "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/home/ada l/.ssh/google_compute_known_hosts -p 2222 -4 ada@127.0.0.2 -- true"
)


def test_a_dry_run_is_taken_apart_although_nothing_in_it_is_quoted() -> None:
    argv = read_dry_run(LINE, ("-p 2222", "-4"))
    assert argv[:4] == ("/usr/bin/ssh", "-T", "-i", "/home/ada l/.ssh/google_compute_engine")
    assert argv[4:8] == ("-o", "CheckHostIP=no", "-o", "HostKeyAlias=tpu.1000000000000031676-1")
    assert "UserKnownHostsFile=/home/ada l/.ssh/google_compute_known_hosts" in argv
    assert argv[-4:] == ("-p", "2222", "-4", "ada@127.0.0.2")


def test_a_tunnel_stays_one_argument() -> None:
    proxy = (
        "ProxyCommand /usr/bin/python3 -S /usr/lib/gcloud.py alpha compute start-iap-tunnel 't1v-n-1-w-0' '%p' --listen-on-stdin --zone=z"
    )
    line = f"/usr/bin/ssh -T -i /k -o CheckHostIP=no -o {proxy} -o ProxyUseFdpass=no ada@10.0.0.2 -- true"
    assert read_dry_run(line, ()) == (
        "/usr/bin/ssh", "-T", "-i", "/k", "-o", "CheckHostIP=no", "-o", proxy, "-o", "ProxyUseFdpass=no", "ada@10.0.0.2",
    )  # fmt: skip


@pytest.mark.parametrize("line", ["", "ssh", "ada@host -- true", "/usr/bin/ssh -T -i /k ada@10.0.0.2", LINE.replace("-- true", "-- false")])
def test_what_is_no_dry_run_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="not understood"):
        read_dry_run(line, ())


def test_a_direct_connection_asks_nothing_and_needs_no_terminal() -> None:
    argv = direct(("/usr/bin/ssh", "-t", "-o", "StrictHostKeyChecking=no", "ada@host"))
    assert argv == ("/usr/bin/ssh", *OPTIONS, "-o", "StrictHostKeyChecking=no", "ada@host")
    # of two values ssh takes the first
    assert argv.index("StrictHostKeyChecking=accept-new") < argv.index("StrictHostKeyChecking=no")


def test_the_command_names_what_is_not_the_default() -> None:
    vm = Vm("vm", "us-central1-b", "p")
    where = ("--zone=us-central1-b", "--project=p")
    assert vm.gcloud(0) == ("gcloud", "compute", "tpus", "tpu-vm", "ssh", "vm", *where)
    assert vm.gcloud("all", "--dry-run") == ("gcloud", "compute", "tpus", "tpu-vm", "ssh", "vm", *where, "--worker=all", "--dry-run")
    tunnelled = Vm("vm", "us-central1-b", "p", "iap", ("-p 2222",)).gcloud(3)
    assert tunnelled[:2] == ("gcloud", "alpha")
    assert tunnelled[-3:] == ("--worker=3", "--tunnel-through-iap", "--ssh-flag=-p 2222")


def test_flags_are_split_as_a_shell_would() -> None:
    assert split_flags('-p 2222 -o "ProxyJump=a b"') == ("-p", "2222", "-o", "ProxyJump=a b")
    with pytest.raises(HeartbeatError, match="cannot be read"):
        split_flags('"-p')
