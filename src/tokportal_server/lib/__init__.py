"""Building blocks that know no word of the domain: nothing here may import another slice."""
