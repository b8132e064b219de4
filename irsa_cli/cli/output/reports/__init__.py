"""What a command has to say, for pipelines: Markdown, annotations, files for the next step.

One value (`irsa_cli.cli.output.reports.model`) is made of each command's result, and every form is made of
that. Text, JSON and YAML are written in `irsa_cli.cli.output.text`; CSV, SARIF, JUnit XML and HTML where
their command is.
"""
