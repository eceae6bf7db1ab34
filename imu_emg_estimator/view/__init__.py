"""The page of ``imu-emg view``: what is drawn, who serves it, and where it comes from without ROS."""
