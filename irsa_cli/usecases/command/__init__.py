"""What every command needs: the connection, running a plan, trying again, many at a time, settings.

What one command does is in the other rooms.
"""
