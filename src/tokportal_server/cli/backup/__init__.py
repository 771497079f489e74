"""``tokportal-server backup`` and ``restore``: everything that must survive, in one folder.

A folder holds one backup: ``manifest.json`` names a dump of the database and a list of media, both
with their time in their name, and ``media/`` holds the objects under their keys. What the manifest
names is never written to again. The next backup adds what is new, writes its manifest over the old
one in a single step, and only then removes what is not named any more: at every moment the folder
holds a whole backup, or none yet.

The modules from the bottom up: ``manifest``, ``explaining``, ``folder``, ``media_list``, ``keys``,
``copying`` (media), ``taking``, ``checking`` and ``restoring``. Why in this way:
docs/decisions/0020-backup.md.
"""
