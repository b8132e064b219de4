"""Reports for pipelines: Markdown, annotations, and files for the next step."""
