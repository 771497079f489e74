"""The hazards that the product is held to, with real processes where it takes them."""
