"""People at the pages: signing in, sessions, forms, who may open what."""
