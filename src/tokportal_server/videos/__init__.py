"""Video slots: configure, schedule, publish, review.

Owns the contents of slots, their dates and their paid options. Emits ``video.*`` through the door
of :mod:`tokportal_server.orders`, and ``video.rescheduled`` when a date is moved.
"""
