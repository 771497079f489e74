"""Pages of the operators, under ``/admin``: what needs them, customers, people, money, machinery.

Owns no tables: a page reads what it shows and calls the operations of ``workbench`` for the rest.
"""
