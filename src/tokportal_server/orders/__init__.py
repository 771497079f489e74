"""Orders: the rows and states of bundle, profile, slot and claim, and the one door to change them.

Every change of a status goes through :func:`door.move`: transition table, compare-and-set, journal,
event, in the caller's transaction. Whoever changes an order locks its bundle first (:mod:`locks`).
Emits ``bundle.*``, ``account.*`` and ``video.*`` as the tables in :mod:`states` say. No routes.
"""
