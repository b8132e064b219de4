"""Mistakes of newcomers: a short answer that says what is wrong and what is right; what it proposes works."""

import json
import re
import shlex
from pathlib import Path

import pytest

from irsa_cli.sandbox import RoleSpec, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.support.documents import policy
from tests.support.sandbox_clients import EC2_TRUST
from tests.support.stage import READ_ONLY, Stage

WIDTH, MOST = 80, 3
BINDINGS = """
apiVersion: irsa/v1
kind: Bindings
serviceAccounts:
- metadata: {name: %s, namespace: files}
  attachPolicyARNs: [arn:aws:iam::aws:policy/ReadOnlyAccess]
"""
ACCOUNT = """
apiVersion: v1
kind: ServiceAccount
metadata:
  name: x
  namespace: shop
  annotations: {eks.amazonaws.com/role-arn: "arn:aws:iam::111122223333:role/x"}
"""
PROPOSED: dict[str, str] = {
    # The hands of others.
    "create iamserviceaccount --cluster demo --name y --namespace z --wait": ""
    "create-sa --cluster demo --name y --namespace z",
    "create iamserviceaccount --cluster demo --name q --role-name r --role-only": "create-sa --cluster demo"
    " --name q --role-name r --role-only",
    f"create iamserviceaccount --cluster=demo --name=y --attach-policy-arn={READ_ONLY} --approve -v 4": ""
    f"create-sa --cluster=demo --name=y --attach-policy-arn={READ_ONLY} --approve -v",
    "create iamserviceaccount -f files/a.yaml --approve -c demo": "apply -f files/a.yaml --approve -c demo",
    "delete iamserviceaccount --cluster demo --name reader --approve": ""
    "delete-sa --cluster demo --name reader --approve",
    "delete iamserviceaccount -f files/a.yaml --approve -c demo --only-missing": "delete -f files/a.yaml"
    " --approve -c demo",
    "get iamserviceaccount --cluster demo --namespace default": "get-sa --cluster demo --namespace default",
    "utils associate-iam-oidc-provider --cluster demo --approve": "associate-oidc --cluster demo --approve",
    "delete oidc-provider -c demo --dry-run": "disassociate-oidc -c demo --dry-run",
    "get sa -c demo": "get-sa -c demo",
    "get sa/reader -c demo": "get-sa reader -c demo",
    "get -c demo": "get-sa -c demo",
    "get serviceaccounts -A -c demo": "get-sa -A -c demo",
    "list -c demo": "get-sa -c demo",
    "create sa x -c demo": "create-sa x -c demo",
    "create x -c demo": "create-sa x -c demo",
    "create-serviceaccount x -c demo": "create-sa x -c demo",
    "describe sa reader -c demo": "describe-sa reader -c demo",
    "show sa reader -c demo": "describe-sa reader -c demo",
    "delete sa reader -c demo": "delete-sa reader -c demo",
    "rm reader -c demo": "delete-sa reader -c demo",
    "update sa reader --label a=b -c demo": "update-sa reader --label a=b -c demo",
    "create-sa sa x -c demo": "create-sa x -c demo",
    "plan -f files/a.yaml -c demo": "diff -f files/a.yaml -c demo",
    "can-i s3:GetObject": "who-can s3:GetObject",
    "test reader -c demo": "verify reader -c demo",
    "logs": "history",
    # Files and folders.
    "apply -R -f files -c demo": "apply -f files -f files/sub -c demo",
    "diff --recursive --filename files -c demo": "diff --filename files -f files/sub -c demo",
    "lint -R files": "lint files",
    "create-sa files/a.yaml -c demo": "apply -f files/a.yaml -c demo",
    "create-sa a.yaml -c demo": "apply -f a.yaml -c demo",
    "apply files/a.yaml -c demo": "apply -f files/a.yaml -c demo",
    "diff files/a.yaml -c demo": "diff -f files/a.yaml -c demo",
    "apply --file files/a.yaml -c demo": "apply --filename files/a.yaml -c demo",
    # Options.
    "get-sa --cluster-name demo": "get-sa --cluster demo",
    "get-sa --aws-region eu-west-1 -c demo": "get-sa --region eu-west-1 -c demo",
    "get-sa -c demo --ns default": "get-sa -c demo --namespace default",
    "get-sa --namspace default -c demo": "get-sa --namespace default -c demo",
    "get-sa -cluster demo": "get-sa --cluster demo",
    "get-sa --json -c demo": "get-sa --output=json -c demo",
    "create-sa x -c demo --dry-rn": "create-sa x -c demo --dry-run",
    "create-sa x -c demo --dry-run=client": "create-sa x -c demo --dry-run",
    f"create-sa x -c demo --policy-arn {READ_ONLY}": f"create-sa x -c demo --attach-policy-arn {READ_ONLY}",
    "update-sa reader -c demo --attach-role-arn arn:aws:iam::111122223333:role/x": "create-sa reader -c demo"
    " --attach-role-arn arn:aws:iam::111122223333:role/x --override-existing-serviceaccounts",
    "create-sa x -c demo \u2013attach-policy-arn AmazonS3ReadOnlyAccess": "create-sa x -c demo"
    " --attach-policy-arn AmazonS3ReadOnlyAccess",
    "create-sa x \u2013n shop -c demo \u2014dry-run": "create-sa x -n shop -c demo --dry-run",
    "create-sa x -c demo --attach-policy-arn \u201cAmazonS3ReadOnlyAccess\u201d": "create-sa x -c demo"
    " --attach-policy-arn AmazonS3ReadOnlyAccess",
    "create-sa x -c demo --description \u201cmy role\u201d": "create-sa x -c demo --description 'my role'",
    "create-sa x -c demo --description my role": "create-sa x -c demo --description 'my role'",
    "create-sa x -c demo --tags a=b c=d": "create-sa x -c demo --tags a=b --tags c=d",
    "create-sa x -c demo --tags Key=a,Value=b": "create-sa x -c demo --tags a=b",
    """create-sa x -c demo --tags '{"a":"b"}'""": "create-sa x -c demo --tags a=b",
    "create-sa x -c demo --label 'a: b'": "create-sa x -c demo --label a=b",
    "create-sa x -c demo --attach-policy-arn ReadOnlyAccess SecurityAudit": "create-sa x -c demo"
    " --attach-policy-arn ReadOnlyAccess --attach-policy-arn SecurityAudit",
    "delete-sa reader other -c demo -y": "delete-sa reader -c demo -y && irsa delete-sa other -c demo -y",
    "get-sa -n default,shop -c demo": "get-sa -n default -c demo && irsa get-sa -n shop -c demo",
    "associate-oidc demo": "associate-oidc -c demo",
    "disassociate-oidc demo --dry-run": "disassociate-oidc -c demo --dry-run",
    "exec reader -c demo true": "exec reader -c demo -- true",
    "exec -it reader -c demo -- true": "exec reader -c demo -- true",
    "exec reader -c demo ls --all": "exec reader -c demo -- ls --all",
    "delete reader -n default -c demo --dry-run": "delete-sa reader -n default -c demo --dry-run",
    "delete -f files/a.yaml -c demo --dry-run --cascade=x": "delete -f files/a.yaml -c demo --dry-run",
    "apply -f files/a.yaml -c demo -auto-approve": "apply -f files/a.yaml -c demo --yes",
    "apply -f files/a.yaml -c demo --server-side": "apply -f files/a.yaml -c demo",
    "apply -f cluster.yaml -c other -r us-east-1": "apply -f cluster.yaml",
    "apply -f account.yaml -c demo": "create-sa x -n shop"
    " --attach-role-arn arn:aws:iam::111122223333:role/x -c demo",
    "lint -f files/a.yaml": "lint files/a.yaml",
    "init -c demo made.yaml": "init -c demo --out made.yaml",
    "adopt reader -c demo --role x": "adopt reader -c demo --role-name x",
    "adopt -n default -c demo": "adopt -n default -c demo --all",
    "verify -n default -c demo": "verify -n default -c demo --all",
    "audit -n default -c demo": "audit -c demo",
    "doctor --pod p-1 -n default -c demo": "doctor -n default -c demo",
    "unlock --force -c demo": "recover --unlock --yes -c demo",
    "locks -c demo": "recover --unlock -c demo",
    "get-sa -A -n default -c demo": "get-sa -n default -c demo",
    "get-sa -c ' demo'": "get-sa -c demo",
    "get-sa -c demo --kubeconfig nothing": "get-sa -c demo",
    "get-sa -c demo --expect-account 1111-2222-3333": "get-sa -c demo --expect-account 111122223333",
    "-v get-sa -c demo": "get-sa -c demo -v",
    "--version -c demo": "version",
    "version --client": "version",
    "docs create-sa": "help create-sa",
    "docs --search drift": "docs drift",
    "policies get autoScaler": "policies show autoScaler",
    "who-can shop/reader -c demo": "audit --service-account shop/reader -c demo",
    "who-can getobject -c demo": "who-can s3:GetObject -c demo",
    "who-can s3.GetObject -c demo": "who-can s3:GetObject -c demo",
    "verify reader -c demo --action GetObject": "verify reader -c demo --action s3:GetObject",
    "verify reader -c demo --action s3:GetObject --resource bucket": "verify reader -c demo"
    " --action s3:GetObject --resource arn:aws:s3:::bucket",
    "create-sa x -c demo --attach-policy-arn arn:aws:iam::111122223333:role/x": "create-sa x -c demo"
    " --attach-role-arn arn:aws:iam::111122223333:role/x",
    "create-sa x -c demo --attach-role-arn arn:aws:iam::aws:policy/x": "create-sa x -c demo"
    " --attach-policy-arn arn:aws:iam::aws:policy/x",
    "create-sa x -c demo --attach-role-arn arn:aws:sts::111122223333:assumed-role/x/me": "create-sa x -c demo"
    " --attach-role-arn arn:aws:iam::111122223333:role/x",
    "create-sa x -c demo --attach-policy-arn arn:aws:iam:eu-west-1:aws:policy/x": "create-sa x"
    " -c demo --attach-policy-arn arn:aws:iam::aws:policy/x",
    "create-sa x -c demo --well-known-policy karpentr": "create-sa x -c demo --well-known-policy karpenter",
    "create-sa x -c demo --well-known-policy AmazonS3ReadOnlyAccess": "create-sa x -c demo"
    " --attach-policy-arn AmazonS3ReadOnlyAccess",
    "create-sa x -c demo --inline-policy AmazonS3ReadOnlyAccess": "create-sa x -c demo"
    " --attach-policy-arn AmazonS3ReadOnlyAccess",
    "create-sa x -c demo --attach-policy-arn policy.json": "create-sa x -c demo --inline-policy policy.json",
    """create-sa x -c demo --inline-policy '{"Version":"2012-10-17"}'""": "create-sa x -c demo"
    " --inline-policy policy.json",
    """create-sa x -c demo --attach-policy-arn '{"Version":"2012-10-17"}'""": "create-sa x -c demo"
    " --inline-policy policy.json",
    "create-sa x -c demo --role-name arn:aws:iam::111122223333:role/p/x": "create-sa x -c demo --role-name x",
    "create-sa x -c demo --role-path irsa/x": "create-sa x -c demo --role-path /irsa/x/",
    "delete-sa reader -c demo --auto-approve": "delete-sa reader -c demo --yes",
    "-c demo get-sa": "get-sa -c demo",
    "--region eu-west-1 -c demo create-sa x": "create-sa x --region eu-west-1 -c demo",
    "unlock --name reader -c demo": "recover --unlock -c demo",
    "recover --unlock --name reader -c demo": "recover --unlock -c demo",
    "show files/a.yaml -c demo": "diff -f files/a.yaml -c demo",
    # Names and values.
    "get-sa -c arn:aws:eks:eu-west-1:111122223333:cluster/demo": "get-sa -c demo -r eu-west-1",
    "create-sa New_SA -c demo": "create-sa new-sa -c demo",
    "get-sa --namespace=Default -c demo": "get-sa --namespace=default -c demo",
    "verify system:serviceaccount:default:reader -c demo": "verify reader -n default -c demo",
    "create-sa x -c demo --subject-pattern 'system:serviceaccount:*:*'": ""
    "create-sa x -c demo --subject-pattern '*'",
    "who-can GetObject -c demo": "who-can s3:GetObject -c demo",
    "policies autoscaler": "policies show autoScaler",
    "creat-sa x -c demo": "create-sa x -c demo",
    "polices list": "policies list",
    "policies lst": "policies list",
    "create-sa backend/x -c demo": "create-sa x -n backend -c demo",
    "describe-sa sa/reader -c demo": "describe-sa reader -c demo",
    "get-sa -c demo -o jsn": "get-sa -c demo -o json",
    "get-sa -c demo --output=YAML": "get-sa -c demo --output=yaml",
    "audit -c demo -o jason": "audit -c demo -o json",
    "audit -c demo --min-severity hihg": "audit -c demo --min-severity high",
    "create-sa x -c demo --annotations 'a=b c'": "create-sa x -c demo --annotation 'a=b c'",
}
EXPLAINED: dict[str, str] = {
    "create-sa -c demo": "Missing argument 'NAME'",
    "create-sa x": "Missing option '--cluster'",
    "create-sa x -c": "Option '-c' requires an argument",
    "create-sa x -c demo --attach-policy-arn -n shop": "requires an argument; -n is an option",
    "create-sa x -c demo --attach-policy-arn --dry-run": "requires an argument; --dry-run is an option",
    "create-sa x -c demo -n a,b": "'a,b' is a list; give one namespace",
    "create-sa a,b -c demo": "'a,b' is a list; give one name",
    "create-sa a b -c demo": "Unexpected argument: b.",
    "history a b": "irsa history lists all transactions",
    "get-sa -c ''": "it is empty (is a variable not set?)",
    "get-sa -c demo -n ' '": "it is empty (is a variable not set?)",
    "create-sa x -c demo --as admin": "No such option '--as'. For help",
    "apply -f https://example.com/a.yaml": "curl -fsSL https://example.com/a.yaml | irsa apply -f -",
    "apply -k base": "kustomize build base | irsa apply -f -",
    r"create-sa x -c demo --inline-policy 'C:\Users\me\p.json'": "--inline-policy /mnt/c/Users/me/p.json",
    "apply nothing.plan": "File 'nothing.plan' does not exist. For help",
    "diff -f policy.json": "has no apiVersion (use --inline-policy)",
    "docs nope": "To list the pages: irsa docs",
    "who-can 's3:*'": "give one action, without wildcards",
    "config --set region=x": "irsa config only shows settings",
    "create-sa x -c demo --permissions-boundary Admin": "For a policy of AWS: arn:aws:iam::aws:policy/Admin",
    "verify reader -c demo --call 's3 delete-bucket'": "only read operations are tried",
    "create-sa x -c demo --tags a:b": "'a:b' is not KEY=VALUE",
    "create-sa X -c demo": "lower-case letters",
    "create-sa x -c demo --timeout 5min": "examples: 90s, 25m, 1h30m",
    "create-sa x -c demo --max-session-duration 30m": "'30m' is not between 1h and 12h",
    "create-sa x -c demo --attach-role-arn arn:aws:iam::1:role/x": "--attach-role-arn",
    "create-sa x -f files/a.yaml -c demo": "irsa apply -f",
    "create-sa x -c demo --update-trust": "--update-trust needs --attach-role-arn",
    "apply": "Missing option '-f' / '--filename'",
    "apply -f nothing.yaml": "nothing.yaml",
    "verify": "-A for all",
    "create-sa x -c demo --attach-role-arn reports": "To find it: aws iam get-role --role-name reports",
    "history nope": "irsa history lists all transactions",
    "config set region x": "irsa config only shows settings",
    "diff": "For example: irsa diff -f cluster.yaml",
    "show": "For example: irsa show plan.json",
    "create-sa": "For example: irsa create-sa worker -c prod",
    "docs drfit": "how-to/drift",
    "help creat": "irsa help create-sa",
    "foo": "irsa --help",
    "audit --fail-on severe": "none of low, medium, high, critical",
    "update-sa reader -c demo": "no change is given",
}


@pytest.fixture
def here(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """The sandbox with a provider, and a folder with files."""
    for name in ("a", "files/a", "files/sub/b"):
        path = tmp_path / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(BINDINGS % path.stem)
    cluster = (BINDINGS % "c").replace("kind: Bindings", "kind: Bindings\nmetadata: {name: demo}")
    (tmp_path / "cluster.yaml").write_text(cluster)
    (tmp_path / "account.yaml").write_text(ACCOUNT)
    for name in ("policy", "karpenter"):
        (tmp_path / f"{name}.json").write_text(json.dumps(policy("Allow s3:GetObject on *")))
    monkeypatch.chdir(tmp_path)
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    stage.run("associate-oidc")
    return stage


def answer(stage: Stage, line: str) -> str:
    """The answer to a wrong line; it is short, and asks nobody."""
    asked = len(stage.sandbox.calls)
    ran = stage.irsa(*shlex.split(line))
    assert (ran.code, ran.out, len(stage.sandbox.calls)) == (2, "", asked), f"{line}\n{ran.err}"
    assert sum(-(-len(row) // WIDTH) for row in ran.err.splitlines()) <= MOST, ran.err
    return ran.err


@pytest.mark.parametrize("part", range(4))
def test_the_lines_that_were_meant_are_proposed_and_work(part: int, here: Stage) -> None:
    for line, meant in list(PROPOSED.items())[part::4]:
        told = answer(here, line)
        assert "Did you mean:" in told, line
        assert told.splitlines()[-1] == f"  irsa {meant}", line
        if "reader" in line:
            here.create_sa("reader", "default", "--override-existing-serviceaccounts")
        without = ["--no-policy"] if re.match("create-sa (?!.*--(attach|inline|well)-)", meant) else []
        for proposed in meant.split(" && irsa "):
            ran = here.irsa(*shlex.split(proposed), *without)
            assert ran.code in (0, 1, 4, 5, 6, 7), f"{line}\n{ran.err}"


def test_mistakes_are_explained(here: Stage) -> None:
    for line, why in EXPLAINED.items():
        assert why in " ".join(answer(here, line).split()), line


def tell(stage: Stage, line: str) -> str:
    """What a line that is refused tells, in one line."""
    return " ".join(stage.run(line, code=4).err.split())


def test_what_others_have_is_named_with_the_command_that_uses_it(here: Stage) -> None:
    here.sandbox.put_roles(
        [RoleSpec(name="tf-reports", tags={"ManagedBy": "terraform"}, trust=json.loads(EC2_TRUST))]
    )
    here.make_account("default", "plain")
    here.run("create-sa reader --no-policy")
    arn = "arn:aws:iam::111122223333:role/tf-reports"
    told = tell(here, "create-sa new --role-name tf-reports --no-policy")
    assert "role tf-reports exists, but not for default/new: its creator is Terraform" in told
    use = f"create-sa new -n default -c demo -r eu-west-1 --attach-role-arn {arn}"
    assert f"irsa {use}" in told
    here.run(f"{use} --update-trust")
    similar = f"create-sa b --attach-role-arn {arn.removesuffix('s')}"
    assert f"--attach-role-arn {arn} # a role with a similar name" in tell(here, similar)
    told = tell(here, f"create-sa reader --attach-role-arn {arn} --update-trust")
    replace = use.replace("new", "reader") + " --override-existing-serviceaccounts"
    assert f"irsa {replace}" in told
    found = re.search(r"to delete it: irsa ([^,]+),", here.run(f"{replace} --update-trust").err)
    assert found is not None
    here.run(f"{found[1]} -y")
    assert "kubectl delete serviceaccount plain -n default" in tell(here, "delete-sa plain")


def test_a_misspelt_variable_and_the_only_known_cluster_are_proposed(here: Stage) -> None:
    told = here.irsa("get-sa", IRSA_CLUSTR="demo").err
    assert "Note: IRSA_CLUSTR is not a variable of irsa. Did you mean IRSA_CLUSTER?" in told
    assert told.endswith("Missing option '--cluster' / '-c'. Did you mean:\n  irsa get-sa -c demo\n")
