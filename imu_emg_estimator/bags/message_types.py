"""Names of the message types that are read and written, and the topic of the EMG."""

IMU_TYPE = "sensor_msgs/msg/Imu"
EMG_TYPE = "imu_emg_estimator/msg/Emg"
ACTIVATION_TYPE = "imu_emg_estimator/msg/MuscleActivation"
JOINT_TYPE = "sensor_msgs/msg/JointState"
FLOAT32_TYPE = "std_msgs/msg/Float32MultiArray"
FLOAT64_TYPE = "std_msgs/msg/Float64MultiArray"
EMG_TYPES = (EMG_TYPE, ACTIVATION_TYPE, JOINT_TYPE, FLOAT32_TYPE, FLOAT64_TYPE)

EMG_TOPIC = "/emg"
