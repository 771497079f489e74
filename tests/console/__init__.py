"""The workbench and the console, as people use them."""
