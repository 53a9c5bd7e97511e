"""Rules for failures on a TPU VM, and for slips in the handbook's commands."""

from __future__ import annotations

from heartbeat_core.cloud.accelerators import runtime_for
from heartbeat_core.diagnosis import remedies as do
from heartbeat_core.diagnosis.model import DOCS, DiagnosisRule, Remedy, Words

XLA_ERRORS = "https://openxla.org/xla/errors/errors_overview"
JAX_INSTALL = "https://docs.jax.dev/en/latest/installation.html"
MULTI_HOST = "https://docs.jax.dev/en/latest/multi_process.html"
PJRT = "https://docs.pytorch.org/xla/release/r2.9/index.html"


def create_fitting(words: Words) -> Remedy:
    """Create a VM with the runtime that fits its accelerator: v6e's, where none is known."""
    kind = words.get("accelerator_type") or "v6e-1"
    fitting = {**words, "accelerator_type": kind, "runtime_version": runtime_for(kind) or "<RUNTIME_VERSION>"}
    return do.create_vm(
        fitting, "If it does not fit, create the VM with the one that fits, after the old one is deleted or under another name."
    )


TPU_VM_RULES = (
    DiagnosisRule(
        "vmem-full",
        "a kernel needs more of the chip's fast memory than there is[: {used} of {capacity}]",
        "This is VMEM or SMEM, the memory inside a core, at compile time; neither HBM nor a quota. A kernel's blocks are too large.",
        (
            "Use smaller blocks or tiles in the kernel; for vLLM, a smaller --max-model-len, or a newer release.",
            "Or raise the limit: export LIBTPU_INIT_ARGS=--xla_tpu_scoped_vmem_limit_kib=65536.",
        ),
        (
            (r"Ran out of memory in memory space (?:[vsc]mem|sflag)(?:.{0,20}?Used (?P<used>[\d.]+\w?) of (?P<capacity>[\d.]+\w?))?"),
            r"Exceeded (?:scoped )?[vs]mem (?:capacity|limit)",
            r"exceeded scoped vmem limit",
            r"scoped (?:vmem )?allocation.{0,120}exceed",
        ),
        link=XLA_ERRORS,
    ),
    DiagnosisRule(
        "hbm-full",
        "the program needs more memory than the TPU has[: {used} of {capacity}]",
        "The TPU's own memory (HBM) does not hold weights, activations and caches together. It is not a quota.",
        (
            "Use a smaller batch, shorter sequences or bfloat16; for vLLM lower --max-model-len or --max-num-seqs.",
            "Or spread the model over more chips, on a larger TPU type.",
            "See what holds memory: heartbeat-tui chips; another program may use the chip, too.",
        ),
        (
            r"Ran out of memory in memory space hbm(?:.{0,20}?Used (?P<used>[\d.]+\w?) of (?P<capacity>[\d.]+\w?))?",
            r"Attempting to (?:reserve|allocate) [\d.]+[KMGT]?i?B?\b.{0,80}(?:of memory|not possible|free)",
            r"Exceeded hbm capacity",
            r"Total hbm usage >=",
            r"Program hbm requirement",
            r"Failed to allocate request for [\d.]+[KMGT]iB",
            r"\bHBM_OUT_OF_MEMORY\b",
            r"Error (?:loading program|allocating device buffer)",
            r"(?:HBM|TPU)(?: \w+)? (?:is |has |ran )?out of memory",
            r"Out of memory (?:while trying to allocate|allocating) [\d.]+",
            r"XlaRuntimeError: RESOURCE_EXHAUSTED",
            r"JaxRuntimeError: RESOURCE_EXHAUSTED",
            r"XLA:TPU compile permanent error\. Ran out of memory",
        ),
        link=XLA_ERRORS,
    ),
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
        (
            r"TPU is already in use or the lock file is stale",
            r"Internal error when accessing libtpu multi-process lockfile",
            r"libtpu(?:\.so)? (?:is )?already in used? by another process",
            r"/tmp/libtpu_lockfile",  # noqa: S108  # libtpu's own
        ),
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
        "container-device",
        "the program may not open the TPU's device[ {device}]",
        "A container reaches the TPU only if it is privileged. Outside a container, the account lacks the right to open the device.",
        (do.run_privileged, "Outside a container, run the program with sudo, or as the account that may open the device: ls -l /dev/vfio."),
        (
            r"(?P<device>/dev/(?:accel\d+|vfio/\w+))\)?:? ?\(?Operation not permitted",
            r"(?P<device>/dev/(?:accel\d+|vfio/\w+))'?\)?:? ?\(?Permission denied",
            r"Operation not permitted:? '?(?P<device>/dev/(?:accel\d+|vfio/\w+))",
            r"Permission denied:? '?(?P<device>/dev/(?:accel\d+|vfio/\w+))",
        ),
        link=f"{DOCS}/run-in-container",
        instead=("chip-busy",),
        tell_apart="Inside a container started without --privileged it is the container; otherwise compare `id` and `ls -l` of the device.",
    ),
    DiagnosisRule(
        "container-network",
        "the TPU's software cannot reach itself over the network",
        "It connects to ports of this machine, which the network of a container of its own does not have.",
        (do.run_privileged,),
        (r"TPU initialization failed: Failed to connect to \S{2,60}:\d{2,5}",),
        link=f"{DOCS}/run-in-container",
        instead=("hosts-missing",),
        tell_apart="An address such as [::] or localhost means this machine; another one, another host of the TPU.",
    ),
    DiagnosisRule(
        "hosts-missing",
        "the program runs on some of the TPU's hosts only",
        "A TPU of several hosts starts when the same program runs on all of them at the same time. Here some did not come[: {got} of "
        "{hosts} is named].",
        (
            do.run_on_all,
            "On a single host (Kaggle, one VM) remove the variables of a larger TPU: unset TPU_PROCESS_ADDRESSES TPU_WORKER_HOSTNAMES.",
        ),
        (
            r"Expected (?P<hosts>\d+) worker addresses, got (?P<got>\d+)",
            r"Did you run your code on all TPU hosts",
            r"Barrier timed out",
            r"unexpected worker hostname",
            r"(?:number|#) of tasks?(?:\(s\))? that have not reached",
            r"(?:Timed out|timeout|timed out) (?:while )?waiting for .{0,60}(?:hosts|processes|tasks|workers|slices)\b",
            r"TPU cores on each host is not same",
        ),
        link=MULTI_HOST,
        instead=("coordinator", "hosts-lost"),
        tell_apart="With `ps` on each host: it runs everywhere means the network, it ended on one means that host's own log.",
    ),
    DiagnosisRule(
        "coordinator",
        "the hosts do not reach the coordinator[ on port {port}]",
        "The first host coordinates the others. It does not run, or the network lets no one reach its port: newer JAX takes 8482, which "
        "the firewall rules of TPU networks may not have.",
        (
            "Pin the port that is open: jax.distributed.initialize(coordinator_address='FIRST_HOST:8476'), on all hosts.",
            "Or let tcp:8482 in between the hosts: gcloud compute firewall-rules create --help shows how.",
            do.run_on_all,
        ),
        (
            r"CoordinationService/RegisterTask",
            r"(?:Failed|Unable) to connect to (?:the )?coordinat.{0,80}?(?::(?P<port>\d{4,5}))?",
            r"coordinat(?:or|ion service).{0,80}(?:Connection refused|failed to connect|unreachable)",
            r"jax\.distributed\.initialize.{0,300}(?:timed out|DEADLINE_EXCEEDED|refused)",
            r"Connect\(\) to coordinat",
            r"client socket has timed out after .{0,80}\bconnect to \(.{1,80}?, (?P<port>\d+)\)",
            r"SliceBuilder.{0,160}(?:refused|failed|unavailable|DEADLINE|timed out)",
            r"(?:Failed|Unable) to (?:establish|connect).{0,60}SliceBuilder",
        ),
        link=MULTI_HOST,
        instead=("hosts-missing", "hosts-lost"),
        tell_apart="`nc -vz FIRST_HOST 8482` from another host: refused means that nothing runs there, a time-out means the firewall.",
    ),
    DiagnosisRule(
        "hosts-lost",
        "another host of the TPU has ended or cannot be reached",
        "All hosts run as one program: when one ends, is preempted or loses the network, the others stop with this error. The reason "
        "stands in that host's log.",
        ("Look for the first error in the logs of all hosts, with python -u so that nothing is held back.", do.describe_vm, do.run_on_all),
        (
            r"JAX distributed service detected fatal errors",
            r"stopped sending heartbeats",
            r"(?:coordination|task|replica|distributed).{0,160}heartbeats? (?:timeout|timed out|lost)",
            r"(?:coordination|task|replica|distributed).{0,160}missed heartbeats",
            r"Slice health check failed",
            r"Failed to send RPC to coordination service",
            r"CoordinationService/(?:PollForError|Heartbeat|WaitForAllTasks)",
            r"Failed to connect to client mesh master",
            r"Failed to meet rendezvous",
            r"likely indicates that another task died",
            r"lame workers found",
            r"connectFullMesh failed",
        ),
        link=MULTI_HOST,
        instead=("hosts-missing", "host-memory"),
        tell_apart="The host with the earliest error is the cause; a host without one was ended from outside, or lost its network.",
    ),
    DiagnosisRule(
        "no-driver",
        "no TPU was found",
        "Most likely the TPU VM[, a {accelerator_type},] was created with a runtime for other chips, such as tpu-ubuntu2204-base on a v6e: "
        "it becomes READY without a driver for its chips. Chips can also be missing after a stop and start.",
        ("See whether the VM has chips: ls /dev/accel* /dev/vfio.", do.describe_vm, create_fitting, do.delete_vm),
        (
            r"No GPU/TPU found, falling back to CPU",
            r"Failed to get global TPU topology",
            r"No TPU Platform available",
            r"No TPU platform found",
            r"No hardware is found\. Using default TPU version",
            r"No ba16c7433 device found",
            r"No TPU devices? (?:was |were )?(?:found|available)",
            r"(?:find|found) (?:no|any) TPU (?:devices?|cores?|chips?)",
            r"open\(/dev/(?:vfio/\w+|accel\d+)\): No such file",
            r"No matching devices found for '[^']{0,80}TPU_SYSTEM",
            r"Defaulting to PJRT_DEVICE=CPU",
            r"/dev/(?:accel\d+|vfio)\S{0,20}: no such file or directory",
        ),
        link=f"{DOCS}/runtimes",
        instead=("jax-without-tpu", "tpu-maybe-in-use"),
        tell_apart="No device in /dev/accel* and /dev/vfio means the runtime; with devices, libtpu is missing or another process has them.",
    ),
    DiagnosisRule(
        "libtpu-missing",
        "libtpu is not installed in this Python",
        "Programs reach the TPU through libtpu, and the one in use finds none. On a machine without a TPU the message is harmless.",
        (
            do.install_pair,
            do.install_jax,
            "Without a TPU, ignore it, or name the device: export JAX_PLATFORMS=cpu (cuda for a GPU).",
        ),
        (
            r"No module named '?libtpu",
            r"Failed to (?:open|load|find) [^ ]{0,200}libtpu",
            r"libtpu\.so: cannot open shared object",
            r"(?<!jaxlib or )libtpu(?:\.so)? (?:was |is |could )?not (?:be )?(?:found|installed)",
            r"Could not (?:open|load|find) [^ ]{0,200}libtpu",
        ),
        link=JAX_INSTALL,
        instead=("no-driver",),
        tell_apart="`python3 -c 'import libtpu'` in the same Python: if it works, the chips or the runtime are missing, not libtpu.",
    ),
    DiagnosisRule(
        "libtpu-mismatch",
        "libtpu and the library that loads it do not match",
        "JAX and torch_xla are each built for certain releases of libtpu. Installing one can replace the libtpu of the other.",
        (do.install_jax, do.install_pair, "Keep JAX and torch_xla in virtual environments of their own."),
        (
            r"Mismatched PJRT plugin PJRT API version",
            r"Unexpected PJRT_\w+ size",
            r"plugin is likely built with a (?:later|earlier|newer|older) version",
            r"module 'libtpu' has no attribute",
            r"\bTpu\w+ not available in this library",
            r"(?:unknown|unrecognized|unsupported) TPU (?:version|type|generation)",
            r"libtpu (?:version )?.{0,60}(?:incompatible|not compatible|too old|too new|is required)",
            r"PJRT API version .{0,60}(?:incompatible|not compatible|too (?:old|new))",
            r"requires libtpu[\w-]*[<>=!]=?[\w.]+.{0,60}but you have",
        ),
        link=JAX_INSTALL,
    ),
    DiagnosisRule(
        "jax-without-tpu",
        "this JAX is not the build for TPUs",
        "The jaxlib in this Python cannot use a TPU: it is the one for the CPU or a GPU, or the system is Windows or macOS.",
        (do.install_jax, "Without a TPU, name the device: export JAX_PLATFORMS=cpu."),
        (
            r"has no attribute 'get_tpu_client'",
            r"Unknown backend:? '?tpu'? requested",
            r"LoadPjrtPlugin is not implemented on windows",
            r"no platforms that are instances of tpu",
            r"Backend 'tpu' is not in the list of known backends",
            r"Unable to initialize backend 'tpu': (?:UNIMPLEMENTED|module )",
        ),
        link=JAX_INSTALL,
    ),
    DiagnosisRule(
        "tpu-maybe-in-use",
        "there may be a TPU here, but it cannot be used",
        "Often another process uses it; otherwise libtpu, or a jaxlib for TPUs, is not installed.",
        (do.holder, do.install_jax),
        (r"A Google TPU may be present on this machine",),
        instead=("libtpu-missing", "jax-without-tpu"),
        tell_apart="A process in the list has the TPU; an empty list means that libtpu is missing.",
    ),
    DiagnosisRule(
        "tpu-metadata",
        "the metadata server does not know of a TPU",
        "libtpu asks it which TPU this VM has. Outside Google Cloud, or on a VM without a TPU, there is no answer.",
        (
            "Run it on a TPU VM; in a container, with the host's network: --net=host.",
            "For a TPU outside Google Cloud, set TPU_SKIP_MDS_QUERY=1 and TPU_ACCELERATOR_TYPE, such as v6e-1.",
        ),
        (
            r"Failed to get TPU metadata",
            r"could not determine TPU accelerator type",
            r"Failed to fetch URL on try \d+ out of",
            r"cloud_tpu_init failed: KeyError",
            r"TPU_ACCELERATOR_TYPE to set manually",
        ),
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
        "torch_xla and torchvision are each built for one release of torch, and torch_xla does not say so to pip. A program can also "
        "be for another release.",
        (do.install_pair, do.built_for_you),
        (
            r"_XLAC[\w.-]*\.so: undefined symbol",
            r"undefined symbol: _ZN\w*(?:torch|c10|at)\w*",
            r"module 'torch_xla\S*' has no attribute",
            r"operator torchvision::nms does not exist",
            r"cannot import name '\w+' from 'torch_xla",
        ),
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
    DiagnosisRule(
        "used-too-early",
        "the program used the TPU before it started its processes",
        "The TPU's runtime belongs to the process that first uses it. Work for several processes or hosts must be arranged before.",
        (
            "Call torch_xla.launch or xmp.spawn, or jax.distributed.initialize, before anything else that touches the TPU.",
            "In a notebook, restart the kernel first.",
        ),
        (
            r"Runtime is already initialized\. Do not use the XLA device",
            r"Cannot replicate if number of devices",
            r"jax\.distributed\.initialize\(\) must be called before",
            r"Unsupported nprocs \(\d+\)",
        ),
        link=PJRT,
    ),
    DiagnosisRule(
        "tensorflow-tpu",
        "this TensorFlow does not reach the TPU",
        "TensorFlow needs its build for TPUs, of the same release as the TPU's own software, and on a TPU VM the name local.",
        (
            "Install the build for TPUs, in a virtual environment: pip install tensorflow-tpu.",
            "Connect with tf.distribute.cluster_resolver.TPUClusterResolver(tpu='local').",
        ),
        (
            r"Op 'ConfigureDistributedTPU'",
            r"tpu_init_fn_\d+' is neither a type of a primitive operation",
            r"Please provide a TPU Name to connect to",
        ),
    ),
    DiagnosisRule(
        "xrt",
        "this is for the retired XRT runtime or TPU driver",
        "XRT_TPU_CONFIG, tpu_driver and grpc://ADDRESS:8470 belong to TPU Nodes, which Google has retired. Today a program runs on the TPU "
        "VM itself, with PJRT.",
        ("Remove the variables and select PJRT: unset XRT_TPU_CONFIG; export PJRT_DEVICE=TPU.", do.install_pair, do.install_jax),
        (
            r"Missing XLA configuration",
            r"\bXRT_(?:TPU_CONFIG|WORKERS|DEVICE_MAP|MESH_SERVICE_ADDRESS)\b",
            r"unknown op: (?:TPURoundRobin|TpuHandleToProtoKey)",
            r"\bxrt_computation_client\b",
            r"backend '?tpu_driver'?",
            r"Failed to open the gRPC driver",
            r"jax\.tools\.colab_tpu",
            r"Failed to connect to the Tensorflow master",
        ),
        link=PJRT,
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
