"""Estimation of calibrations and clock offsets from images alone; ``geometry`` holds what a calibration is."""
