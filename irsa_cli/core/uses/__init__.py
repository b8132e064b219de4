"""Users of a role, and their ways to it: pods, templates of new pods, tokens that are used outside of pods.

Before irsa deletes a role, moves it to Pod Identity or to another cluster, it must know who would lose it.
An annotation does not tell: SDKs choose between variables, the webhook changes only new pods, and External
Secrets or Argo CD request tokens without any pod. Each module has one of these rules, with its source.

Whether somebody may use a role is the subject of `irsa_cli.core.trust` and `irsa_cli.core.access`. The
consequence of a user is decided in `irsa_cli.core.planning`; pods as values are in `irsa_cli.core.objects`.
"""
