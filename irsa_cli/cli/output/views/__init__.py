"""The forms of a `Report` besides text: one function for each, from a report to a string.

CI systems execute what they read: GitHub runs lines that begin with `::`, spreadsheets run cells that begin
with `=`, Markdown fetches images. Names and tags are written by others, so each view escapes everything that
its format reads as more than text, and shows invisible characters.

A view knows no command and asks nobody: it shows what the report has, and leaves out what its format has no
place for. A new fact goes into the report in `irsa_cli.cli.output.results`; files and standard output are
written by `irsa_cli.cli.output.speaking`.
"""
