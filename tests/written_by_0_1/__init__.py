"""What irsa 0.1.0 has written, and what today's irsa makes of it.

People have roles, annotations, Leases and journals of 0.1.0, and a machine that was switched off in the
middle of a run may be switched on again with a later irsa. So `recordings.tar.xz` holds what 0.1.0 had
written before and after each of its writes, by each command of the fault matrix (`record` made it and says
how). The tests let today's irsa go on from there: it has to end in the world in which 0.1.0 itself ended.

What belongs here: recordings and what reads them. A recording is never made again by a later irsa: it would
then prove nothing. A new command of a later version is recorded when that version is released, in a folder of
its own.
"""
