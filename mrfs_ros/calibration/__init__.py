"""Estimation of the cameras' homography and clock offset from images alone."""
