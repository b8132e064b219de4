"""Reports for pipelines: Markdown, annotations, and files for the next step.

Each is rendered from one value (`irsa_cli.cli.output.reports.model`).
"""
