"""One image message or file of a camera, as an array: encodings, colours, thermal values and their window."""
