// Assistance that follows muscle activation, and fades out when the estimate cannot be relied on.
// A placeholder for a controller: scale its output to the torque of your joint.

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "imu_emg_estimator/activation_gate.hpp"
#include "imu_emg_estimator/msg/muscle_activation.hpp"
#include "rclcpp/rclcpp.hpp"
#include "std_msgs/msg/float64_multi_array.hpp"

using imu_emg_estimator::msg::MuscleActivation;
using std::chrono::steady_clock;
using std_msgs::msg::Float64MultiArray;

constexpr std::chrono::milliseconds PERIOD{10};  // the controller's own rate: 100 Hz
const std::vector<std::string> MUSCLES{"vastus_lateralis_right", "vastus_lateralis_left"};  // of the shipped model

class Assistance : public rclcpp::Node
{
public:
  Assistance()
  : Node("assistance"), gate_(declare_parameter("muscles", MUSCLES))
  {
    publisher_ = create_publisher<Float64MultiArray>("assistance", 10);
    subscription_ = create_subscription<MuscleActivation>(
      "muscle_activation", rclcpp::QoS(10).reliable(),
      [this](const MuscleActivation & message) {gate_.receive(message, now().seconds());});
    // A timer, not the subscription, since an estimator that has died sends nothing.
    timer_ = create_wall_timer(PERIOD, [this] {control();});
  }

private:
  void control()
  {
    const auto step = steady_clock::now();
    Float64MultiArray message;
    message.data = gate_.update(now().seconds(), std::chrono::duration<double>(step - last_step_).count());
    last_step_ = step;
    publisher_->publish(message);
    if (*gate_.reason()) {
      RCLCPP_INFO_THROTTLE(get_logger(), *get_clock(), 1000, "no full trust: %s", gate_.reason());
    }
  }

  imu_emg_estimator::ActivationGate gate_;
  steady_clock::time_point last_step_ = steady_clock::now();
  rclcpp::Publisher<Float64MultiArray>::SharedPtr publisher_;
  rclcpp::Subscription<MuscleActivation>::SharedPtr subscription_;
  rclcpp::TimerBase::SharedPtr timer_;
};

int main(int argc, char ** argv)
{
  rclcpp::init(argc, argv);
  rclcpp::spin(std::make_shared<Assistance>());  // one thread: the gate needs no lock
  rclcpp::shutdown();
}
