// When to act on an estimate, and how to fade out. Independent of ROS.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

struct Fade
{
  double fade_time = 0.2;     // s from full assistance to none, and back
  double largest_age = 0.15;  // s; an estimate for an instant longer ago is not acted on

  // Take a new estimate for the instant `timestamp` [s]. `trust` is the share of assistance that it
  // deserves: 1 all, 0 none. One that deserves none, or is not finite, does not replace the last good
  // estimate, whose assistance fades out.
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
    // The magnitude: a timestamp in the future means that clocks disagree, and would hide an old value.
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
