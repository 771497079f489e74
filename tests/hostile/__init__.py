"""What somebody sends who means harm: to the wire, the heads, the bodies, the pages and parsers."""
