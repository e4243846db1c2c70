"""What cameras and files send, turned into what the network expects; no ROS, no torch."""
