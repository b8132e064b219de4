"""The front of the sandbox's AWS: who calls, may they, and which service answers.

This is the `Endpoint` that the server leads to. Services are iam, sts, eks, eks-auth, s3 and, for what there
is to read, cloudtrail, ec2 and organizations; there are no others.

A call in the language of policies: its action, the ARN of its resource, its condition keys.
https://docs.aws.amazon.com/service-authorization/latest/reference/ lists them by service. Calls without
resource types there are about `*`. A missing role or policy has no path. Parts of a call that
the sandbox does not know are left out: only a policy about `*` allows them.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from irsa_cli.sandbox.aws.callers import Caller, Callers, denied
from irsa_cli.sandbox.aws.cloud import Cloud, pairs
from irsa_cli.sandbox.aws.clusters import Clusters, Ec2
from irsa_cli.sandbox.aws.eks_auth import EksAuth
from irsa_cli.sandbox.aws.iam import calls
from irsa_cli.sandbox.aws.iam.account import QUOTAS, Account, Lag
from irsa_cli.sandbox.aws.messages import REST, SERVICES, AwsError, AwsRequest, read_request, render_error
from irsa_cli.sandbox.aws.parameters import check_parameters
from irsa_cli.sandbox.aws.sts import Sts
from irsa_cli.sandbox.aws.trail import Trail
from irsa_cli.sandbox.enforce import Act, of_every_request, refusal
from irsa_cli.sandbox.exchange import Incoming, Label
from irsa_cli.sandbox.model import Answer, table


class Front:
    """All of the sandbox's AWS as one endpoint."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.lag = Lag(cloud)
        self.callers = Callers(cloud)
        self.clusters = Clusters()
        self.quotas = dict(QUOTAS)
        self.states: dict[str, str] = {}
        """The states of accounts that are not active, for AWS Organizations."""
        self.trail = Trail()
        self.ec2 = Ec2()
        self.clusters.access_entries.principal = cloud.principal
        self.clusters.associations.role = self._role
        self.clusters.associations.lag = lambda: self.lag.seconds
        self._sts = Sts(cloud, self.callers, self.clusters, self.lag, self.trail)
        self.eks_auth = EksAuth(cloud, self.callers, self.clusters, self.lag, self._sts)
        self._services: dict[str, Clusters | EksAuth | Trail | Ec2] = {
            "eks": self.clusters,
            "eks-auth": self.eks_auth,
            "cloudtrail": self.trail,
            "ec2": self.ec2,
        }

    def reset(self) -> None:
        """Back to empty accounts and default quotas. Clusters stay."""
        with self.cloud.lock:
            self.cloud.reset()
            self.callers.reset()
            self.lag.reset()
            self.trail.reset()
            self.ec2.reset()
            self.clusters.reset()
            self.states.clear()
            self.quotas.clear()
            self.quotas.update(QUOTAS)

    def label(self, request: Incoming) -> Label:
        read = read_request(request)
        return Label(read.service, read.operation, read.subject, read.caller)

    def answer(self, request: Incoming) -> Answer:
        read = read_request(request)
        try:
            answer = self._answer(read)
        except AwsError as error:
            return render_error(read.service, error)
        except Exception as error:
            # A mistake of the sandbox's own; the client must not take it for a broken connection.
            return render_error(read.service, AwsError("InternalFailure", repr(error), 500))
        if answer.headers.get("Content-Type") == "application/json":
            answer.headers["x-amzn-RequestId"] = str(uuid.uuid4())
        return answer

    def failure(self, service: str, code: str, message: str, status: int) -> Answer:
        return render_error(service, AwsError(code, message, status))

    def identify(self, request: Incoming) -> Caller:
        with self.cloud.lock:
            return self.callers.authenticate(read_request(request))

    def _role(self, arn: str) -> Any:
        account = arn.split(":")[4]
        partition = arn.split(":")[1]
        with self.lag.stale_view(account, partition):
            return self.cloud.principal(arn)

    def _answer(self, request: AwsRequest) -> Answer:
        if request.service not in SERVICES:
            raise AwsError("NotImplemented", f"The sandbox does not serve {request.service}.", 501)
        if (request.service, request.operation) == ("sts", "AssumeRoleWithWebIdentity"):
            return self._sts.assume_role_with_web_identity(request)
        with self.cloud.lock:
            caller = self.callers.authenticate(request)
            if request.service in ("iam", "sts", *REST):
                check_parameters(request)
            if request.service == "sts":
                return self._sts.answer(request, caller)
            account = Account(self.cloud, caller.account, caller.partition, self.quotas, self.lag)
            self._authorize(request, caller, account)
            if request.service == "iam":
                answer = calls.execute(account, request)
                if answer.status < 400:
                    self.trail.record_write(request, caller)
                return answer
            if request.service == "organizations":
                return self._organization(request, caller)
            if request.service in self._services:
                return self._services[request.service].answer(request, caller)
            return self.cloud.forward(request, caller.account, caller.partition)

    def _organization(self, request: AwsRequest, caller: Caller) -> Answer:
        """Two accounts a page: all accounts of the partition are one organization, all may ask."""
        if request.operation != "ListAccounts":
            raise AwsError("NotImplemented", f"The sandbox does not serve {request.operation}.", 501)
        numbers = sorted(
            number for number, partition in self.cloud.accounts() if partition == caller.partition
        )
        start = int(request.json.get("NextToken", 0))
        more = {"NextToken": str(start + 2)} if start + 2 < len(numbers) else {}
        accounts = [{"Id": number, "State": self.states.get(number, "ACTIVE")} for number in numbers]
        return Answer.of_json({"Accounts": accounts[start : start + 2], **more})

    def _authorize(self, request: AwsRequest, caller: Caller, account: Account) -> None:
        for act in acts_of(request, caller, account):
            with self.lag.stale_view(caller.account, caller.partition):
                why = refusal(self.callers.powers(caller), act)
            if why:
                raise denied(caller, act, why, request.service)


_S3_ACTIONS = table("actions of s3")


# Further actions besides the call's own, for an object that is created with tags:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags_roles.html
_WITH_TAGS = {"CreateRole": "iam:TagRole", "CreateOpenIDConnectProvider": "iam:TagOpenIDConnectProvider"}

# The calls that AWS gives these keys to; what a policy says of them in other calls is never fulfilled.
_BOUNDED = table("bounded calls")
_WITH_POLICY_ARN = table("calls with a policy")


def acts_of(request: AwsRequest, caller: Caller, account: Account) -> list[Act]:
    """All that a signed call, but those to STS, does; each of it must be allowed."""
    act = _act_of(request, caller, account)
    acts = [act]
    if request.service == "iam":
        tagging = _WITH_TAGS.get(request.operation) if request.tags() else None
        acts += [Act(tagging, act.resource, act.context)] if tagging else []
        if request.operation == "AddRoleToInstanceProfile":
            acts.append(_passed(request.params.get("RoleName", ""), "ec2.amazonaws.com", act, account))
    if request.operation in ("CreatePodIdentityAssociation", "UpdatePodIdentityAssociation"):
        acts += _passing_to_pods(request, act, account)
    return acts


def _passed(role: str, service: str, act: Act, account: Account) -> Act:
    """That a call passes a role, by its name, to a service."""
    base = f"arn:{account.partition}:iam::{account.number}:role"
    resource, tags = _named(account.iam.roles.values(), base, role, None)
    context = {**act.context, **_tag_keys(tags), "iam:passedtoservice": [service]}
    return Act("iam:PassRole", resource, context)


def _passing_to_pods(request: AwsRequest, act: Act, account: Account) -> list[Act]:
    """EKS asks that the caller may pass the role to it, and may tag the association.

    https://docs.aws.amazon.com/eks/latest/userguide/pod-id-association.html
    """
    arn = request.parameters.get("roleArn", "")
    if not arn:
        return []
    cluster = request.parameters["clusterName"]
    place = f"arn:{account.partition}:eks:{request.region}:{account.number}:podidentityassociation/{cluster}"
    tagging = [Act("eks:TagResource", f"{place}/*", act.context)] if request.parameters.get("tags") else []
    passing = _passed(arn.rsplit("/", 1)[-1], "pods.eks.amazonaws.com", act, account)
    return [*tagging, replace(passing, resource=arn)]


def _act_of(request: AwsRequest, caller: Caller, account: Account) -> Act:
    makers = {"iam": _iam_act, "eks": _eks_act, "eks-auth": _eks_act, "s3": _s3_act}
    maker = makers.get(request.service)
    # CloudTrail's and EC2's calls that are served are about no resource.
    act = maker(request, account) if maker else Act(f"{request.service}:{request.operation}", "*")
    iam = account.iam
    session = caller.session
    holder = iam.roles.get(session.role_id) if session else iam.users.get(caller.name)
    tags = {**pairs((holder.tags if holder else None) or []), **(session.tags if session else {})}
    common = {
        "aws:principalarn": [caller.role_arn or caller.arn],
        "aws:principalaccount": [caller.account],
        "aws:requestedregion": [request.region],
        "aws:username": [caller.name],
        **{f"aws:principaltag/{key.lower()}": [value] for key, value in tags.items()},
        **caller.federation,
        **of_every_request(),
    }
    return Act(act.action, act.resource, {**common, **act.context})


def _tag_keys(tags: dict[str, str]) -> dict[str, list[str]]:
    keys: dict[str, list[str]] = {}
    for key, value in tags.items():
        keys[f"aws:resourcetag/{key.lower()}"] = [value]
        keys[f"iam:resourcetag/{key.lower()}"] = [value]
    return keys


def _iam_act(request: AwsRequest, account: Account) -> Act:
    resource, tags = _iam_resource(request, account)
    context = _tag_keys(tags)
    context |= {f"aws:requesttag/{k.lower()}": [v] for k, v in request.tags()}
    keys = [key for key, _ in request.tags()] + request.parameters.get("TagKeys", [])
    if keys:
        context["aws:tagkeys"] = keys
    if "PolicyArn" in request.params and request.operation in _WITH_POLICY_ARN:
        context["iam:policyarn"] = [request.params["PolicyArn"]]
    role = None if request.operation.startswith("Create") else account.role_or_none(request)
    # Of users moto keeps none.
    boundary = request.params.get("PermissionsBoundary") or (role and role.permissions_boundary_arn)
    if boundary and request.operation in _BOUNDED:
        context["iam:permissionsboundary"] = [boundary]
    return Act(f"iam:{request.operation}", resource, context)


def _iam_resource(request: AwsRequest, account: Account) -> tuple[str, dict[str, str]]:
    params = request.params
    base = f"arn:{account.partition}:iam::{account.number}"
    if request.operation == "CreateServiceLinkedRole":
        return f"{base}:role/aws-service-role/{params.get('AWSServiceName', '')}/*", {}
    # A call that names one of these is about it, and not about the role or user that it puts there.
    for kind, name in (("instance-profile", "InstanceProfileName"), ("group", "GroupName")):
        if name in params:
            return f"{base}:{kind}{params.get('Path', '/')}{params[name]}", {}
    iam = account.iam
    for kind, name, holders in (("role", "RoleName", iam.roles), ("user", "UserName", iam.users)):
        if name in params:
            return _named(holders.values(), f"{base}:{kind}", params[name], params.get("Path"))
    if request.operation == "CreatePolicy":
        return f"{base}:policy{params.get('Path', '/')}{params.get('PolicyName', '')}", {}
    for name, tagged in (
        ("PolicyArn", iam.managed_policies),
        ("OpenIDConnectProviderArn", iam.open_id_providers),
    ):
        if name in params:
            holder = tagged.get(params[name])
            return params[name], pairs(holder.get_tags()) if holder else {}
    if request.operation == "CreateOpenIDConnectProvider":
        url = urlsplit(params.get("Url", ""))
        return f"{base}:oidc-provider/{url.netloc}{url.path}", {}
    return params.get("PolicySourceArn", "*"), {}


def _named(holders: Any, base: str, name: str, path: str | None) -> tuple[str, dict[str, str]]:
    owner = next((holder for holder in holders if holder.name == name), None)
    if owner is None or path is not None:
        return f"{base}{path or '/'}{name}", {}
    return owner.arn, pairs(owner.tags or [])


def _eks_act(request: AwsRequest, account: Account) -> Act:
    _, name, section, number = [*request.path.strip("/").split("/"), "", "", ""][:4]
    place = f"{account.partition}:eks:{request.region}:{account.number}"
    if request.path.startswith("/tags/"):
        return Act(f"eks:{request.operation}", request.path.removeprefix("/tags/"))
    if not name:
        return Act(f"{request.service}:{request.operation}", "*")
    if section == "access-entries" and number:
        arn = request.path.split("/access-entries/", 1)[1].partition("/access-policies")[0]
        kind, _, principal = arn.rpartition(":")[2].partition("/")
        end = f"{kind}/{account.number}/{principal.rsplit('/', 1)[-1]}/0"
        return Act(f"eks:{request.operation}", f"arn:{place}:access-entry/{name}/{end}")
    kind = "podidentityassociation" if number else "cluster"
    where = f"arn:{place}:{kind}/{name}" + (f"/{number}" if number else "")
    return Act(f"{request.service}:{request.operation}", where)


def _s3_act(request: AwsRequest, account: Account) -> Act:
    action = _S3_ACTIONS.get(request.operation, request.operation)
    where = request.path.strip("/")
    return Act(f"s3:{action}", f"arn:{account.partition}:s3:::{where}" if where else "*")
