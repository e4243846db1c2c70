"""How the two cameras see one another and whose clock is late, found from images alone."""
