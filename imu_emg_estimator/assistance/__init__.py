"""From muscle activation to joint torque, within limits; without ROS."""
