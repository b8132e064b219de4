"""`irsa audit -o html`: one file with everything in it, which asks nobody for anything.

The parts of the page lie beside this package's modules: page.html, page.css, and scripts, which `page` puts
in the order in which they build on each other. Texts of others are in the page as JSON only, and become
text by the DOM's textContent. What is in the picture is `irsa_cli.core.audit.picture`'s business.
"""
