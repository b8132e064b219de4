"""irsa's and the sandbox's evaluation of policies, compared with a third one."""
