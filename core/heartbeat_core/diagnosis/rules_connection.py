"""Failures on the way to a TPU VM over ssh, and of its set-up."""

from __future__ import annotations

from heartbeat_core.diagnosis import remedies as do
from heartbeat_core.diagnosis.model import DOCS, DiagnosisRule

CONNECT = f"{DOCS}/managing-tpus-tpu-vm"
IAP = "https://docs.cloud.google.com/iap/docs/using-tcp-forwarding"

SSH_RULES = (
    DiagnosisRule(
        "ssh-host-key",
        "the host's key has changed",
        "Another machine answers at that address than before: a TPU VM that was created again, or somebody in between.",
        (
            "If you created it again: remove its line from ~/.ssh/google_compute_known_hosts, and connect once more.",
            "If you did not, find out who answers before you log in.",
        ),
        (r"REMOTE HOST IDENTIFICATION HAS CHANGED", r"Host key verification failed"),
    ),
    DiagnosisRule(
        "ssh-denied",
        "the TPU VM does not know your key",
        "gcloud writes the key into the node's metadata, and the VM reads it from there within a minute; OS Login, or a key that is "
        "locked, prevents it.",
        (
            "Connect once by hand with `heartbeat-tui vms ssh NAME`, so that gcloud brings the key there.",
            "With OS Login you need roles/compute.osLogin on the project.",
        ),
        (r"Permission denied \((?:publickey|password|keyboard-interactive|gssapi)",),
        link=CONNECT,
    ),
    DiagnosisRule(
        "ssh-refused",
        "nothing listens for ssh there",
        "The machine at [{address} ]answers and has no ssh server on that port[, {port}]: it may still be starting, or use another port.",
        ("Wait a minute and try again; for another port set remote.ssh_flags = '-p 2222'.",),
        (r"connect to host (?P<address>\S+) port (?P<port>\d+): Connection refused",),
    ),
    DiagnosisRule(
        "ssh-timed-out",
        "the TPU VM does not answer",
        "Nothing came back from [{address}, ]port {port}: mostly a firewall that lets no ssh in, or an address that is not reachable "
        "from here.",
        (
            "Let ssh in: gcloud compute firewall-rules create allow-ssh --allow=tcp:22 --direction=INGRESS (for the VM's network).",
            "Without an external address, use Google's tunnel: --way iap.",
        ),
        (r"connect to (?:host|address) (?P<address>\S+) port (?P<port>\d+): (?:Connection|Operation) timed out",),
        link=CONNECT,
    ),
    DiagnosisRule(
        "ssh-no-route",
        "there is no way to the TPU VM's address",
        "No network leads to [{address} ]from here: an internal address outside of its network, or no network at all.",
        ("Check the network. From outside, use the external address or Google's tunnel: --way iap.",),
        (r"connect to host (?P<address>\S+) port \d+: (?:No route to host|Network is unreachable)", r"ssh: Could not resolve hostname"),
    ),
    DiagnosisRule(
        "ssh-tunnel",
        "Google's tunnel did not open",
        "The tunnel (IAP) needs the role roles/iap.tunnelResourceAccessor, and a firewall rule that lets 35.235.240.0/20 in on port 22.",
        ("See what lacks: gcloud compute start-iap-tunnel shows the reason with --troubleshoot.",),
        (r"Error while connecting \[40\d\d:", r"Failed to connect to TPU\.", r"IAP.{0,40}(?:denied|not authorized)"),
        link=IAP,
    ),
    DiagnosisRule(
        "ssh-lost",
        "the connection to the TPU VM was lost",
        "It was there, and then nothing came any more: the network, the VM (preempted, stopped, restarted), or its ssh server.",
        ("See what became of it: heartbeat-tui vms list. Then run it again.",),
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
        "What is being written does not fit; torch and torch_xla take 8 GB, and twice as much while they are being installed.",
        ("Free some space (df -h shows where), or set remote.folder to a larger disk.",),
        (r"No space left on device", r"Disk quota exceeded"),
    ),
    DiagnosisRule(
        "apt-lock",
        "another package manager is at work",
        "A new VM updates itself first, and holds apt's lock meanwhile.",
        ("Wait a few minutes, and run the same command again.",),
        (r"Could not get lock /var/lib/(?:dpkg|apt)\S*", r"Unable to acquire the dpkg frontend lock"),
    ),
    DiagnosisRule(
        "vm-offline",
        "the TPU VM cannot reach the internet",
        "Packages come from PyPI and Ubuntu's servers. A VM without an external address needs Cloud NAT to get there.",
        ("Give its network Cloud NAT, or create the VM with an external address.",),
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
        "System packages are installed by root, and this account may not act as root without a word.",
        ("Install them by hand, in a shell there: `heartbeat-tui vms ssh NAME` opens one.",),
        (r"sudo: a password is required", r"is not in the sudoers file"),
    ),
    DiagnosisRule(
        "no-venv",
        "the Python there makes no virtual environments",
        "Debian and Ubuntu keep the module venv in a package of its own.",
        ("sudo apt-get install python3-venv, on the TPU VM.",),
        (r"ensurepip is not available", r"No module named '?(?:venv|ensurepip)"),
    ),
)


NETWORK_RULES = (
    DiagnosisRule(
        "certificate",
        "the certificate was not believed",
        "Something between here and Google answers with a certificate of its own, most likely a company's proxy.",
        ("Name the company's authority: export REQUESTS_CA_BUNDLE=/path/to/it.pem (gcloud: core/custom_ca_certs_file).",),
        (r"CERTIFICATE_VERIFY_FAILED", r"certificate verify failed", r"invalid path: \S+\.pem", r"TLS CA certificate bundle"),
    ),
    DiagnosisRule(
        "proxy",
        "the proxy did not let the call through",
        "HTTPS_PROXY names a proxy that cannot be reached, or that refuses.",
        ("Check HTTPS_PROXY, and NO_PROXY for what needs none.",),
        (r"Unable to connect to proxy", r"Cannot connect to proxy", r"Tunnel connection failed", r"Proxy Authentication Required"),
    ),
    DiagnosisRule(
        "unreachable",
        "Google cannot be reached from here",
        "No connection came about: no network, a name that does not resolve, a firewall, or an emulator that does not run.",
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
    ),
    DiagnosisRule(
        "timed-out",
        "there was no answer in time",
        "Slow, overloaded, or lost on the way.",
        (do.wait,),
        (r"Read timed out", r"\bDEADLINE_EXCEEDED\b"),
    ),
    DiagnosisRule(
        "cut",
        "the connection was cut",
        "It ended before the answer was complete.",
        (do.wait,),
        (r"Connection aborted", r"RemoteDisconnected", r"Connection reset by peer", r"IncompleteRead"),
    ),
    DiagnosisRule(
        "garbled", "the answer makes no sense", "Something on the way answers in Google's place, or the answer was cut short.", (do.wait,)
    ),
    DiagnosisRule(
        "forbidden",
        "you may not do that",
        "Google says no more than that: a missing role, a wrong account or project, or an API that is off.",
        (do.list_accounts, do.list_projects),
        (r"\bPERMISSION_DENIED\b", r"\b403 Forbidden\b"),
    ),
    DiagnosisRule(
        "not-found",
        "it is not there",
        "There is nothing of that name in that place, or you may not see it. Just after it was made it can take a moment to appear.",
        (do.wait, "Check name, zone and project."),
        (r"\bNOT_FOUND\b", r"\b404 Not Found\b"),
    ),
    DiagnosisRule(
        "exists",
        "it is there already",
        "Something of that name exists in that place.",
        ("Take another name, or use what is there.",),
        (r"\bALREADY_EXISTS\b", r"\b409 Conflict\b"),
    ),
    DiagnosisRule(
        "google-failed",
        "Google failed",
        "The fault is on Google's side, and mostly passes.",
        (do.wait, "See whether Google knows of it: https://status.cloud.google.com"),
        (
            r"\b50[0234] (?:Internal Server Error|Bad Gateway|Service Unavailable|Gateway Time-?out)\b",
            r"\bStatusCode\.(?:INTERNAL|UNAVAILABLE)\b",
        ),
    ),
)
