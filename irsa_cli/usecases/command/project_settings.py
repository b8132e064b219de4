"""Settings for all runs of a project: `.irsa.yaml`, overridden by the environment."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from irsa_cli.core.binding.boundaries import BoundaryRules
from irsa_cli.core.config.project import Project
from irsa_cli.core.planning.git_namespaces import GitNamespaces
from irsa_cli.core.values import arn
from irsa_cli.core.values.cluster import ProjectExpectations
from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.usecases.command.settings import LockOptions

NAME = ".irsa.yaml"
CHOSEN = "IRSA_CONFIG"
_CALLER = (
    "AWS_PROFILE",
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
"""Variables with credentials in the environment: these override the project's profile."""
BOUNDARY = "IRSA_PERMISSIONS_BOUNDARY"
REQUIRE = "IRSA_REQUIRE_PERMISSIONS_BOUNDARY"
_TRUE = ("1", "true", "yes")
_FALSE = ("", "0", "false", "no")
_LARGEST = 65536


def boundary_rules(*, may_remove: bool = False) -> BoundaryRules:
    """Rules about permissions boundaries from environment and project; raises `InvalidInput`."""
    return rules_of(os.environ, read_project(Path.cwd()), may_remove=may_remove)


def rules_of(environment: Mapping[str, str], project: Project, *, may_remove: bool = False) -> BoundaryRules:
    """The rules that both make: a default of the environment goes before; who demands one is heard always."""
    given = environment.get(BOUNDARY, "")
    try:
        default = arn.check_policy(given) if given else project.permissions_boundary
    except InvalidInput as error:
        raise InvalidInput(f"{BOUNDARY}: {error}") from error
    required_by = project.source if project.require_permissions_boundary else ""
    demanded = environment.get(REQUIRE, "")
    if demanded.lower() not in (*_TRUE, *_FALSE):
        expected = f"expected {_TRUE[0]} or {_FALSE[1]}"
        raise InvalidInput(f"{REQUIRE} is '{demanded}'", reason=expected)
    if demanded.lower() in _TRUE:
        required_by = REQUIRE
    return BoundaryRules(default, required_by, may_remove)


def lock_options(*, namespace: str | None, timeout: float | None, enabled: bool | None) -> LockOptions:
    """Lock options as given, or else as in the project; raises `InvalidInput`."""
    project = read_project(Path.cwd())
    default = LockOptions()
    found = project.lock_timeout if timeout is None else timeout
    return LockOptions(
        project.lock if enabled is None else enabled,
        namespace or project.lock_namespace or default.namespace,
        default.timeout if found is None else found,
    )


def git_namespaces() -> GitNamespaces:
    """The namespaces whose ServiceAccounts are in Git, by the project; raises `InvalidInput`."""
    project = read_project(Path.cwd())
    return GitNamespaces(project.git_namespaces, project.place("serviceAccounts"))


def read_project(folder: Path) -> Project:
    """The settings of the nearest `.irsa.yaml`; raises `InvalidInput` for one that can't be trusted."""
    chosen = os.environ.get(CHOSEN, "").strip()
    for path in [Path(chosen)] if chosen else [parent / NAME for parent in (folder, *folder.parents)]:
        try:
            found = path.stat()
        except (FileNotFoundError, NotADirectoryError) as error:
            if chosen:
                raise InvalidInput(f"{path} can't be read", reason=error.strerror or str(error)) from None
            continue
        except OSError as error:
            raise InvalidInput(f"{path} can't be read", reason=error.strerror or str(error)) from None
        from irsa_cli.core.config.project_file import parse_project

        return parse_project(_text(path, found, folder), str(path))
    return Project()


def caller_variable(environment: Mapping[str, str]) -> str:
    """The variable with credentials in the environment; '' if there is none."""
    return next((name for name in _CALLER if environment.get(name, "").strip()), "")


def expected_by_project() -> ProjectExpectations:
    """The expectations of the nearest `.irsa.yaml`; raises `InvalidInput` for one that can't be trusted."""
    project = read_project(Path.cwd())
    places = (project.place("expectAccount"), project.place("expectClusterARN"))
    return ProjectExpectations(project.expect_account, project.expect_cluster_arn, places)


def _text(path: Path, found: os.stat_result, folder: Path) -> str:
    # Trusted owners of a project file: the user, root, and the owner of the folder.
    try:
        here = folder.stat().st_uid
    except OSError:
        here = os.geteuid()
    if found.st_uid not in (os.geteuid(), 0, here):
        raise InvalidInput(f"{path} is not read", reason="its owner is not the owner of the folder")
    if not stat.S_ISREG(found.st_mode):
        raise InvalidInput(f"{path} is no file")
    if found.st_mode & stat.S_IWOTH:
        raise InvalidInput(f"{path} is not read", reason="all users can write it (chmod o-w)")
    from irsa_cli.usecases.texts import read_text

    return read_text(path, _LARGEST)
