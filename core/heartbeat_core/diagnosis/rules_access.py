"""Rules for credentials that Google refuses, each kind for its own reason, and for what an organization forbids."""

from __future__ import annotations

from heartbeat_core.diagnosis import remedies as do
from heartbeat_core.diagnosis.model import DiagnosisRule

KEYS = "https://docs.cloud.google.com/iam/docs/keys-create-delete"
FEDERATION = "https://docs.cloud.google.com/iam/docs/workload-identity-federation"
IMPERSONATION = "https://docs.cloud.google.com/iam/docs/service-account-impersonation"
PERIMETER = "https://docs.cloud.google.com/vpc-service-controls/docs/troubleshooting"
ADMINISTRATOR = "Ask an administrator of the organization."

ACCESS_RULES = (
    DiagnosisRule(
        "credentials-key",
        "the service account's key is not accepted",
        "The key in the credentials file was deleted or disabled, or its service account was.",
        (do.list_keys, "Use a key that is listed, or no key: gcloud auth application-default login --impersonate-service-account."),
        (r"Invalid JWT Signature", r"\bInvalid grant: account not found", r"\baccount has been (?:deleted|disabled)"),
        link=KEYS,
    ),
    DiagnosisRule(
        "credentials-clock",
        "the clock of this machine is wrong",
        "Google refuses a token whose times are not near its own. The credentials themselves may be valid.",
        (do.show_clock,),
        (r"must be a short-lived token .{0,80}reasonable timeframe", r"reasonable timeframe", r"Token used too (?:early|late)"),
    ),
    DiagnosisRule(
        "credentials-workload-identity",
        "the workload identity pool does not accept this identity",
        "The pool's provider has a condition on the attributes of the token, or another issuer or audience.",
        (do.describe_provider,),
        (
            r"rejected by the attribute condition",
            r"audience in ID Token .{0,200}does not match",
            r"issuer .{0,200}does not match",
            r"(?:mapped|attribute).{0,60}could not be (?:evaluated|mapped)",
        ),
        link=FEDERATION,
    ),
    DiagnosisRule(
        "credentials-impersonation",
        "you may not impersonate the service account",
        "The credentials act as a service account, for which you need roles/iam.serviceAccountTokenCreator on that account.",
        (do.grant_token_creator,),
        (r"iam\.serviceAccounts\.getAccessToken\W.{0,40}denied", r"Unable to acquire impersonated credentials"),
        link=IMPERSONATION,
    ),
    DiagnosisRule(
        "credentials-workforce",
        "the sign-in through your organization has expired",
        "Workforce identities sign in through the organization's own provider, with its login configuration.",
        (do.login_workforce,),
        (r"\bworkforce\w* .{0,120}(?:expired|invalid|refresh)", r"external_account_authorized_user"),
    ),
    DiagnosisRule(
        "credentials-reauthentication",
        "Google asks you to sign in again",
        "The organization limits how long a sign-in lasts.",
        (do.login_adc, do.login),
        (r"\binvalid_rapt\b", r"Reauthentication (?:is needed|failed|required)"),
    ),
    DiagnosisRule(
        "account-state",
        "the account is disabled or deleted",
        "No call succeeds with this account, with any role.",
        ("Use another account, or ask your administrator to restore this one.", do.list_accounts),
        (r"\bACCOUNT_STATE_INVALID\b",),
        ("ACCOUNT_STATE_INVALID",),
    ),
    DiagnosisRule(
        "user-blocked",
        "the administrator has blocked this service for your account",
        "The organization's settings turn the service off for you. The project and its APIs are not the cause.",
        (ADMINISTRATOR,),
        (r"\bUSER_BLOCKED_BY_ADMIN\b",),
        ("USER_BLOCKED_BY_ADMIN",),
    ),
    DiagnosisRule(
        "vpc-service-controls",
        "VPC Service Controls refuse the call[, identifier {uid}]",
        "The project exists and is inside a perimeter; the call came from outside of it, or by an account that it does not admit.",
        (do.perimeter,),
        (
            r"vpcServiceControlsUniqueIdentifier\W{1,4}(?P<uid>[\w-]+)",
            r"Request is prohibited by organization's policy",
            r"\bSECURITY_POLICY_VIOLATED\b",
        ),
        ("SECURITY_POLICY_VIOLATED",),
        PERIMETER,
    ),
    DiagnosisRule(
        "service-restricted",
        "the organization does not allow this service",
        "A policy (constraints/gcp.restrictServiceUsage) lists the services that its projects may use.",
        (ADMINISTRATOR,),
        (r"\bRESOURCE_USAGE_RESTRICTION_VIOLATED\b", r"constraints/gcp\.restrictServiceUsage"),
        ("RESOURCE_USAGE_RESTRICTION_VIOLATED",),
    ),
    DiagnosisRule(
        "service-not-visible",
        "the project cannot see this service",
        "The service is limited to certain projects, and this one is not among them.",
        ("Check the name of the service, and ask Google for access.",),
        (r"\bSERVICE_NOT_VISIBLE\b",),
        ("SERVICE_NOT_VISIBLE",),
    ),
)
