"""Pages for customers. Until they are built, one page that says what there is and what is not."""
