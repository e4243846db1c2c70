"""Results of a bag, one file for each kind: rosbag2, video, image folders, table, web page, Rerun recording."""
