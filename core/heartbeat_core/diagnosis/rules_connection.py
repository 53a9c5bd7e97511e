"""Rules for failures of the connection: ssh to a TPU VM, its set-up, and the network to Google."""

from __future__ import annotations

from heartbeat_core.diagnosis import remedies as do
from heartbeat_core.diagnosis.model import DOCS, DiagnosisRule

CONNECT = f"{DOCS}/managing-tpus-tpu-vm"
IAP = "https://docs.cloud.google.com/iap/docs/using-tcp-forwarding"

SSH_RULES = (
    DiagnosisRule(
        "hosts-ssh",
        "the hosts cannot keep ssh to one another",
        "The program starts itself on the other hosts over ssh, and their network refuses or drops it[ at {address}]. Usually no firewall "
        "rule lets port 22 in, or a policy forbids one.",
        (do.open_ssh, do.run_on_all),
        (
            r"\[\d+\] Connection to (?P<address>\S+) closed by remote host",
            r"\[\d+\] ssh: connect to host",
            r"packet_write_wait: Connection to (?P<address>\S+) port 22: Broken pipe",
            r"xla_dist.{0,300}(?:exited with return code \[255\]|port 22: Connection)",
            r"mpirun.{0,200}ssh: connect to host",
        ),
        link=CONNECT,
        instead=("ssh-lost",),
        tell_apart="`ssh ADDRESS` from one host to another: if it holds, the other host was busy or has restarted.",
    ),
    DiagnosisRule(
        "ssh-agent",
        "the ssh agent does not hold gcloud's key",
        "For several workers gcloud asks the ssh agent for the key; it cannot ask you for a passphrase on each.",
        ("Start an agent and give it the key: eval $(ssh-agent); ssh-add ~/.ssh/google_compute_engine.",),
        (r"not added your SSH key to your ssh-agent", r"Could not open a connection to your authentication agent"),
        link=CONNECT,
    ),
    DiagnosisRule(
        "ssh-host-key",
        "the host key has changed",
        "Another machine answers at that address: a TPU VM that was created again, or a man in the middle.",
        (
            "If you created it again, remove its line from ~/.ssh/google_compute_known_hosts and connect again.",
            "If you did not, find out which machine answers before you log in.",
        ),
        (r"REMOTE HOST IDENTIFICATION HAS CHANGED", r"Host key verification failed"),
    ),
    DiagnosisRule(
        "ssh-denied",
        "the TPU VM does not accept your key",
        "gcloud writes the key into the node's metadata, and the VM reads it within a minute. OS Login or a locked key prevents that.",
        (
            "Connect once by hand with `heartbeat-tui vms ssh NAME`, so that gcloud writes the key.",
            "With OS Login you need roles/compute.osLogin on the project.",
        ),
        (r"Permission denied \((?:publickey|password|keyboard-interactive|gssapi)",),
        link=CONNECT,
    ),
    DiagnosisRule(
        "ssh-refused",
        "no ssh server answers there",
        "The machine [at {address} ]answers, but no ssh server listens on the port[ {port}]. It may be starting, or use another port.",
        ("Wait a minute and try again; for another port set remote.ssh_flags = '-p 2222'.",),
        (r"connect to host (?P<address>\S+) port (?P<port>\d+): Connection refused",),
    ),
    DiagnosisRule(
        "ssh-timed-out",
        "the TPU VM does not answer",
        "[{address}, ]port {port} does not answer. The usual cause is a firewall that blocks ssh, or an address that is not reachable "
        "from here.",
        (
            (
                "Allow ssh from your own address: gcloud compute firewall-rules create allow-ssh --allow=tcp:22 --direction=INGRESS "
                "--source-ranges=ADDRESS/32 (for the VM's network)."
            ),
            "Without an external address, use IAP's tunnel: --way iap.",
        ),
        (
            r"connect to (?:host|address) (?P<address>\S+) port (?P<port>\d+): (?:Connection|Operation) timed out",
            r"dial tcp (?P<address>[\d.]+):(?P<port>22): i/o timeout",
        ),
        link=CONNECT,
    ),
    DiagnosisRule(
        "ssh-no-route",
        "there is no route to the TPU VM's address",
        "[{address} ]cannot be reached from here: an internal address outside of its network, or no network at all.",
        ("Check the network. From outside, use the external address or IAP's tunnel: --way iap.",),
        (r"connect to host (?P<address>\S+) port \d+: (?:No route to host|Network is unreachable)", r"ssh: Could not resolve hostname"),
    ),
    DiagnosisRule(
        "ssh-tunnel",
        "the IAP tunnel did not open",
        "The tunnel needs roles/iap.tunnelResourceAccessor and a firewall rule that allows 35.235.240.0/20 on port 22.",
        ("Check both with an administrator of the project, then connect again: `heartbeat-tui vms ssh NAME --way iap`.",),
        (r"Error while connecting \[40\d\d:", r"Failed to connect to TPU\.", r"IAP.{0,40}(?:denied|not authorized)"),
        link=IAP,
    ),
    DiagnosisRule(
        "ssh-lost",
        "the connection to the TPU VM was lost",
        "The network failed, the VM was preempted, stopped or restarted, or its ssh server ended.",
        ("Check its state: heartbeat-tui vms list. Then run it again.",),
        (
            r"Connection to \S+ closed by remote host",
            r"client_loop: send disconnect",
            r"Timeout, server \S+ not responding",
            r"kex_exchange_identification: ",
            r"Connection (?:closed|reset) by \S+ port \d+",
        ),
    ),
    DiagnosisRule(
        "disk-full",
        "the disk is full",
        "The data does not fit. torch and torch_xla take 8 GB, and twice as much during installation.",
        ("Free some space (df -h shows where), or set remote.folder to a larger disk.",),
        (r"No space left on device", r"Disk quota exceeded"),
    ),
    DiagnosisRule(
        "apt-lock",
        "another package manager is running",
        "A new VM updates itself first and holds apt's lock during that time.",
        ("Wait a few minutes and run the same command again.",),
        (r"Could not get lock /var/lib/(?:dpkg|apt)\S*", r"Unable to acquire the dpkg frontend lock"),
    ),
    DiagnosisRule(
        "vm-offline",
        "the TPU VM cannot reach the internet",
        "Packages come from PyPI and Ubuntu's servers. A VM without an external address needs Cloud NAT to reach them.",
        ("Add Cloud NAT to its network, or create the VM with an external address.",),
        (
            r"Temporary failure resolving",
            r"Could not connect to \S+(?:ubuntu|debian)\S*",
            r"NewConnectionError.{0,300}(?:pypi|files\.pythonhosted)",
            r"Could not fetch URL .{0,80}pypi",
        ),
    ),
    DiagnosisRule(
        "sudo-password",
        "sudo asks for a password there",
        "System packages are installed by root, and this account needs a password for sudo.",
        ("Install them by hand, in a shell there: `heartbeat-tui vms ssh NAME` opens one.",),
        (r"sudo: a password is required", r"is not in the sudoers file"),
    ),
    DiagnosisRule(
        "no-venv",
        "Python there cannot create virtual environments",
        "Debian and Ubuntu ship the module venv as a separate package.",
        ("sudo apt-get install python3-venv, on the TPU VM.",),
        (r"ensurepip is not available", r"No module named '?(?:venv|ensurepip)"),
    ),
)


NETWORK_RULES = (
    DiagnosisRule(
        "certificate",
        "the certificate is not trusted",
        "A proxy between this machine and the server, most likely a company's, presents its own certificate.",
        ("Name the company's certificate authority: export REQUESTS_CA_BUNDLE=/path/to/it.pem (gcloud: core/custom_ca_certs_file).",),
        (r"CERTIFICATE_VERIFY_FAILED", r"certificate verify failed", r"invalid path: \S+\.pem", r"TLS CA certificate bundle"),
    ),
    DiagnosisRule(
        "proxy",
        "the proxy refused the connection",
        "The proxy that HTTPS_PROXY names cannot be reached, or refuses.",
        ("Check HTTPS_PROXY and NO_PROXY.",),
        (r"Unable to connect to proxy", r"Cannot connect to proxy", r"Tunnel connection failed", r"Proxy Authentication Required"),
    ),
    DiagnosisRule(
        "unreachable",
        "Google cannot be reached from here",
        "There is no network, the name does not resolve, a firewall blocks the call, or the emulator does not run.",
        ("Check the network, and HTTPS_PROXY if you are behind a proxy.", do.wait),
        (
            r"Connection refused",
            r"Name or service not known",
            r"Temporary failure in name resolution",
            r"nodename nor servname provided",
            r"Network is unreachable",
            r"No route to host",
            r"Failed to establish a new connection",
        ),
        googles=True,
        vague=True,
    ),
    DiagnosisRule(
        "timed-out",
        "the call timed out",
        "The service is slow or overloaded, or the connection was lost.",
        (do.wait,),
        (r"Read timed out", r"\bDEADLINE_EXCEEDED\b"),
        googles=True,
        vague=True,
    ),
    DiagnosisRule(
        "cut",
        "the connection was cut",
        "The connection ended before the answer was complete.",
        (do.wait,),
        (r"Connection aborted", r"RemoteDisconnected", r"Connection reset by peer", r"IncompleteRead"),
        googles=True,
        vague=True,
    ),
    DiagnosisRule("garbled", "the answer is not valid JSON", "A proxy answers in Google's place, or the answer was cut short.", (do.wait,)),
    DiagnosisRule(
        "forbidden",
        "permission denied",
        "Google gives no reason: a missing role, a wrong account or project, or an API that is off.",
        (do.list_accounts, do.list_projects),
        (r"\bPERMISSION_DENIED\b", r"\b403 Forbidden\b", r"\bError 403\b"),
        googles=True,
        vague=True,
        instead=("project-denied", "api-disabled"),
        tell_apart="`gcloud projects describe PROJECT` works with the right account and project; then it is a role or an API.",
    ),
    DiagnosisRule(
        "not-found",
        "not found",
        "No resource of that name is in that location, or you cannot see it. A new one can take a moment to appear.",
        (do.wait, "Check name, zone and project."),
        (r"\bNOT_FOUND\b", r"\b404 Not Found\b", r"\bError 404\b"),
        googles=True,
        vague=True,
    ),
    DiagnosisRule(
        "exists",
        "it already exists",
        "A resource of that name exists in that location.",
        ("Choose another name, or use the existing one.",),
        (r"\bALREADY_EXISTS\b", r"\b409 Conflict\b", r"\bError 409\b"),
        googles=True,
        vague=True,
    ),
    DiagnosisRule(
        "google-failed",
        "Google reports an internal error",
        "The fault is on Google's side and is usually temporary.",
        (do.wait, "Check Google's status page: https://status.cloud.google.com"),
        (
            r"\b500 Internal Server Error\b",
            r"\b502 Bad Gateway\b",
            r"\b503 Service Unavailable\b",
            r"\b504 Gateway Time-?out\b",
            r"\bStatusCode\.(?:INTERNAL|UNAVAILABLE)\b",
            r"Cloud TPU was unable to complete the operation",
            r"\binternal error (?:has occurred|encountered)",
        ),
        googles=True,
        vague=True,
    ),
)
