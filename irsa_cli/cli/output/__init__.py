"""From a result to what people and pipelines read: text, documents, reports and files.

If each command printed each form itself, each would forget something. So the module of a result creates one
`Report`, and every form is a view of it: a new form works for all commands. Texts in a report are unescaped:
only a view knows which characters its format reads as commands.

Results, their JSON and exit codes are promises, and are in `irsa_cli.core.results`; no view adds a fact.
Colours, widths and progress are in `irsa_cli.cli.terminal`.
"""
