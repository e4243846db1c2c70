"""The only package that knows ROS 2: the node, its parameters and diagnostics, a bag player and a recorder."""
