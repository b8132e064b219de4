"""`irsa audit`, `irsa who-can` and `irsa lint`: read an account or files, and have their risks judged.

The account comes from AWS and its clusters (`run`), or from files of an earlier reading (`files`), so that
an audit can be repeated without rights. Everything is read in lists and at the same time; a part that
cannot be read becomes a gap, since half of an account is worth an answer. `lint` finds files and reads no
network at all. All three select what they show in the same way: severity, acceptances of `.irsa.yaml`,
baseline.

Risks are judged in `irsa_cli.core`, and printed in `irsa_cli.cli`.
"""
