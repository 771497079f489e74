"""Comment tasks: a manager writes a comment under a post, and somebody makes sure that it is there.

Contract section 10.
"""
