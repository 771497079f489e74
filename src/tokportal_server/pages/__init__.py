"""What every page stands on: people who sign in, forms that cannot be forged, the layout.

Owns the sessions, the one-time links and the table of who may open which page. It knows no page of
an order; those are in :mod:`tokportal_server.console`.
"""
