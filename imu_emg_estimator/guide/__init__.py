"""The guided calibration: what is asked, said, checked and decided; knows nothing of ROS."""
