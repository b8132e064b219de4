"""What a proposal is called: only what corrects, and can be pasted as it stands, is a fix."""

from dataclasses import replace

from irsa_cli.core.doctor.causes import CAUSES
from irsa_cli.core.doctor.commands import in_account
from irsa_cli.core.doctor.diagnosis import finding_json
from irsa_cli.core.doctor.finding import Finding, Proposal, Verdict, comment, kind_of
from tests.unit.current import around, role, working
from tests.unit.doctor.diagnosis_cases import CASES, FOR_ANOTHER

KINDS = {
    "kubectl --context get -n get rollout restart deployment/get": Proposal.COMMAND,
    "kubectl -n shop get pods\nkubectl -n shop delete pod web-0": Proposal.COMMAND,
    "aws iam delete-role --role-name get-role": Proposal.COMMAND,
    "kubectl --context=prod -n shop edit deployment web": Proposal.EDIT,
    "kubectl -n shop edit deployment web\n# kubectl -n shop delete pod web-0": Proposal.EDIT,
    "irsa create-sa web -n shop --attach-policy-arn ARN": Proposal.FILL_IN,
    "irsa update-sa web --target-assume-role arn:aws:iam::111122223333:role/NAME": Proposal.FILL_IN,
    "kubectl annotate serviceaccount web key=1\naws iam get-role --role-name '<role>'": Proposal.FILL_IN,
    "# kubectl -n shop delete pod web-0": Proposal.CHOICE,
    "kubectl --kubeconfig /k -n shop get pods # how many": Proposal.LOOK,
    "irsa get-sa web -n shop": Proposal.LOOK,
    "aws iam get-role --role-name delete --profile p": Proposal.LOOK,
    "curl -i https://issuer/": Proposal.LOOK,
    "kubectl -n 'a\nb' delete pod web-0": Proposal.COMMAND,
}


def test_a_proposal_is_called_by_what_pasting_it_does() -> None:
    for fix, kind in KINDS.items():
        assert kind_of(fix) is kind, fix
    # A comment stays one, whatever is in it.
    assert kind_of(comment("x\nkubectl delete pod web-0\u2028rm")) is Proposal.CHOICE


def test_each_finding_says_what_its_proposal_is() -> None:
    for cause, change in CASES:
        judgement = CAUSES[cause].judge(change(working()))
        shown = finding_json(Finding(CAUSES[cause], judgement))["fixKind"]
        assert (shown is None) is (judgement.fix == "")
        # What only shows the problem is none of its fixes: somebody has to decide.
        assert shown != "look", judgement.fix


def test_what_another_account_has_to_do_does_nothing_here() -> None:
    """The same name may be a role of this account, too."""
    facts = working()
    there = in_account(facts, "444455556666", "iam update-assume-role-policy --role-name reader")
    assert kind_of(there) is Proposal.CHOICE
    assert there.endswith("# in account 444455556666")
    here = in_account(facts, facts.cluster.account, "iam update-assume-role-policy --role-name reader")
    assert kind_of(here) is Proposal.COMMAND


def test_what_does_not_fit_into_a_trust_policy_is_not_added() -> None:
    facts = replace(
        around(role=role(trust=FOR_ANOTHER))(working()), quotas={"AssumeRolePolicySizeQuota": 300}
    )
    judgement = CAUSES["trust-subject"].judge(facts)
    assert judgement.verdict is Verdict.PROBLEM
    assert judgement.proposal is Proposal.CHOICE
    assert "update-trust" not in judgement.fix
