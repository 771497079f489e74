"""Pages of an order: the workbench of managers, the console of customers.

They show what the queries say and call the operations that the API calls; they have no rules of
their own.
"""
