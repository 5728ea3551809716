"""Numbers that say how wrong a picture is."""
