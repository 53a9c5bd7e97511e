"""Which permissions a role carries, for the roles and permissions this project asks about. Google's own roles carry many more."""

from __future__ import annotations

PROJECT_READ = {"resourcemanager.projects.get", "resourcemanager.projects.getIamPolicy"}
PROJECT_WRITE = {"resourcemanager.projects.update", "resourcemanager.projects.delete"}
PROJECT_GRANT = {"resourcemanager.projects.setIamPolicy"}
BILLING_READ = {"billing.resourceAssociations.list"}
BILLING_WRITE = {"resourcemanager.projects.createBillingAssignment", "resourcemanager.projects.deleteBillingAssignment"}
SERVICE_READ = {"serviceusage.services.get", "serviceusage.services.list", "serviceusage.quotas.get"}
SERVICE_USE = {"serviceusage.services.use"}
SERVICE_WRITE = {"serviceusage.services.enable", "serviceusage.services.disable"}
QUOTA_READ = {"cloudquotas.quotas.get", "monitoring.timeSeries.list"}
QUOTA_WRITE = {"cloudquotas.quotas.update"}
ACCOUNT_READ = {"iam.serviceAccounts.get", "iam.serviceAccounts.list", "iam.serviceAccounts.getIamPolicy", "iam.roles.get"}
ACCOUNT_WRITE = {f"iam.serviceAccounts.{verb}" for verb in ("create", "delete", "disable", "enable", "update")}
ACCOUNT_GRANT = {"iam.serviceAccounts.setIamPolicy"}
ACT_AS = {"iam.serviceAccounts.actAs"}
COMPUTE_READ = {"compute.projects.get", "compute.regions.get", "compute.regions.list", "compute.zones.get", "compute.zones.list"}
COMPUTE_WRITE = {"compute.projects.setCommonInstanceMetadata", "compute.instances.create", "compute.disks.create"}
TPU_READ = {
    f"tpu.{kind}.{verb}"
    for kind in ("acceleratortypes", "locations", "nodes", "operations", "runtimeversions", "tensorflowversions")
    for verb in ("get", "list")
}
TPU_WRITE = {f"tpu.nodes.{verb}" for verb in ("create", "delete", "reimage", "reset", "start", "stop", "update")}
STORAGE = {"storage.buckets.create", "storage.buckets.get", "storage.objects.create", "storage.objects.get", "storage.objects.list"}

READ = PROJECT_READ | BILLING_READ | SERVICE_READ | QUOTA_READ | ACCOUNT_READ | COMPUTE_READ | TPU_READ
EDIT = READ | SERVICE_USE | SERVICE_WRITE | QUOTA_WRITE | ACCOUNT_WRITE | ACT_AS | COMPUTE_WRITE | TPU_WRITE | PROJECT_WRITE
OWN = EDIT | PROJECT_GRANT | ACCOUNT_GRANT | BILLING_WRITE | STORAGE

ROLES: dict[str, tuple[str, frozenset[str]]] = {
    name: (title, frozenset(permissions))
    for name, title, permissions in (
        ("roles/viewer", "Viewer", READ),
        ("roles/editor", "Editor", EDIT),
        ("roles/owner", "Owner", OWN),
        ("roles/browser", "Browser", PROJECT_READ),
        ("roles/billing.projectManager", "Project Billing Manager", BILLING_WRITE | BILLING_READ),
        ("roles/cloudquotas.admin", "Cloud Quotas Admin", QUOTA_READ | QUOTA_WRITE | {"resourcemanager.projects.get"}),
        ("roles/cloudquotas.viewer", "Cloud Quotas Viewer", QUOTA_READ | {"resourcemanager.projects.get"}),
        ("roles/cloudtpu.serviceAgent", "Cloud TPU V2 API Service Agent", TPU_READ | COMPUTE_READ | COMPUTE_WRITE),
        ("roles/compute.admin", "Compute Admin", COMPUTE_READ | COMPUTE_WRITE | {"resourcemanager.projects.get"}),
        ("roles/compute.viewer", "Compute Viewer", COMPUTE_READ | {"resourcemanager.projects.get"}),
        (
            "roles/iam.serviceAccountAdmin", "Service Account Admin",
            ACCOUNT_READ | ACCOUNT_WRITE | ACCOUNT_GRANT | {"resourcemanager.projects.get"},
        ),
        (
            "roles/iam.serviceAccountUser", "Service Account User",
            ACT_AS | {"iam.serviceAccounts.get", "iam.serviceAccounts.list", "resourcemanager.projects.get"},
        ),
        ("roles/iam.serviceAccountViewer", "View Service Accounts", ACCOUNT_READ | {"resourcemanager.projects.get"}),
        ("roles/logging.logWriter", "Logs Writer", set()),
        ("roles/resourcemanager.projectIamAdmin", "Project IAM Admin", PROJECT_READ | PROJECT_GRANT),
        ("roles/serviceusage.serviceUsageAdmin", "Service Usage Admin", SERVICE_READ | SERVICE_USE | SERVICE_WRITE),
        ("roles/serviceusage.serviceUsageConsumer", "Service Usage Consumer", SERVICE_READ | SERVICE_USE),
        ("roles/storage.admin", "Storage Admin", STORAGE | {"resourcemanager.projects.get"}),
        ("roles/storage.objectViewer", "Storage Object Viewer", {"storage.objects.get", "storage.objects.list"}),
        ("roles/tpu.admin", "TPU Admin", TPU_READ | TPU_WRITE | {"resourcemanager.projects.get"}),
        ("roles/tpu.serviceAgent", "Cloud TPU API Service Agent", TPU_READ | COMPUTE_READ | COMPUTE_WRITE),
        ("roles/tpu.viewer", "TPU Viewer", TPU_READ | {"resourcemanager.projects.get"}),
    )
}  # fmt: skip
