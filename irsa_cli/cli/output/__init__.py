"""Results as text, documents, reports for pipelines, and files."""
