"""The people's side, without which no order moves.

Managers claim, set up, post, correct, release; operators cancel, archive, give back, change prices
and stop publishing. Simulated managers, the command line and the pages to come call these
operations; customers never do. Emits ``bundle.accepted``, ``bundle.released``,
``bundle.cancelled``, ``bundle.archived``, ``account.in_review``, ``video.in_review``,
``video.download_issue`` and ``video.overdue``.
"""
