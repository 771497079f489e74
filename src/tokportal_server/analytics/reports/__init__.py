"""Reports: numbers of a moment, frozen, as a page that can be shown to somebody without a key.

Contract section 11. A report has one of six templates, a brand's name and colour, charts as vector
pictures, and no script. Emits ``report.created``.
"""
