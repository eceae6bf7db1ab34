// When to act on an estimate, and how to let go of it. Knows nothing of ROS.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

struct Fade
{
  double fade_time = 0.2;     // s from full assistance to none, and back
  double largest_age = 0.15;  // s; an estimate for an instant longer ago is not acted on

  // A new estimate for the instant `stamp` [s]. `trust` is the share of assistance that it deserves:
  // 1 all, 0 none. One that deserves none, or holds a NaN, does not replace the last good one,
  // whose assistance is what fades out.
  void receive(double stamp, double trust, const std::vector<float> & activation)
  {
    const bool complete = std::all_of(
      activation.begin(), activation.end(), [](float value) {return std::isfinite(value);});
    trust_ = complete ? trust : 0.0;
    if (trust_ > 0.0) {
      stamp_ = stamp;
      activation_ = activation;
    }
  }

  // One control step of `period` [s] at the instant `now` [s]: the assistance for every muscle, 0 to 1.
  std::vector<double> step(double now, double period)
  {
    // The magnitude: a stamp in the future means clocks that disagree, and would hide an old value.
    const bool recent = std::abs(now - stamp_) < largest_age;
    const double wanted = recent ? trust_ : 0.0;
    const double change = period / fade_time;
    gain_ += std::clamp(wanted - gain_, -change, change);

    std::vector<double> assistance;
    for (const double value : activation_) {
      assistance.push_back(gain_ * std::clamp(value, 0.0, 1.0));
    }
    return assistance;
  }

  double gain() const {return gain_;}

private:
  double stamp_ = 0.0;
  double trust_ = 0.0;
  double gain_ = 0.0;
  std::vector<float> activation_;
};
