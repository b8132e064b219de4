"""The front of the sandbox's AWS: who calls, may they, and which service answers.

This is the `Endpoint` that the server leads to. Services are iam, sts, eks, s3 and, for what there is to
read, cloudtrail and ec2; there are no others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from irsa_cli.sandbox.aws import acts
from irsa_cli.sandbox.aws.answer import AwsError, render_error
from irsa_cli.sandbox.aws.callers import Caller, Callers
from irsa_cli.sandbox.aws.clusters import Clusters
from irsa_cli.sandbox.aws.ec2 import Ec2
from irsa_cli.sandbox.aws.iam import calls
from irsa_cli.sandbox.aws.iam.account import QUOTAS, Account
from irsa_cli.sandbox.aws.iam.grammar import check_parameters
from irsa_cli.sandbox.aws.iam.lag import Lag
from irsa_cli.sandbox.aws.request import SERVICES, AwsRequest, read_request
from irsa_cli.sandbox.aws.sts import Sts
from irsa_cli.sandbox.aws.trail import Trail
from irsa_cli.sandbox.enforce import Act, refusal
from irsa_cli.sandbox.exchange import Label

if TYPE_CHECKING:
    from irsa_cli.sandbox.aws.cloud import Cloud
    from irsa_cli.sandbox.exchange import Incoming
    from irsa_cli.sandbox.model import Answer

_DENIED = {
    "eks": "AccessDeniedException",
    "cloudtrail": "AccessDeniedException",
    "ec2": "UnauthorizedOperation",
}
_THROTTLING = {
    "eks": AwsError("ThrottlingException", "Rate exceeded", 429),
    "cloudtrail": AwsError("ThrottlingException", "Rate exceeded"),
    "ec2": AwsError("RequestLimitExceeded", "Request limit exceeded.", 503),
    "s3": AwsError("SlowDown", "Please reduce your request rate.", 503),
}


class Front:
    """All of the sandbox's AWS as one endpoint."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.lag = Lag(cloud)
        self.callers = Callers(cloud)
        self.clusters = Clusters()
        self.quotas = dict(QUOTAS)
        self.trail = Trail()
        self.ec2 = Ec2()
        self.clusters.access_entries.principal = cloud.principal
        self.clusters.associations.role = self._role
        self.clusters.associations.lag = lambda: self.lag.seconds
        self._sts = Sts(cloud, self.callers, self.clusters, self.lag, self.trail)

    def reset(self) -> None:
        """Back to empty accounts and default quotas. Clusters stay."""
        with self.cloud.lock:
            self.cloud.reset()
            self.callers.reset()
            self.lag.reset()
            self.trail.reset()
            self.ec2.reset()
            self.clusters.reset()
            self.quotas.clear()
            self.quotas.update(QUOTAS)

    def label(self, request: Incoming) -> Label:
        """Service, operation, subject and caller of a call."""
        read = read_request(request)
        return Label(read.service, read.operation, read.subject, read.caller)

    def answer(self, request: Incoming) -> Answer:
        """The answer, also where it is a refusal."""
        read = read_request(request)
        try:
            return self._answer(read)
        except AwsError as error:
            return render_error(read.service, error)
        except Exception as error:
            # A mistake of the sandbox's own; the client must not take it for a broken connection.
            return render_error(read.service, AwsError("InternalFailure", repr(error), 500))

    def failure(self, service: str, code: str, message: str, status: int) -> Answer:
        """An error in the shape of `service`."""
        return render_error(service, AwsError(code, message, status))

    def throttled(self, service: str) -> Answer:
        """What a service says to too many calls."""
        return render_error(service, _THROTTLING.get(service, AwsError("Throttling", "Rate exceeded")))

    def identify(self, request: Incoming) -> Caller:
        """Who signed a call to STS; raises AwsError when the signature is not good."""
        with self.cloud.lock:
            return self.callers.authenticate(read_request(request))

    def _role(self, arn: str) -> Any:
        """A role as EKS sees it: late, as all do."""
        account, partition = arn.split(":")[4], arn.split(":")[1]
        with self.lag.stale_view(account, partition):
            return self.cloud.principal(arn)

    def _answer(self, request: AwsRequest) -> Answer:
        if request.service not in SERVICES:
            raise AwsError("NotImplemented", f"The sandbox does not serve {request.service}.", 501)
        if (request.service, request.operation) == ("sts", "AssumeRoleWithWebIdentity"):
            return self._sts.assume_role_with_web_identity(request)
        with self.cloud.lock:
            caller = self.callers.authenticate(request)
            if request.service in ("iam", "sts"):
                check_parameters(request.service, request.operation, request.params)
            if request.service == "sts":
                return self._sts.answer(request, caller)
            account = Account(self.cloud, caller.account, caller.partition, self.quotas, self.lag)
            self._authorize(request, caller, account)
            if request.service == "iam":
                answer = calls.execute(account, request)
                if answer.status < 400:
                    self.trail.record_write(request, caller)
                return answer
            if request.service == "eks":
                return self.clusters.answer(request, caller)
            if request.service == "cloudtrail":
                return self.trail.answer(request, caller)
            if request.service == "ec2":
                return self.ec2.answer(request, caller)
            return self.cloud.forward(request, caller.account, caller.partition)

    def _authorize(self, request: AwsRequest, caller: Caller, account: Account) -> None:
        for act in acts.acts_of(request, caller, account):
            with self.lag.stale_view(caller.account, caller.partition):
                why = refusal(self.callers.powers(caller), act)
            if why:
                raise _denied(request, caller, act, why)


def _denied(request: AwsRequest, caller: Caller, act: Act, why: str) -> AwsError:
    code = _DENIED.get(request.service, "AccessDenied")
    message = f"User: {caller.arn} is not authorized to perform: {act.action} on resource: {act.resource}"
    return AwsError(code, f"{message} {why}", 403)
