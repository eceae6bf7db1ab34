// Assistance that follows muscle activation, and fades out when the estimate is unreliable.
// A placeholder for a controller: scale its output to the torque of your joint.

#include <chrono>
#include <memory>

#include "imu_emg_estimator/msg/muscle_activation.hpp"
#include "rclcpp/rclcpp.hpp"
#include "std_msgs/msg/float64_multi_array.hpp"

#include "fade.hpp"

using imu_emg_estimator::msg::MuscleActivation;
using std_msgs::msg::Float64MultiArray;

constexpr std::chrono::milliseconds PERIOD{10};  // the controller's own rate: 100 Hz

// Return the share of assistance for an estimate of this status.
double trust(uint8_t status)
{
  switch (status) {
    case MuscleActivation::OK: return 1.0;
    case MuscleActivation::DEGRADED: return 0.5;
    default: return 0.0;  // warming up, stale, out of distribution, and statuses of later versions
  }
}

class Assistance : public rclcpp::Node
{
public:
  Assistance()
  : Node("assistance")
  {
    publisher_ = create_publisher<Float64MultiArray>("assistance", 10);
    subscription_ = create_subscription<MuscleActivation>(
      "muscle_activation", rclcpp::QoS(1).reliable(),  // only the newest
      [this](const MuscleActivation & message) {
        fade_.receive(
          rclcpp::Time(message.header.stamp).seconds(), trust(message.status), message.activation);
      });
    // A timer, not the subscription, since an estimator that has died sends nothing.
    timer_ = create_wall_timer(PERIOD, [this] {control();});
  }

private:
  void control()
  {
    Float64MultiArray message;
    message.data = fade_.step(now().seconds(), std::chrono::duration<double>(PERIOD).count());
    RCLCPP_INFO_THROTTLE(
      get_logger(), *get_clock(), 1000, "gain %.2f, assistance of the first muscle %.2f",
      fade_.gain(), message.data.empty() ? 0.0 : message.data.front());
    publisher_->publish(message);
  }

  Fade fade_;
  rclcpp::Publisher<Float64MultiArray>::SharedPtr publisher_;
  rclcpp::Subscription<MuscleActivation>::SharedPtr subscription_;
  rclcpp::TimerBase::SharedPtr timer_;
};

int main(int argc, char ** argv)
{
  rclcpp::init(argc, argv);
  rclcpp::spin(std::make_shared<Assistance>());  // one thread: the callbacks need no lock
  rclcpp::shutdown();
}
