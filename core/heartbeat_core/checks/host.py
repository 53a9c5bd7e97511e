"""Checks of this machine. They read files; no library is imported and no program is started."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from heartbeat_core.benchmark.tpu_chips import (
    PciTpu,
    driver_files,
    hidden_bus,
    hidden_tpus,
    scan_tpus,
    sees_all_processes,
    unreadable,
    users_of,
)
from heartbeat_core.checks.check import Check, Finding, failed, not_applicable, passed, unknown, warned
from heartbeat_core.checks.context import Context
from heartbeat_core.cloud.accelerators import FAMILIES, RUNTIMES_SOURCE, find_accelerator, runtime_fits
from heartbeat_core.diagnosis import remedies as do
from heartbeat_core.diagnosis.model import Remedy

INSTALL_GCLOUD = "https://docs.cloud.google.com/sdk/docs/install"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
NOT_ON_A_TPU_VM = "not on a TPU VM"
LONGEST_VERSION = 100
OPENBLAS = "libopenblas.so.0"
LIBRARY_FOLDERS = ("usr/lib", "usr/lib64", "usr/local/lib", "lib", "lib64")


def on_tpu_vm(context: Context) -> bool:
    metadata = context.environment.metadata
    return bool(tpus(context) or hidden_tpus(context.environment.root) or (metadata and metadata.is_tpu_vm))


def tpus(context: Context) -> tuple[PciTpu, ...]:
    return scan_tpus(context.environment.root / "sys/bus/pci/devices")


def python(context: Context) -> Finding:
    version, number = sys.version_info[:2], ".".join(map(str, sys.version_info[:3]))
    context.note("sys.version_info", number)
    if version > (3, 13):
        why = "torch_xla 2.9 supports Python up to 3.13. The CPU backend works here, the TPU does not."
        return warned(f"Python {number} is newer than torch_xla supports", why, Remedy("Use Python 3.10 to 3.13 for the TPU."))
    return passed(f"Python {number}")


def gcloud(context: Context) -> Finding:
    """Find gcloud without running it, which would take half a second."""
    path = shutil.which("gcloud", path=context.environment.environ.get("PATH", ""))
    context.note("gcloud on PATH", path or "not found")
    if path is None:
        why = "The handbook and the fixes here use it."
        page = Remedy("Install the Google Cloud CLI.", page=INSTALL_GCLOUD, changes="installs gcloud")
        finding = warned if context.environment.emulated else failed
        return finding("gcloud is not installed", why, page, do.init({}))
    version = gcloud_version(Path(path))
    return passed(f"gcloud {version}" if version else f"gcloud, version unknown ({path})")


def gcloud_version(path: Path) -> str | None:
    """Read the file VERSION at the root of an installation."""
    for root in (path.resolve().parent.parent, path.parent.parent, Path("/usr/lib/google-cloud-sdk")):
        try:
            words = (root / "VERSION").read_text("utf-8")[:LONGEST_VERSION].split()
        except (OSError, UnicodeDecodeError):
            continue
        if words:
            return words[0]
    return None


def site_folders(context: Context, *, xla: bool) -> list[str]:
    """Return the package folders of the Python with torch_xla, or of this one."""
    python = context.environment.xla_python if xla else None
    if python is None:
        return list(sys.path)
    prefix = python.parent.parent
    return [str(folder) for kind in ("site", "dist") for folder in sorted(prefix.glob(f"lib/python3*/{kind}-packages"))]


def package_version(context: Context, name: str, folders: list[str]) -> str | None:
    """Return the version of an installed package from the name of its metadata folder, without importing it."""
    found = next((path for folder in folders for path in Path(folder).glob(f"{name}-*.dist-info")), None)
    version = found.name.removesuffix(".dist-info").partition("-")[2] if found else None
    context.note(f"package {name} in {folders[0] if len(folders) == 1 else 'this Python'}", version or "not found")
    return version


def torch(context: Context) -> Finding:
    from importlib.util import find_spec

    own = package_version(context, "torch", site_folders(context, xla=False)) if find_spec("torch") else None
    if own:
        return passed(f"torch {own}, in this Python")
    if context.environment.xla_python and (other := package_version(context, "torch", site_folders(context, xla=True))):
        return passed(f"torch {other}, in {context.environment.xla_python}")
    command = (sys.executable, "-m", "pip", "install", "torch")
    remedy = Remedy("Install torch.", command, changes="installs torch in this Python (0.2 to 3 GB)")
    if on_tpu_vm(context):
        return failed("torch is not installed", "Nothing can be measured here without it.", do.install_pair({}), do.built_for_you({}))
    return warned("torch is not installed", "It is needed to measure here, not to set up a TPU.", remedy)


def torch_xla(context: Context) -> Finding:
    folders = site_folders(context, xla=True)
    bridge = package_version(context, "torch_xla", folders)
    on_vm = on_tpu_vm(context)
    remedies = (do.built_for_you({}), do.install_pair({}))
    if bridge is None:
        if not on_vm:
            return not_applicable(NOT_ON_A_TPU_VM)
        return failed("torch_xla is not installed", "torch uses a TPU through it.", *remedies)
    own = package_version(context, "torch", folders)
    if own and release(own) == release(bridge):
        return passed(f"torch {own} and torch_xla {bridge}")
    why = "torch_xla is built for one release of torch and does not declare it to pip: unpinned, the two do not match."
    finding = failed if on_vm else warned
    return finding(f"torch_xla {bridge} needs torch {release(bridge)}, found {own or 'none'}", why, *remedies)


def release(version: str) -> str:
    """Return the part of a version that must match: 2.9.1+cpu → 2.9."""
    return ".".join(version.partition("+")[0].split(".")[:2])


def libtpu(context: Context) -> Finding:
    if not on_tpu_vm(context):
        return not_applicable(NOT_ON_A_TPU_VM)
    named = context.environment.environ.get("TPU_LIBRARY_PATH")
    if named:
        there = Path(named).is_file()
        context.note(f"TPU_LIBRARY_PATH={named}", "found" if there else "not found")
        if not there:
            return failed(f"TPU_LIBRARY_PATH names {named}, which does not exist", "", Remedy("Unset TPU_LIBRARY_PATH, or correct it."))
        return passed(f"libtpu at {named}")
    folders = site_folders(context, xla=True)
    for name in ("libtpu", "libtpu_nightly"):
        if version := package_version(context, name, folders):
            return passed(f"{name} {version}")
    return failed("libtpu is not installed", "It is the TPU's driver library.", do.install_pair({}), do.built_for_you({}))


def openblas(context: Context) -> Finding:
    if not on_tpu_vm(context):
        return not_applicable(NOT_ON_A_TPU_VM)
    found = next(find_library(context, OPENBLAS), None)
    context.note(f"{OPENBLAS} where the loader looks", str(found) if found else "not found")
    if found:
        return passed(f"OpenBLAS, {found}")
    return failed("OpenBLAS is missing", "torch_xla needs it, and a TPU VM's image does not include it.", do.install_openblas({}))


def find_library(context: Context, name: str) -> Iterator[Path]:
    """Find a shared library in the loader's folders and those of LD_LIBRARY_PATH."""
    set_by_hand = filter(None, context.environment.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep))
    yield from (path for each in set_by_hand if (path := Path(each, name)).exists())
    for each in LIBRARY_FOLDERS:
        folder = context.environment.root / each
        yield from folder.glob(name)
        yield from folder.glob(f"*-linux-gnu/{name}")
        yield from folder.glob(f"*-linux-gnu/openblas*/{name}")


def chips(context: Context) -> Finding:
    found, metadata = tpus(context), context.environment.metadata
    slots = {tpu.slot for tpu in found}
    names = sorted({tpu.chip.title if tpu.chip else f"unknown TPU ({tpu.device})" for tpu in found})
    context.note("PCI devices of vendor 0x1ae0 that are TPUs", ", ".join(names) or "none")
    if not on_tpu_vm(context):
        return not_applicable(NOT_ON_A_TPU_VM)
    if hidden := hidden_tpus(context.environment.root):
        title, why, fix = hidden_bus("/" / file.relative_to(context.environment.root) for file in hidden)
        return failed(title, why, Remedy(fix))
    promised = metadata.accelerator_type if metadata else None
    if not found:
        why = f"The metadata server describes this as a {promised or 'TPU VM'}, but no TPU is on the PCI bus."
        return failed("no TPU chip is on the PCI bus", why, Remedy("Delete this TPU VM and create another; a chip may have failed."))
    kind = find_accelerator(promised)
    if kind and all(tpu.chip and tpu.chip.name != kind.family.name for tpu in found):
        return warned(f"{len(slots)} × {', '.join(names)}, but the metadata server says {promised}", "One of the two is wrong.")
    return passed(f"{len(slots)} × {', '.join(names)}")


def chip_driver(context: Context) -> Finding:
    if not on_tpu_vm(context):
        return not_applicable(NOT_ON_A_TPU_VM)
    metadata = context.environment.metadata
    kind = find_accelerator(metadata.accelerator_type if metadata else None)
    runtime = metadata.tpu_env.get("RUNTIME_VERSION") if metadata else None
    devices = driver_files(context.environment.root)
    context.note("/dev/vfio, /dev/accel*", ", ".join(str(device) for device in devices) or "no chip device")
    fitting = kind.family.runtime if kind else fitting_runtime(tpus(context))
    words = {**context.words, **({"accelerator_type": kind.type} if kind else {}), **({"runtime_version": fitting} if fitting else {})}
    again = (do.delete_vm(words), do.create_vm(words, "Create it again with the matching runtime."))
    if not devices:
        why = "Most likely the TPU VM was created with a runtime for other chips: it becomes READY without a driver for its own."
        return failed("the chips have no driver", why, *again)
    if kind and runtime and runtime_fits(kind, runtime) is False:
        return failed(f"the runtime {runtime} is not for {kind.type}", f"{kind.family.runtime} is.", *again)
    closed = [str(device) for device in devices if not os.access(device, os.R_OK | os.W_OK)]
    if closed:
        return failed(f"{', '.join(closed)} cannot be opened", "Its file permissions do not allow it.", Remedy("Run as root, with sudo."))
    return passed(f"{len(devices)} device{'s' * (len(devices) != 1)}: {', '.join(str(device) for device in devices)}")


def fitting_runtime(found: Iterable[PciTpu]) -> str | None:
    name = next((tpu.chip.name for tpu in found if tpu.chip), None)
    return next((family.runtime for family in FAMILIES if family.name == name), None)


def chip_free(context: Context) -> Finding:
    """Find the processes that use a chip; none is ever ended."""
    if not on_tpu_vm(context):
        return not_applicable(NOT_ON_A_TPU_VM)
    root = context.environment.root
    holders = users_of(root, driver_files(root))
    context.note("/proc/*/fd and /proc/locks", "; ".join(map(str, holders)) or "no process holds a chip or libtpu's lock")
    if holders:
        why = "One process at a time can use a chip. heartbeat-tui never ends another program."
        remedies = [do.process({"pid": str(holder.pid)}) for holder in holders]
        return failed(f"in use by {'; '.join(map(str, holders))}", why, *remedies)
    hidden = unreadable(root)
    if hidden:
        why = f"The open files of {hidden} processes of other users cannot be seen; libtpu's lock is free."
        return warned("no process seen that uses it", why, do.holder({}))
    if not sees_all_processes(root):
        why = "A container sees its own processes alone: one of another container or of the machine may use the chip."
        return warned(
            "no process seen that uses it", why, Remedy("Check on the machine itself, outside the container.", do.holder({}).command)
        )
    return passed("not in use")


def scopes(context: Context) -> Finding:
    metadata = context.environment.metadata
    if not on_tpu_vm(context):
        return not_applicable(NOT_ON_A_TPU_VM)
    if metadata is None:
        return unknown("could not tell: the metadata server does not answer", "A container needs the host's network to reach it.")
    context.note("metadata server, the VM's access scopes", " ".join(metadata.scopes or ()) or "none")
    if metadata.scopes is None:
        return unknown("could not tell: the metadata server lists no scopes", "The VM may have no service account.")
    if SCOPE in metadata.scopes:
        return passed("cloud-platform: the roles decide")
    why = "Access scopes limit a VM's programs, even where its roles allow more. A TPU VM keeps the scopes it was created with."
    words = context.words
    create = do.create_vm(words, "Create it again with the scope.", f"--scopes={SCOPE}")
    return failed("the VM's access scopes are narrower than cloud-platform", why, do.delete_vm(words), create)


CHECKS = (
    Check("host.python", "Python version", "Is this version of Python supported?", python),
    Check("host.gcloud", "gcloud installed", "Is the Google Cloud CLI installed?", gcloud),
    Check("host.torch", "torch installed", "Is torch installed?", torch),
    Check("host.torch-xla", "torch_xla version", "Do torch and torch_xla match?", torch_xla),
    Check("host.libtpu", "libtpu installed", "Is libtpu installed?", libtpu),
    Check("host.openblas", "OpenBLAS installed", "Is OpenBLAS installed?", openblas),
    Check("host.chips", "TPU chips", "Are there TPU chips in this machine?", chips),
    Check("host.chip-driver", "TPU driver", "Do the chips have a matching driver?", chip_driver, link=RUNTIMES_SOURCE),
    Check("host.chip-free", "TPU not in use", "Is the TPU free?", chip_free),
    Check("host.scopes", "Access scopes", "Do this VM's access scopes cover Google Cloud?", scopes),
)
