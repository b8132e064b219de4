"""Carrying out a plan as one transaction: run, journal, roll back, recover; changes are a protocol here."""
