"""Where numbers come from: official APIs, people, and the simulator of rehearsals.

Each adapter turns what a platform's API gives into the types of ``analytics.observations``. Nothing
here reads a platform's pages, and nothing acts on a platform.
"""
