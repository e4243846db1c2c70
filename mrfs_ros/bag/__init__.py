"""Recorded bags through the network, without ROS: the node's work, offline."""
