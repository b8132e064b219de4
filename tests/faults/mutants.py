"""irsa, broken on purpose: each of these has to be noticed by the matrix. Applied in a forked run only.

What is noticed by which cases is in `test_mutants`.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any


def _nothing_is_taken_back() -> None:
    from irsa_cli.transaction.rollback import Rollback

    _replace(Rollback, "undo", lambda self, stages, transaction: [])


def _the_first_stage_is_not_taken_back() -> None:
    from irsa_cli.transaction.rollback import Rollback

    whole = Rollback.undo

    def undo(self: Rollback, stages: Sequence[Any], transaction: str) -> Any:
        return whole(self, stages[1:], transaction)

    _replace(Rollback, "undo", undo)


def _one_inverse_is_dropped() -> None:
    from irsa_cli.changes.role import AttachmentHandler
    from irsa_cli.transaction.protocol import Applied

    whole = AttachmentHandler.apply

    def apply(self: AttachmentHandler, change: Any, *rest: Any) -> Any:
        return Applied(changed=True) if change.after is None else whole(self, change, *rest)

    _replace(AttachmentHandler, "apply", apply)


def _preconditions_are_ignored() -> None:
    from irsa_cli.kube.client import Kube

    def delete(self: Any, resource: str, namespace: str, name: str, **preconditions: str) -> None:
        self._call(f"delete {resource}", namespace, name)

    _replace(Kube, "delete", delete)


def _a_role_that_exists_counts_as_made() -> None:
    from irsa_cli.changes.role import RoleHandler
    from irsa_cli.core.objects.role import Role
    from irsa_cli.transaction.protocol import Applied

    def own(self: Any, found: Role, transaction: str) -> Any:
        return Applied(changed=True, identity={"RoleId": found.role_id})

    _replace(RoleHandler, "_own", own)


def _what_is_left_is_not_named() -> None:
    from irsa_cli.transaction.runner import Transaction

    whole = Transaction.execute

    def execute(self: Any, *gate: Any, **end: Any) -> Any:
        report = whole(self, *gate, **end)
        report.outcome, report.leftovers = "rolled-back", []
        return report

    _replace(Transaction, "execute", execute)


def _failures_are_called_success() -> None:
    from irsa_cli.core.results.result import Result

    _replace(Result, "exit_code", property(lambda self: 0))


def _old_readings_are_believed() -> None:
    from irsa_cli.aws.recent_writes import RecentWrites

    _replace(RecentWrites, "is_late", lambda self, operation, asked, answer: False)


def _unknown_outcomes_count_as_refused() -> None:
    from irsa_cli.transaction import runner

    _replace(runner, "_did_not_act", lambda error: True)


def _refusals_are_believed() -> None:
    from irsa_cli.transaction import runner

    _replace(runner, "carry_out", lambda handler, change, run, calls: handler.apply(change, run))


def _nothing_is_journaled() -> None:
    from irsa_cli.transaction.journal import Journal

    _replace(Journal, "event", lambda self, event, index=None, **facts: None)


def _nothing_is_synced() -> None:
    from irsa_cli.transaction import journal

    disk: Any = vars(journal)["os"]

    class Hasty:
        def fsync(self, file: int) -> None:
            """Say that it is done."""

        def __getattr__(self, name: str) -> Any:
            return getattr(disk, name)

    _replace(journal, "os", Hasty())


def _names_differ_from_run_to_run() -> None:
    from irsa_cli.core.values import names

    whole = names.default_role_name
    _replace(names, "default_role_name", lambda *parts: f"{whole(*parts)}-{os.getpid()}")


def _what_a_crash_left_is_refused() -> None:
    from irsa_cli.core.planning.create import plan as whole
    from irsa_cli.core.values.errors import Refused
    from irsa_cli.usecases.write import create_sa

    def plan(desired: Any, current: Any) -> Any:
        if current.binding.seen_role is not None:
            raise Refused("the role is there")
        return whole(desired, current)

    _replace(create_sa, "plan", plan)


def _a_lost_answer_is_a_strangers_object() -> None:
    from irsa_cli.changes.role import RoleHandler
    from irsa_cli.transaction.protocol import Applied

    whole = RoleHandler._delete

    def delete(self: RoleHandler, change: Any, name: str, run: Any, claim: Any) -> Any:
        is_ours = claim is None or claim.identity
        return whole(self, change, name, run, claim) if is_ours else Applied(changed=False)

    _replace(RoleHandler, "_delete", delete)


def _signals_raise() -> None:
    from collections.abc import Iterator
    from contextlib import contextmanager

    from irsa_cli.usecases.command import execute

    @contextmanager
    def stoppable(run: Any, warn: Any, way: str = "") -> Iterator[None]:
        yield

    _replace(execute, "stoppable", stoppable)


def _second_signals_are_swallowed() -> None:
    from irsa_cli.usecases.command import settings as signals

    whole = signals._handler

    def handler(told: int, run: Any, heard: list[int], last_words: bytes) -> Callable[[int, object], None]:
        handle = whole(told, run, heard, last_words)
        seen: list[int] = []

        def once(number: int, frame: object) -> None:
            if not seen:
                seen.append(number)
                handle(number, frame)

        return once

    _replace(signals, "_handler", handler)


def _neighbours_go_with_a_service_account() -> None:
    from irsa_cli.kube.client import Kube

    whole = Kube.delete

    def delete(
        self: Any, resource: str, namespace: str, name: str, *, dry_run: bool = False, **preconditions: str
    ) -> None:
        whole(self, resource, namespace, name, dry_run=dry_run, **preconditions)
        for account in self.service_accounts() if resource == "serviceaccounts" and not dry_run else []:
            if account["metadata"]["namespace"] == namespace:
                another = account["metadata"]["name"]
                self._call("delete serviceaccounts", namespace, another)

    _replace(Kube, "delete", delete)


def _whatever_irsa_made_is_pruned() -> None:
    from irsa_cli.core.config.model import Selection

    _replace(Selection, "admits", lambda self, name: True)


def _marks_go_onto_all_roles_of_the_path() -> None:
    from irsa_cli.changes.role_parts import RoleOwnerHandler

    whole = RoleOwnerHandler._send

    def write(self: RoleOwnerHandler, change: Any, owner: str) -> None:
        whole(self, change, owner)
        for role in self._iam.list_roles(PathPrefix="/irsa/")["Roles"]:
            mark: Any = {"Key": "irsa/transaction", "Value": owner}
            self._iam.tag_role(RoleName=role["RoleName"], Tags=[mark])

    _replace(RoleOwnerHandler, "_send", write)


def _other_providers_go_with_the_clusters() -> None:
    from irsa_cli.changes.provider import ProviderHandler

    whole = ProviderHandler._delete

    def delete(self: ProviderHandler, *what: Any) -> Any:
        done = whole(self, *what)
        for item in self._iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]:
            self._iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=item["Arn"])
        return done

    _replace(ProviderHandler, "_delete", delete)


def _all_bindings_are_ok() -> None:
    from irsa_cli.core.inventory.bindings import BindingStatus, ListedBinding

    # What the constructor writes of it is dropped.
    setattr(ListedBinding, "status", property(lambda self: BindingStatus.OK, lambda self, value: None))  # noqa: B010


def _locks_are_never_renewed() -> None:
    from irsa_cli.usecases.locks.taking import Taker

    _replace(Taker, "renew", lambda self, held: None)


def _locks_are_taken_from_the_living() -> None:
    from irsa_cli.usecases.locks.taking import Taker

    _replace(Taker, "_is_free", lambda self, *what: True)


def _another_runs_lock_is_given_back() -> None:
    from irsa_cli.usecases.locks.taking import Taker

    def release(self: Taker, held: Any) -> None:
        found = self.leases.lease(self.namespace, held.lock.name)
        if found is not None:
            place = found.body["metadata"]
            self.leases.delete_lease(
                self.namespace, held.lock.name, uid=place["uid"], version=place["resourceVersion"]
            )

    _replace(Taker, "release", release)


def _without_its_lock_a_run_goes_on() -> None:
    from irsa_cli.usecases.locks.hold import Hold

    _replace(Hold, "check", lambda self, *, back: None)


def _locks_are_not_given_back() -> None:
    from irsa_cli.usecases.locks.taking import Taker

    _replace(Taker, "release", lambda self, held: None)


def _replace(place: Any, name: str, value: Any) -> None:
    assert hasattr(place, name), f"{place} has no {name} any more"
    setattr(place, name, value)


MUTANTS: dict[str, Callable[[], None]] = {
    mutant.__name__.strip("_").replace("_", "-"): mutant
    for mutant in (
        _nothing_is_taken_back,
        _the_first_stage_is_not_taken_back,
        _one_inverse_is_dropped,
        _preconditions_are_ignored,
        _a_role_that_exists_counts_as_made,
        _what_is_left_is_not_named,
        _failures_are_called_success,
        _old_readings_are_believed,
        _unknown_outcomes_count_as_refused,
        _refusals_are_believed,
        _nothing_is_journaled,
        _nothing_is_synced,
        _names_differ_from_run_to_run,
        _what_a_crash_left_is_refused,
        _a_lost_answer_is_a_strangers_object,
        _signals_raise,
        _second_signals_are_swallowed,
        _neighbours_go_with_a_service_account,
        _whatever_irsa_made_is_pruned,
        _marks_go_onto_all_roles_of_the_path,
        _other_providers_go_with_the_clusters,
        _all_bindings_are_ok,
        _locks_are_never_renewed,
        _locks_are_taken_from_the_living,
        _another_runs_lock_is_given_back,
        _without_its_lock_a_run_goes_on,
        _locks_are_not_given_back,
    )
}
