"""Failures of accounts, projects, APIs and permissions. The most specific come first: billing and APIs before a bare 403."""

from __future__ import annotations

from heartbeat_core.diagnosis import remedies as do
from heartbeat_core.diagnosis.model import DOCS, DiagnosisRule

ADC = "https://docs.cloud.google.com/docs/authentication/provide-credentials-adc"
QUOTA_PROJECT = "https://docs.cloud.google.com/docs/authentication/adc-troubleshooting/user-creds"
SETUP = f"{DOCS}/setup-gcp-account"

PROJECT_RULES = (
    DiagnosisRule(
        "free-trial",
        "a free trial cannot use Cloud TPU",
        "The project's billing account is a free trial, which has no TPUs and whose quotas cannot be raised. Credit that is left stays "
        "after the upgrade.",
        (do.upgrade_billing, do.list_billing_accounts),
        (
            r"free[- ]trial (?:billing )?account",
            r"free[- ]trial.{0,80}(?:quota|not (?:allowed|available|support)|cannot|can't)",
            r"(?:cannot|can't|not (?:allowed|available|support)).{0,80}free[- ]trial",
        ),
        link="https://docs.cloud.google.com/free/docs/free-cloud-features",
    ),
    DiagnosisRule(
        "org-policy",
        "an organization policy forbids it[: {constraint}]",
        "The project belongs to an organization whose policy does not allow what was asked.",
        (do.show_policy, do.create_within_policy),
        (
            r"Constraint '?(?P<constraint>constraints/(?!gcp\.resourceLocations)[\w.]+)'? violated",
            r"(?:violates|violated|denied by).{0,60}(?P<constraint>constraints/(?!gcp\.resourceLocations)[\w.]+)",
            r"Operation denied by org policy.{0,80}(?P<constraint>constraints/[\w.]+)?",
            r"not allowed by organization policy",
        ),
        link="https://docs.cloud.google.com/resource-manager/docs/organization-policy/org-policy-constraints",
    ),
    DiagnosisRule(
        "storage-access",
        "the account may not use the bucket[ {bucket}][: {permission}]",
        "A TPU VM reads and writes buckets as its service account[, {account}], not as you.",
        (do.grant_bucket, "The VM's access scopes must cover storage, too: create it with --scopes=cloud-platform."),
        (
            r"does not have (?P<permission>storage\.\w+\.\w+) access",
            r"Permission '?(?P<permission>storage\.\w+\.\w+)'? denied",
            r"Anonymous caller does not have storage",
            r"HTTP response code 40[13].{0,240}gs://",
            r"Permission ?Denied.{0,240}gs://",
            r"gs://.{0,160}(?:\b403\b|Access ?Denied|Permission denied)",
        ),
        link="https://docs.cloud.google.com/tpu/docs/storage-buckets",
    ),
    DiagnosisRule(
        "gcloud-arguments",
        "gcloud does not know this[: {argument}]",
        "The command has no such flag, value or subcommand, or lacks one that it needs; older and newer releases differ.",
        (
            do.gcloud_help,
            "To choose from a list, use --filter, such as --filter=zone:us-central1-a.",
            "Bring gcloud up to date: gcloud components update.",
        ),
        (
            r"\(gcloud[\w.-]*\) unrecognized arguments?: (?P<argument>\S+)",
            r"\(gcloud[\w.-]*\) Invalid choice: '?(?P<argument>[\w-]+)",
            r"\(gcloud[\w.-]*\) argument (?P<argument>.{1,60}?): (?:Must be specified|expected|Bad |Invalid|At most|Exactly|not allowed)",
            r"\(gcloud[\w.-]*\) .{0,60}(?:flag|argument)s? .{0,60}(?:required|not allowed|must be|is not)",
            r"\(gcloud[\w.-]*\) Missing required argument",
            r"Invalid value for \[(?P<argument>[\w-]+)\]",
            r"do not currently have this command group installed",
        ),
        vague=True,
    ),
    DiagnosisRule(
        "billing-disabled",
        "billing is not enabled for the project",
        "No open billing account is linked to the project, so Google refuses everything that can cost money.",
        (do.list_billing_accounts, do.link_billing, do.billing_page),
        (
            r"requires billing to be enabled(?: on project #?(?P<project>[\w:.-]*\w))?",
            r"billing (?:account )?(?:for project .{1,80} )?(?:is|has been|must be) (?:disabled|closed|not (?:found|open|enabled)|enabled)",
            r"billing account.{0,60} (?:disabled|closed|delinquent)",
            r"\bBILLING_DISABLED\b",
            r"\bUREQ_PROJECT_BILLING_NOT_FOUND\b",
        ),
        ("BILLING_DISABLED", "UREQ_PROJECT_BILLING_NOT_FOUND"),
        "https://docs.cloud.google.com/billing/docs/how-to/modify-project",
    ),
    DiagnosisRule(
        "quota-project-foreign",
        "the call was counted against another project",
        "Your credentials name no quota project, so Google counted the call against the project of the program that made them.",
        (do.set_quota_project,),
        (
            r"in project (?:764086051850|32555940559) before or it is disabled",
            r"\bprojects/(?:764086051850|32555940559)\b",
            r"does not match the quota project in your local",
        ),
        link=QUOTA_PROJECT,
    ),
    DiagnosisRule(
        "quota-project-unset",
        "the credentials name no quota project",
        "This API needs a project whose quota the call uses. A user's credentials do not name one by themselves.",
        (do.set_quota_project,),
        (
            r"requires a quota project, which is not set",
            r"end user credentials .{0,80}without a quota project",
            r"quota project .{0,40}not set",
        ),
        link=QUOTA_PROJECT,
    ),
    DiagnosisRule(
        "api-disabled",
        "the API[ {service}] is off",
        "A project can use an API only after it is enabled there. That takes a few minutes to propagate.",
        (do.enable_api, do.wait),
        (
            (
                r"(?:(?P<api>(?:Cloud TPU|Compute Engine|Cloud Quotas|Cloud Billing|Cloud Resource Manager|Service Usage"
                r"|Identity and Access Management \(IAM\)) API) .{0,40})?has not been used in project (?P<project>[\w:.-]+) "
                r"before or it is disabled(?:.{0,200}?/apis/api/(?P<service_too>[\w-]+\.googleapis\.com))?"
            ),
            r"API \[(?P<service>[\w-]+\.googleapis\.com)\] not enabled on project \[(?P<project>[\w:.-]+)\]",
            r"\bSERVICE_DISABLED\b",
        ),
        ("SERVICE_DISABLED",),
        SETUP,
    ),
    DiagnosisRule(
        "quota-project-denied",
        "you may not use the quota project",
        "You lack serviceusage.services.use in the project that calls are counted against.",
        (do.set_quota_project, do.grant_use_of_project),
        (r"\bUSER_PROJECT_DENIED\b", r"does not have required permission to use project (?P<denied>[\w:.-]*\w)"),
        ("USER_PROJECT_DENIED",),
        QUOTA_PROJECT,
    ),
    DiagnosisRule(
        "project-suspended",
        "Google has suspended the project",
        "No call to a suspended project succeeds, with any account.",
        ("Read the message Google sent to the project's owners, and appeal in the console if it is wrong.",),
        (r"\b(?:CONSUMER|GCP)_SUSPENDED\b", r"(?:consumer|project) .{0,80}has been suspended"),
        ("CONSUMER_SUSPENDED", "GCP_SUSPENDED"),
    ),
    DiagnosisRule(
        "project-placeholder",
        "the project's name is the handbook's placeholder",
        "your-project-id stands for the id of your project. Names in capitals or angle brackets are placeholders too.",
        (do.list_projects, do.set_project),
        (r"\byour-project-id\b",),
    ),
    DiagnosisRule(
        "act-as",
        "you may not act as the service account[ {service_account}]",
        "A TPU VM runs as a service account. To create one you need the permission to act as it, which the handbook's three roles "
        "do not include.",
        (do.grant_act_as,),
        (
            r"does not have access to service account '(?P<service_account>[^' ]+)'",
            r"iam\.serviceAccounts\.actAs.{0,120}(?:denied|missing|required)",
            r"(?:denied|missing|required).{0,120}iam\.serviceAccounts\.actAs",
        ),
        (),
        "https://docs.cloud.google.com/iam/docs/service-accounts-actas",
    ),
    DiagnosisRule(
        "service-account-missing",
        "there is no service account[ {missing_account}]",
        "A TPU VM runs as the Compute Engine default service account by default; a new project lacks it until the "
        "Compute Engine API is enabled, and it may have been deleted.",
        (do.enable("compute.googleapis.com"), do.pass_service_account),
        (r"Service account \"?(?P<missing_account>[^\" ]+?)\"? does not exist",),
        link=f"{DOCS}/setup-gcp-account",
    ),
    DiagnosisRule(
        "project-denied",
        "the project[ {project}] is missing or out of reach",
        "Google gives the same answer for a missing project and for one you cannot see: a wrong account, project or zone, or a grant "
        "that ended.",
        (do.list_accounts, do.list_projects, do.set_project),
        (
            r"Read access to project '(?P<project>[^']+)' was denied",
            r"Permission denied on resource project (?P<project>[\w:.-]*\w)",
            r"Permission 'resourcemanager\.projects\.get' denied on resource '?(?:[\w./]*/)?projects/(?P<project>[\w:.-]*\w)",
            r"\bCONSUMER_INVALID\b",
            r"Project '?(?P<project>[\w:.-]+?)'? (?:not found or deleted|has been deleted|was not found)",
            r"does not have permission to access projects? instance \[(?P<project>[\w:.-]+)\]",
        ),
        ("CONSUMER_INVALID",),
    ),
    DiagnosisRule(
        "tpu-permission",
        "a permission is missing[: {permission}]",
        "Your account has no role in the project that includes it. TPU Viewer can read, TPU Admin can also create and delete.",
        (do.grant("roles/tpu.viewer"), do.grant("roles/tpu.admin")),
        (r"Permission '(?P<permission>tpu\.[\w.]+)' denied", r"(?P<permission>tpu\.[\w]+\.[\w]+)\b.{0,60}(?:denied|missing|required)"),
        (),
        "https://docs.cloud.google.com/iam/docs/roles-permissions/tpu",
    ),
    DiagnosisRule(
        "location-unauthorized",
        "the location[ {zone}] is not found, or you have no access",
        "Google does not say which. The error is known to be intermittent.",
        (do.wait, do.list_locations),
        (r"Location (?P<zone>[\w-]+) is not found or access is unauthorized",),
        instead=("project-denied", "api-disabled"),
        tell_apart="The list of zones: if it has the zone, wait; if it fails itself, its error names the project or the API.",
    ),
    DiagnosisRule(
        "location-policy",
        "an organization policy forbids this location",
        "The project belongs to an organization that allows certain locations only.",
        ("Choose a location that the policy allows, or ask an administrator of the organization.",),
        (r"\bLOCATION_(?:ORG_)?POLICY_VIOLATED\b", r"constraints/gcp\.resourceLocations"),
        ("LOCATION_POLICY_VIOLATED", "LOCATION_ORG_POLICY_VIOLATED"),
    ),
    DiagnosisRule(
        "scopes",
        "the VM's access scopes do not cover this API",
        "Access scopes limit the VM's service account, even where its roles allow more. They are set when the VM is created.",
        ("Create the VM with --scopes=cloud-platform, or use credentials of your own on it.", do.login_adc),
        (r"\bACCESS_TOKEN_SCOPE_INSUFFICIENT\b", r"insufficient authentication scopes"),
        ("ACCESS_TOKEN_SCOPE_INSUFFICIENT",),
        "https://docs.cloud.google.com/compute/docs/access/service-accounts",
    ),
    DiagnosisRule(
        "gcloud-no-account",
        "gcloud is not signed in",
        "No account is selected in gcloud's active configuration.",
        (do.login, do.list_accounts),
        (
            r"do not currently have an active account selected",
            r"current credentials? .{0,40}gcloud auth login",
            r"No credentialed accounts",
        ),
    ),
    DiagnosisRule(
        "credentials-file",
        "the credentials file cannot be used",
        "GOOGLE_APPLICATION_CREDENTIALS names it. While that is set, programs look nowhere else; signing in again does not help.",
        (
            "Correct the path or the file.",
            "Or unset GOOGLE_APPLICATION_CREDENTIALS, then gcloud auth application-default login.",
        ),
        (
            r"\(from GOOGLE_APPLICATION_CREDENTIALS\) cannot be (?:read|used)",
            r"DefaultCredentialsError\W{1,3}(?:File .{1,300} was not found|\(?'File .{1,300} (?:was not found|is not a valid json))",
        ),
        link=ADC,
    ),
    DiagnosisRule(
        "credentials-missing",
        "there are no Application Default Credentials",
        "gcloud's own sign-in is for gcloud only. Programs use Application Default Credentials, and there are none.",
        (do.login_adc,),
        (
            r"default credentials were not found",
            r"Could not automatically determine credentials",
            r"\bCREDENTIALS_MISSING\b",
            r"missing required authentication credential",
            r"DefaultCredentialsError",
        ),
        ("CREDENTIALS_MISSING",),
        ADC,
    ),
    DiagnosisRule(
        "credentials-expired",
        "the credentials are no longer valid",
        "They were revoked, have expired, or the organization requires you to sign in again.",
        (do.login_adc, do.login),
        (
            r"\binvalid_grant\b",
            r"Token has been expired or revoked",
            r"\bACCESS_TOKEN_EXPIRED\b",
            r"\bACCESS_TOKEN_TYPE_UNSUPPORTED\b",
            r"problem refreshing (?:your )?(?:the )?(?:current )?auth tokens?",
            r"invalid authentication credentials",
            r"(?-i:\bUNAUTHENTICATED\b)",
        ),
        ("ACCESS_TOKEN_EXPIRED", "ACCESS_TOKEN_TYPE_UNSUPPORTED"),
        ADC,
    ),
    DiagnosisRule(
        "permission",
        "a permission is missing[: {permission}]",
        "Your account has no role that includes it, in the project or above.",
        ("Ask an administrator of the project to grant a role that includes it.", do.list_accounts),
        (
            r"Permission '?\"?(?P<permission>[a-z]\w+\.[\w.]*\w)'?\"? (?:is )?(?:denied|required|missing)",
            r"[Rr]equired '?\"?(?P<permission>[a-z]\w+\.\w+\.\w+)'?\"? permission",
            r"\bIAM_PERMISSION_DENIED\b",
            r"\bAUTH_PERMISSION_DENIED\b",
        ),
        ("IAM_PERMISSION_DENIED", "AUTH_PERMISSION_DENIED"),
    ),
)
