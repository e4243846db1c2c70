"""Folders of RGB-thermal pairs with or without labels, read as the arrays that training and evaluation take."""
