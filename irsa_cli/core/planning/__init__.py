"""The plan of each writing command, or the refusal with what stands in its way.

Reading what is there is in `irsa_cli.usecases.read`, carrying a plan out in `irsa_cli.transaction`.
"""
