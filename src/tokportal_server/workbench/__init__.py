"""The managers' side, without which no order moves: claim, set up, post, correct, release.

Simulated managers and the pages to come call these operations; customers never do. Emits
``bundle.accepted``, ``bundle.released``, ``account.in_review``, ``video.in_review``,
``video.download_issue`` and ``video.overdue``.
"""
