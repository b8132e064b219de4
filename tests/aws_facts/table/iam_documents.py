"""Policy documents: which of them IAM takes, and what it says of the others."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from tests.aws_facts.fact import Fact, Refusal, Success, fact, iam, role, trust
from tests.aws_facts.sources import DOCUMENTS, POLICIES, ROLES, guide, issue

_BASE: dict[str, Any] = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
_SYNTAX = "Syntax errors in policy."
_LEGACY = "The policy failed legacy parsing"
_VENDOR = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
_COLON = "Actions/Condition can contain only one colon."
_OLD = "Policy document must be version 2012-10-17 or greater."
_RESOURCES = "Policy statement must contain resources."
_ACTIONS = "Policy statement must contain actions."
_NOT_ARN = 'Resource {0} must be in ARN format or "*".'
_PATHS = (
    'IAM resource path must either be "*", root, or start with user/, federated-user/, role/, group/, '
    "instance-profile/, mfa/, server-certificate/, policy/, sms-mfa/, saml-provider/, oidc-provider/, "
    "report/, access-report/."
)
_GONE = object()


def _document(statement: Mapping[str, Any] | None = None, **more: Any) -> str:
    whole = {"Version": "2012-10-17", "Statement": _statement(**(statement or {})), **more}
    return json.dumps({key: value for key, value in whole.items() if value is not _GONE})


def _statement(**changes: Any) -> dict[str, Any]:
    return {key: value for key, value in {**_BASE, **changes}.items() if value is not _GONE}


def _when(operator: str, keys: Any) -> dict[str, Any]:
    return {"Condition": {operator: keys}}


REFUSED: tuple[tuple[str, str, str], ...] = (
    ("is no JSON", "no document", _SYNTAX),
    ("has no version", "Version: null", _OLD),
    ("is of the older version", "Version: '2008-10-17'", _OLD),
    ("is of a version that there isn't", "Version: '2020-01-01'", _SYNTAX),
    ("has no statement", "Statement: null", _SYNTAX),
    ("has an empty list of statements", "Statement: []", _SYNTAX),
    ("has a text for a statement", "Statement: [text]", _SYNTAX),
    ("has an unknown element", _document(Comment="x"), _SYNTAX),
    ("has an unknown element in a statement", "Comment: x", _SYNTAX),
    ("has a list for its Id", "Id: [x]", _SYNTAX),
    ("has an object for its Id", "Id: {}", _SYNTAX),
    ("has an unknown effect", "Effect: Maybe", _SYNTAX),
    ("has no effect", "Effect: null", _SYNTAX),
    ("has an effect in another case", "Effect: allow", _LEGACY),
    ("has no action", "Action: null", _ACTIONS),
    ("has an empty list of actions", "Action: []", _ACTIONS),
    ("has neither action nor resource", "Action: null, Resource: null", _ACTIONS),
    ("has an action without a service", "Action: GetObject", _VENDOR),
    ("has an empty NotAction", "Action: null, NotAction: ''", _VENDOR),
    ("has a blank in an action's service", "Action: 's 3:GetObject'", "Vendor s 3 is not valid"),
    ("has an action with two colons", "Action: 's3:Get:Object'", _COLON),
    ("has an object for an action", "Action: {}", _SYNTAX),
    ("has a list in a list of actions", "Action: [[]]", _SYNTAX),
    ("has Action and NotAction", "NotAction: 's3:PutObject'", _SYNTAX),
    ("has no resource", "Resource: null", _RESOURCES),
    ("has an empty list of resources", "Resource: []", _RESOURCES),
    ("has a resource that is no ARN", "Resource: my bucket", _NOT_ARN.format("my bucket")),
    ("has an empty resource", "Resource: ''", _NOT_ARN.format("")),
    (
        "has a resource of an unknown partition",
        "Resource: 'arn:moon:s3:::bucket'",
        'Partition "moon" is not valid for resource "arn:moon:s3:::bucket".',
    ),
    ("has an ARN of five parts", "Resource: 'arn:aws:s3::bucket'", _LEGACY),
    ("has an ARN without a service", "Resource: 'arn:aws::::bucket'", _LEGACY),
    (
        "has an ARN of two parts",
        "Resource: 'arn:aws'",
        "Resource vendor must be fully qualified and cannot contain regexes.",
    ),
    (
        "has a bucket's ARN with a region",
        "Resource: 'arn:aws:s3:eu-west-1::bucket'",
        "Resource arn:aws:s3:eu-west-1::bucket can not contain region information.",
    ),
    (
        "has an ARN of IAM with a region",
        "Resource: 'arn:aws:iam:eu-west-1::user/anna'",
        "IAM resource arn:aws:iam:eu-west-1::user/anna cannot contain region information.",
    ),
    ("has an ARN of IAM of an unknown kind", "Resource: 'arn:aws:iam:::bucket'", _PATHS),
    ("has an object for a resource", "Resource: {a: '*'}", _SYNTAX),
    ("has an object in a list of resources", "Resource: ['*', {}]", _SYNTAX),
    ("has Resource and NotResource", "NotResource: '*'", _SYNTAX),
    ("has a list for a condition", "Condition: []", _SYNTAX),
    ("has a text for a condition", "Condition: x", _SYNTAX),
    ("has a text for an operator's keys", "Condition: {StringEquals: x}", _SYNTAX),
    ("has a list for an operator's keys", "Condition: {StringEquals: []}", _SYNTAX),
    ("has an object for a key's value", "Condition: {StringEquals: {a: {}}}", _SYNTAX),
    ("has an unknown operator", "Condition: {StringIs: {a: '1'}}", _SYNTAX),
    (
        "has a quantifier with two colons",
        "Condition: {'ForAnyValue::StringEquals': {a: '1'}}",
        _SYNTAX,
    ),
    ("has a date that is none", "Condition: {DateGreaterThan: {a: soon}}", _LEGACY),
    ("has a date of a month only", "Condition: {DateLessThan: {a: 2026-13}}", _LEGACY),
    (
        "has a date that no clock reaches",
        "Condition: {DateLessThan: {a: '9223372036854775808'}}",
        _LEGACY,
    ),
    ("has an object for a Sid", "Sid: {}", _SYNTAX),
    ("has a list for a Sid", "Sid: []", _SYNTAX),
    (
        "has a Sid twice",
        _document(Statement=[_statement(Sid="one"), _statement(Sid="one")]),
        "Statement IDs (SID) in a single policy must be unique.",
    ),
)
"""What is wrong with a document, the document, and what CreatePolicy said of one like it on 2026-02-18."""

TAKEN: tuple[tuple[str, str], ...] = (
    ("one statement that is no list", ""),
    ("a list of resources", "Resource: ['arn:aws:s3:::bucket', '*']"),
    ("any action", "Action: '*'"),
    ("an action with blanks", "Action: 's3: Get Object '"),
    ("an action of an unknown service", "Action: 'nothing:Do'"),
    ("a hyphen in an action's service", "Action: 's3-x:Do'"),
    ("a dot in an action's service", "Action: 's3.x:Do'"),
    ("an ARN of three parts", "Resource: 'arn:aws:bucket'"),
    ("an ARN of an unknown service", "Resource: 'arn:aws:nothing:::bucket'"),
    ("an ARN of another service with a region", "Resource: 'arn:aws:ec2:eu-west-1::x'"),
    ("an ARN of IAM without an account", "Resource: 'arn:aws:iam:::user/anna'"),
    ("NotAction", "Action: null, NotAction: 's3:GetObject'"),
    ("NotResource", "Resource: null, NotResource: '*'"),
    ("an Id", "Id: mine"),
    ("an empty Sid twice", _document(Statement=[_statement(Sid=""), _statement(Sid="")])),
    ("an empty condition", "Condition: {}"),
    ("an operator without keys", "Condition: {StringEquals: {}}"),
    ("an unknown operator without keys", "Condition: {x: {}}"),
    ("a key without values", "Condition: {StringEquals: {a: []}}"),
    ("a condition key without a colon", "Condition: {StringEqualsIfExists: {a: '1'}}"),
    ("a quantifier", "Condition: {'ForAllValues:StringEquals': {'aws:TagKeys': a}}"),
    ("a date", "Condition: {DateLessThan: {'aws:CurrentTime': '2026-07-01T00:00:00Z'}}"),
    ("a date before all dates", "Condition: {DateLessThan: {a: '-292275054'}}"),
)
"""What a document has that IAM takes, as it did on 2026-02-10."""


def _changed(text: str) -> str:
    """A document: in full, or what is other than in a good one, in YAML; null is for what it lacks."""
    if text.startswith("{") or ":" not in text:
        return text or _document()
    given: dict[str, Any] = yaml.safe_load(f"{{{text}}}")
    changes: dict[str, Any] = {key: _GONE if value is None else value for key, value in given.items()}
    return _document(**changes) if {"Version", "Statement", "Id"} & set(changes) else _document(changes)


def _create(document: str) -> Any:
    return iam("CreatePolicy", PolicyName="reader", PolicyDocument=document)


def _id(text: str) -> str:
    return "-".join("".join(letter if letter.isalnum() else " " for letter in text.lower()).split())


def _documents() -> Iterator[Fact]:
    for what, document, message in REFUSED:
        says = f"A managed policy that {what}."
        refusal = Refusal("MalformedPolicyDocument", 400, message)
        yield Fact(f"document-{_id(what)}", says, DOCUMENTS, (_create(_changed(document)),), refusal)
    for what, document in TAKEN:
        says = f"A managed policy may have {what}."
        yield Fact(f"document-{_id(what)}", says, POLICIES, (_create(_changed(document)),), Success())


def _trusted(name: str, says: str, source: str, document: str, message: str = "", code: str = "") -> Fact:
    kind = code or "MalformedPolicyDocument"
    refusal = Refusal(kind, 409 if kind == "LimitExceeded" else 400, message)
    calls = (role(), iam("UpdateAssumeRolePolicy", RoleName="cart", PolicyDocument=document))
    return Fact(f"trust-{name}", says, source, calls, refusal)


FACTS = (
    *_documents(),
    fact(
        "document-vendor-and-resource",
        "Of an action without a service in a statement without a resource, IAM names the resource.",
        DOCUMENTS,
        """
        - iam CreatePolicy: {PolicyName: reader, PolicyDocument: {Version: '2012-10-17', Statement:
            {Effect: Allow, Action: GetObject}}}
        - refuses: MalformedPolicyDocument 400 Policy statement must contain resources.""",
        not_simulated="the code is the same; moto's check names the action",
    ),
    _trusted(
        "no-json", "A trust policy that is no JSON.", ROLES, "text", "This policy contains invalid Json"
    ),
    fact(
        "trust-action",
        "Of STS's actions only those that assume.",
        "recorded on AWS 2026-02-11 (localstack/localstack, "
        "tests/aws/services/iam/test_iam_roles.snapshot.json)",
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam UpdateAssumeRolePolicy: {RoleName: cart, PolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow, Principal: {
            Service: ec2.amazonaws.com}, Action: 'sts:Invalid'}]}}
        - refuses: MalformedPolicyDocument 400 AssumeRole policy may only specify STS AssumeRole actions.""",
    ),
    fact(
        "trust-action-other",
        "No other service's actions.",
        "recorded on AWS 2026-02-11 (localstack/localstack, "
        "tests/aws/services/iam/test_iam_roles.snapshot.json)",
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam UpdateAssumeRolePolicy: {RoleName: cart, PolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow, Principal: {
            Service: ec2.amazonaws.com}, Action: 's3:GetObject'}]}}
        - refuses: MalformedPolicyDocument 400 AssumeRole policy may only specify STS AssumeRole actions.""",
    ),
    fact(
        "trust-resource",
        "A trust policy has no resource.",
        "recorded on AWS 2026-02-11 (localstack/localstack, "
        "tests/aws/services/iam/test_iam_roles.snapshot.json)",
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam UpdateAssumeRolePolicy: {RoleName: cart, PolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow, Principal: {
            Service: ec2.amazonaws.com}, Action: 'sts:AssumeRole', Resource: '*'}]}}
        - refuses: MalformedPolicyDocument 400 Has prohibited field Resource""",
    ),
    fact(
        "trust-principal-none",
        "A principal that does not exist.",
        "quoted in hashicorp/terraform-provider-aws#1388",
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam UpdateAssumeRolePolicy: {RoleName: cart, PolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow, Principal: {
            AWS: 'arn:aws:iam::<account>:role/nobody'}, Action: 'sts:AssumeRole'}]}}
        - refuses: 'MalformedPolicyDocument 400 Invalid principal in policy:
            "AWS":"arn:aws:iam::<account>:role/nobody"'""",
    ),
    fact(
        "trust-principal-id",
        "The unique id of a deleted role can't be written as a principal.",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html "
        "(2026-11-28)",
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam UpdateAssumeRolePolicy: {RoleName: cart, PolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow, Principal: {
            AWS: AROAAAAAAAAAAAAAAAAAA}, Action: 'sts:AssumeRole'}]}}
        - refuses: 'MalformedPolicyDocument 400 Invalid principal in policy:
            "AWS":"AROAAAAAAAAAAAAAAAAAA"'""",
    ),
    fact(
        "trust-principal-star",
        "Everybody as principal, without a kind, is refused.",
        "quoted in aws/aws-cdk#5732",
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam UpdateAssumeRolePolicy: {RoleName: cart, PolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow, Principal: '*',
            Action: 'sts:AssumeRole'}]}}
        - refuses: 'MalformedPolicyDocument 400 AssumeRolepolicy contained an invalid principal:
            "STAR":"*".'""",
    ),
    fact(
        "trust-not-principal",
        "A trust policy can't have NotPrincipal.",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html "
        "(2026-11-28)",
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam UpdateAssumeRolePolicy: {RoleName: cart, PolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow, NotPrincipal: {
            AWS: '*'}, Action: 'sts:AssumeRole'}]}}
        - refuses: MalformedPolicyDocument 400""",
    ),
    _trusted(
        "size",
        "A trust policy of more than 2,048 characters, without white space.",
        issue("kubeflow/kubeflow#6687"),
        trust(Condition={"StringEquals": {"aws:PrincipalTag/a": ["v" * 60] * 40}}),
        "Cannot exceed quota for ACLSizePerRole: 2048",
        "LimitExceeded",
    ),
    fact(
        "trust-character",
        "A document with a character above U+00FF.",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html (2026-11-28)",
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam UpdateAssumeRolePolicy: {RoleName: cart, PolicyDocument: '{"Version": "2012-10-17",
            "Statement": [{"Effect": "Allow",
            "Principal": {"Service": "\u2013.amazonaws.com"}, "Action": "sts:AssumeRole"}]}'}
        - refuses: ValidationError 400""",
    ),
    fact(
        "trust-old-version",
        "A trust policy may be of the older version.",
        guide("IAM/latest/UserGuide/reference_policies_elements_version.html"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2008-10-17', Statement:
            [{Effect: Allow,
            Principal: {Service: ec2.amazonaws.com}, Action: 'sts:AssumeRole'}]}}
          save: role
        - answers: {Role.AssumeRolePolicyDocument.Version: '2008-10-17'}""",
    ),
    fact(
        "trust-account",
        "An account's number as principal is taken.",
        guide("IAM/latest/UserGuide/reference_policies_elements_principal.html"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {AWS: <account>}, Action: 'sts:AssumeRole'}]}}
          save: role
        - answers: {}""",
    ),
    fact(
        "trust-stays-as-written",
        "IAM gives a trust policy back as it was written, with lists of one.",
        ROLES,
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement:
            [{Effect: Allow,
            Principal: {Service: [ec2.amazonaws.com]}, Action: ['sts:AssumeRole']}]}}
          save: role
        - answers: {Role.AssumeRolePolicyDocument.Statement.0.Action: ['sts:AssumeRole']}""",
    ),
    fact(
        "trust-update-none",
        "UpdateAssumeRolePolicy of none.",
        ROLES,
        """
        - iam UpdateAssumeRolePolicy: {RoleName: nobody, PolicyDocument: $EC2}
        - refuses: NoSuchEntity 404""",
    ),
    fact(
        "inline-old-version",
        "An inline policy needs no version.",
        guide("IAM/latest/UserGuide/reference_policies_elements_version.html"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam PutRolePolicy: {RoleName: cart, PolicyName: in, PolicyDocument: {Statement: {Effect: Allow,
            Action: 's3:GetObject',
            Resource: '*'}}}
        - answers: {}""",
    ),
    fact(
        "inline-principal",
        "An identity policy has no principal.",
        guide("IAM/latest/UserGuide/reference_policies_elements_principal.html"),
        """
        - iam CreateRole: {RoleName: cart, AssumeRolePolicyDocument: $EC2}
          save: role
        - iam PutRolePolicy: {RoleName: cart, PolicyName: in, PolicyDocument: {Version: '2012-10-17',
            Statement: [{Effect: Allow,
            Action: 's3:GetObject', Resource: '*', Principal: {AWS: '*'}}]}}
        - refuses: MalformedPolicyDocument 400""",
    ),
    fact(
        "version-document",
        "CreatePolicyVersion also checks documents.",
        DOCUMENTS,
        """
        - iam CreatePolicy: {PolicyName: reader, PolicyDocument: $READS}
          save: policy
        - iam CreatePolicyVersion: {PolicyArn: 'arn:aws:iam::<account>:policy/reader', PolicyDocument: text}
        - refuses: MalformedPolicyDocument 400 Syntax errors in policy.""",
    ),
)
