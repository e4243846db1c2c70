"""Camera models, calibration files, and the registration of thermal images to the rgb image's grid.

The data model lives here and not in ``calibration``, which estimates it: a running node needs a calibration file and
none of the estimators.
"""
