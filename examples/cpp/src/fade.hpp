// When to act on an estimate, and how to fade out. Independent of ROS.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

struct Fade
{
  double fade_time = 0.2;     // s from full assistance to none, and back
  double largest_age = 0.15;  // s; older estimates are ignored

  // Take a new estimate for the instant `timestamp` [s]. `trust` is its share of assistance, 0 to 1.
  // An estimate that is not finite or has no trust does not replace the last good one, whose
  // assistance fades out.
  void receive(double timestamp, double trust, const std::vector<float> & activation)
  {
    const bool complete = std::all_of(
      activation.begin(), activation.end(), [](float value) {return std::isfinite(value);});
    trust_ = complete ? trust : 0.0;
    if (trust_ > 0.0) {
      timestamp_ = timestamp;
      activation_ = activation;
    }
  }

  // Make one control step of `period` [s] at the instant `now` [s]; return the assistance for every
  // muscle, 0 to 1.
  std::vector<double> step(double now, double period)
  {
    // The magnitude, since a timestamp in the future means that the clocks disagree.
    const bool recent = std::abs(now - timestamp_) < largest_age;
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
  double timestamp_ = 0.0;
  double trust_ = 0.0;
  double gain_ = 0.0;
  std::vector<float> activation_;
};
