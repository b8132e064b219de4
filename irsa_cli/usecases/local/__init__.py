"""What is known on this machine without asking anybody: kubeconfig, settings in force, names to complete.

What a project's file says is read in `irsa_cli.usecases.command.project_settings`.
"""
