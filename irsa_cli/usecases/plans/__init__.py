"""Saved plans: a dry run written to a file, and exactly that plan carried out, or nothing.

A review is worth something only if what runs later is what was reviewed. So a file has the request, all
changes and the state that they depend on; the state is read again, and a difference refuses the plan with
the command that creates it again. There are no credentials in it, and its texts are checked like flags,
because whoever can write to the folder can change it.

Changes are written down in `irsa_cli.core.plan`, the rules of texts are the types of the requests' fields,
and the work itself is each command's own, in `irsa_cli.usecases.write` and `irsa_cli.usecases.files`.
"""
