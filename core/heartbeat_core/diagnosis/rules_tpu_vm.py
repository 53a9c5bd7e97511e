"""Rules for failures on a TPU VM, and for slips in the handbook's commands."""

from __future__ import annotations

from heartbeat_core.cloud.accelerators import find_accelerator
from heartbeat_core.diagnosis import remedies as do
from heartbeat_core.diagnosis.model import DOCS, DiagnosisRule, Remedy, Words

PJRT = "https://docs.pytorch.org/xla/release/r2.9/index.html"


def create_fitting(words: Words) -> Remedy:
    """Create the VM again, with the runtime that fits its accelerator: v6e's, where none is known."""
    kind = words.get("accelerator_type") or "v6e-1"
    accelerator = find_accelerator(kind)
    runtime = accelerator.family.runtime if accelerator else "<RUNTIME_VERSION>"
    fitting = {**words, "accelerator_type": kind, "runtime_version": runtime}
    return do.create_vm(fitting, "Create it again, with the runtime that fits.")


TPU_VM_RULES = (
    DiagnosisRule(
        "tpu-in-use",
        "another process has the TPU",
        "Process {pid} uses it. One process at a time can use a chip.",
        (do.process,),
        (r"TPU is already in use by process with pid (?P<pid>\d+)",),
    ),
    DiagnosisRule(
        "tpu-lock",
        "libtpu's lock is held by a process that cannot be seen",
        "A process of another user has the TPU, or one ended without releasing it. The lock file alone proves nothing.",
        (do.holder_of_lock, do.holder, do.remove_lock),
        (r"TPU is already in use or the lock file is stale", r"Internal error when accessing libtpu multi-process lockfile"),
    ),
    DiagnosisRule(
        "chip-busy",
        "another process uses the chip[, {device}]",
        "The chip's device can be opened once, and another process has it open.",
        (do.holder,),
        (
            r"open\((?P<device>/dev/[\w/]+)\): Device or resource busy",
            r"(?P<device>/dev/(?:vfio/|accel)\d+).{0,60}Device or resource busy",
            r"Couldn't open iommu group (?P<device>/dev/vfio/\d+)",
        ),
    ),
    DiagnosisRule(
        "no-driver",
        "no TPU was found; the CPU was used instead",
        "Most likely the TPU VM was created with a runtime for older chips, such as tpu-ubuntu2204-base on a v6e: it becomes READY "
        "without a driver for its chips.",
        (do.delete_vm, create_fitting),
        (r"No GPU/TPU found, falling back to CPU", r"Failed to get global TPU topology"),
        link=f"{DOCS}/runtimes",
    ),
    DiagnosisRule(
        "tpu-maybe-in-use",
        "there may be a TPU here, but it cannot be used",
        "Often another process uses it; otherwise libtpu, or a jaxlib for TPUs, is not installed.",
        (do.holder, 'If no process uses it, install JAX for TPUs: pip install "jax[tpu]".'),
        (r"A Google TPU may be present on this machine",),
    ),
    DiagnosisRule(
        "tpu-metadata",
        "the metadata server does not know of a TPU",
        "libtpu asks it which TPU this VM has. Outside Google Cloud, or on a VM without a TPU, there is no answer.",
        ("For a TPU outside Google Cloud, set TPU_SKIP_MDS_QUERY=1 and TPU_ACCELERATOR_TYPE, such as v6e-1.",),
        (r"Failed to get TPU metadata",),
    ),
    DiagnosisRule(
        "metadata-unreachable",
        "the metadata server cannot be reached",
        "Outside Google Cloud there is none. In a container, its network does not reach it.",
        ("Run the container on the host's network: docker run --network=host.",),
        (
            r"HTTPConnectionPool\(host='(?:metadata\.google\.internal|169\.254\.169\.254)'",
            r"metadata\.google\.internal.{0,200}(?:refused|unreachable|timed out)",
        ),
    ),
    DiagnosisRule(
        "torch-pair",
        "torch and torch_xla do not match",
        "torch_xla is built for one release of torch, and does not say so to pip.",
        (do.install_pair, do.built_for_you),
        (r"_XLAC[\w.-]*\.so: undefined symbol", r"undefined symbol: _ZN\w*(?:torch|c10|at)\w*"),
        link=PJRT,
    ),
    DiagnosisRule(
        "openblas",
        "OpenBLAS is missing",
        "torch_xla needs it, and the TPU VM's image does not include it.",
        (do.install_openblas,),
        (r"libopenblas\.so[\w.]*: cannot open shared object file",),
    ),
    DiagnosisRule(
        "libpython",
        "Python's shared library is not found",
        "With conda it is in conda's lib folder, where the loader does not look.",
        ('Add the folder to LD_LIBRARY_PATH: export LD_LIBRARY_PATH="$CONDA_PREFIX/lib:$LD_LIBRARY_PATH".',),
        (r"libpython3[\w.]*\.so[\w.]*: cannot open shared object file",),
    ),
    DiagnosisRule(
        "libtpu-metrics",
        "the TPU reports no metrics yet",
        "libtpu serves its metrics from within a program that uses the TPU, and no such program runs.",
        ("Start a program on the TPU first: heartbeat-tui bench --backend xla --until-stopped.",),
        (r"Libtpu metrics unavailable",),
    ),
)


ONE_DASH = r"(?<![\w-])-(?P<flag>project|zone|accelerator-type|version)"


def two_dashes(words: Words) -> Remedy:
    """Write the whole command where one was to be created, the flag alone in any other."""
    flag = words.get("flag", "project")
    text = f"Write --{flag} with two dashes."
    return do.create_vm(words, text) if words.get("creates") else Remedy(text)


HANDBOOK_RULES = (
    DiagnosisRule(
        "one-dash",
        "-{flag} needs two dashes",
        "gcloud refuses a flag with one dash. The handbook's command to create a TPU VM has one before project.",
        (two_dashes,),
        (
            rf"tpu-vm[. ](?P<creates>create)\b(?:(?!\bgcloud\b).){{0,400}}{ONE_DASH}[= ]",
            rf"unrecognized arguments?:.{{0,200}}{ONE_DASH}=",
            rf"\bgcloud\b(?:(?!\bgcloud\b).){{0,400}}{ONE_DASH}[= ]",
        ),
    ),
    DiagnosisRule(
        "unpinned-pip",
        "this installs a torch and a torch_xla that do not match",
        "The handbook's line names no versions: pip takes the newest torch, and torch_xla, built for an older one, does not declare "
        "which it needs.",
        (do.install_pair, do.built_for_you),
        (
            # torch and torch_xla on one line of pip, the first or the second without a version
            r"pip3? install (?:(?!\bpip).){0,100}?(?<![\w-])torch(?![\w.=~<>\[-]).{0,60}?\btorch[_-]xla\b",
            r"pip3? install (?:(?!\bpip).){0,100}?\btorch[_-]xla(?:\[\w+\])?(?![\w.=~<>\[-])",
        ),
    ),
    DiagnosisRule(
        "gcloud-no-zone",
        "gcloud has no zone",
        "The command names none, and none is configured.",
        (do.set_zone,),
        (r"Failed to find attribute \[zone\]", r"property \[compute/zone\] is not (?:currently )?set", r"Error parsing \[zone\]"),
    ),
    DiagnosisRule(
        "gcloud-no-project",
        "gcloud has no project",
        "The command names none, and none is configured.",
        (do.list_projects, do.set_project),
        (
            r"required property \[(?:core/)?project\] is not (?:currently )?set",
            r"Failed to find attribute \[project\]",
            r"resource is not properly specified.{0,80}\[project\]",
        ),
    ),
    DiagnosisRule(
        "gcloud-missing",
        "gcloud is not installed",
        "No program of that name is on PATH.",
        ("Install it: https://docs.cloud.google.com/sdk/docs/install",),
        (r"gcloud: (?:command )?not found", r"No such file or directory: '?gcloud\b"),
        (),
        "https://docs.cloud.google.com/sdk/docs/install",
    ),
)
