"""What people reported in public, each reproduced as a world, and set-ups in which nothing is wrong.

`world` is what they are made of, `cases` the register and how doctor is scored, `playing` a run of doctor.
The rest are the cases by subject; `healthy` has the set-ups. `everything` imports them all.
"""
