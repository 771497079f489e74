"""The order itself: create it, set up its profile, publish it.

Owns bundles and profiles as customers see them. Emits ``bundle.created``, ``bundle.published`` and
``account.configured`` through the door of :mod:`tokportal_server.orders`.
"""
