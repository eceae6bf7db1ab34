// How far a controller may trust muscle activation: fades, limits, and refuses what must not move a person.
//
// The Python twin is imu_emg_estimator/activation_gate.py; test/vectors/activation_gate.json holds both to
// one behaviour. C++17, without ROS. After construction nothing allocates, throws or blocks.
#pragma once

#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__)
#error "activation_gate.hpp must recognise NaN: compile without -ffast-math and -ffinite-math-only"
#endif

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace imu_emg_estimator
{

// What a controller accepts, and how fast its assistance may change.
struct GateSettings
{
  double share_ok = 1.0;          // share of the activation that becomes assistance while the status is OK
  double share_warming_up = 0.0;  // the same for WARMING_UP
  double share_degraded = 0.5;    // the same for DEGRADED; STALE, OUT_OF_DISTRIBUTION, unknown: always none
  double recovery = 1.0;          // s for which every message must have deserved a larger share
  double fade_in = 0.2;           // s from no trust to full trust
  double fade_out = 0.2;          // s from full trust to none
  double slew = 15.0;             // largest change of the assistance in a second while a message is trusted
  double max_assistance = 1.0;    // upper bound of the assistance
  double max_activation = 5.0;    // a message with a larger activation is not trusted
  double max_age = 0.15;          // s; neither the instant, nor `age`, nor a silence may be older
  double max_ahead = 0.02;        // s that an instant may be in the future; clocks never agree entirely
  std::size_t max_missing = 2;    // how many sensors may be missing
  std::vector<std::string> required_sensors{};  // sensors that must not be missing
};

// Turns MuscleActivation messages into assistance, 0 to `max_assistance` for every muscle.
//
// Trust is lost with the first message that deserves less, and regained once all messages have deserved
// more for `recovery` s. Without trust the assistance only falls, from its last value to zero within
// `fade_out`. Not thread-safe: call receive and update from one thread, or hold a lock.
class ActivationGate
{
public:
  // Expect messages with exactly these muscles, in this order. Throws std::invalid_argument if there are
  // none, a name is empty or there twice, or a setting is out of range.
  explicit ActivationGate(std::vector<std::string> muscles, GateSettings settings = {})
  : settings_(std::move(settings)), muscles_(std::move(muscles)),
    activation_(muscles_.size(), 0.0), assistance_(muscles_.size(), 0.0)
  {
    if (muscles_.empty()) {
      throw std::invalid_argument(
              "ActivationGate: name the muscles in a list, in the order of the messages");
    }
    check_names(muscles_, "ActivationGate: the list of muscles");
    check_settings();
  }

  // Judge a MuscleActivation, or whatever has its fields; `now` is the time on the clock that stamps the
  // messages [s].
  template<class Message>
  void receive(const Message & message, double now) noexcept
  {
    const double timestamp = message.header.stamp.sec + message.header.stamp.nanosec * 1e-9;
    if (now < timestamp_ - settings_.max_ahead) {  // the clock was set back, as by a bag that loops
      timestamp_ = -INFINITE;
    }
    const double share = share_of(message);
    fault_ = share <= 0.0 ? "status" : find_fault(message, timestamp, now);
    deserve(*fault_ ? 0.0 : share);
    if (!*fault_) {
      timestamp_ = timestamp;
      silence_ = 0.0;
      std::transform(
        message.activation.begin(), message.activation.end(), activation_.begin(),
        [this](double value) {return std::min(value, settings_.max_assistance);});
    }
  }

  // Make one control step and return the assistance for every muscle. `now` is the time on the clock that
  // stamps the messages [s], `period` the time since the last step [s] on a clock that neither stops nor
  // jumps.
  const std::vector<double> & update(double now, double period) noexcept
  {
    const double elapsed = period > 0.0 ? period : NONSENSE_PERIOD_S;
    const double growth = period > 0.0 ? std::min(period, MAX_PERIOD_S) : 0.0;
    watch(now, elapsed);
    recover(growth);
    gain_ = gain_ < share_ ?
      std::min(gain_ + growth / settings_.fade_in, share_) :
      std::max(gain_ - elapsed / settings_.fade_out, share_);
    const double rise = share_ > 0.0 ? settings_.slew * growth : 0.0;
    const double fall = settings_.slew * elapsed;
    for (std::size_t muscle = 0; muscle < activation_.size(); ++muscle) {
      const double last = assistance_[muscle];
      const double limited = std::min(std::max(gain_ * activation_[muscle], last - fall), last + rise);
      assistance_[muscle] = std::min(limited, gain_ * settings_.max_assistance);
    }
    return assistance_;
  }

  // The share of the activation that is granted, 0 to 1.
  double share() const noexcept {return share_;}

  // The share as it fades, 0 to 1.
  double gain() const noexcept {return gain_;}

  // Why the newest message is not trusted as far as it could be; empty if it is.
  const char * reason() const noexcept {return *fault_ || offer_ <= share_ ? fault_ : "not yet steady";}

private:
  enum Status : std::uint8_t {OK = 0, WARMING_UP = 1, DEGRADED = 2};  // others are never acted on

  static constexpr double INFINITE = std::numeric_limits<double>::infinity();
  static constexpr double MAX_PERIOD_S = 0.05;  // a longer step lets assistance and trust grow by no more
  static constexpr double NONSENSE_PERIOD_S = 0.001;  // counts for a step of no, negative or NaN seconds

  void check_settings() const
  {
    const GateSettings & s = settings_;
    check_number("share_ok", s.share_ok, 1.0, true);
    check_number("share_warming_up", s.share_warming_up, 1.0, true);
    check_number("share_degraded", s.share_degraded, 1.0, true);
    check_number("recovery", s.recovery, 60.0, true);
    check_number("fade_in", s.fade_in, 60.0, false);
    check_number("fade_out", s.fade_out, 10.0, false);
    check_number("slew", s.slew, 1000.0, false);
    check_number("max_assistance", s.max_assistance, 100.0, false);
    check_number("max_activation", s.max_activation, 100.0, false);
    check_number("max_age", s.max_age, 1.0, false);
    check_number("max_ahead", s.max_ahead, 1.0, true);
    check_number("max_missing", static_cast<double>(s.max_missing), 100.0, true);
    check_names(s.required_sensors, "GateSettings: required_sensors");
  }

  static void check_number(const char * name, double value, double highest, bool may_be_zero)
  {
    if (0.0 <= value && value <= highest && (may_be_zero || value > 0.0)) {return;}
    char text[160];
    std::snprintf(
      text, sizeof(text), "GateSettings: %s is %g; choose %s %g", name, std::isnan(value) ? NAN : value,
      may_be_zero ? "0 to" : "more than 0, at most", highest);
    throw std::invalid_argument(text);
  }

  // Throws std::invalid_argument unless each name is there once and not empty.
  static void check_names(const std::vector<std::string> & names, const std::string & what)
  {
    for (auto name = names.begin(); name != names.end(); ++name) {
      if (name->empty()) {
        throw std::invalid_argument(what + " holds an empty name; give names as in the messages");
      }
      if (std::find(names.begin(), name, *name) != name) {
        throw std::invalid_argument(what + " holds '" + *name + "' twice; name each once");
      }
    }
  }

  // The share that the status deserves if nothing else is wrong.
  template<class Message>
  double share_of(const Message & message) const noexcept
  {
    switch (message.status) {
      case OK:  // which contradicts itself if sensors are missing
        return message.missing_sensors.empty() ?
               settings_.share_ok : std::min(settings_.share_ok, settings_.share_degraded);
      case WARMING_UP: return settings_.share_warming_up;
      case DEGRADED: return settings_.share_degraded;
      default: return 0.0;
    }
  }

  // Why a message is not trusted at all; empty if it is.
  template<class Message>
  const char * find_fault(const Message & message, double timestamp, double now) const noexcept
  {
    const auto & names = message.muscle_names;
    const auto & values = message.activation;
    if (!std::equal(names.begin(), names.end(), muscles_.begin(), muscles_.end()) ||
      values.size() != muscles_.size())
    {
      return "not the muscles expected";
    }
    const double limit = settings_.max_activation;
    if (!std::all_of(values.begin(), values.end(), [limit](double v) {return 0.0 <= v && v <= limit;})) {
      return "activation not finite or implausible";
    }
    if (!has_enough_sensors(message)) {return "too few sensors";}
    for (const double age : {now - timestamp, static_cast<double>(message.age)}) {
      if (const char * fault = find_fault_in_age(age); *fault) {return fault;}
    }
    return timestamp <= timestamp_ ? "timestamp repeated or out of order" : "";
  }

  // Whether those missing may be; a DEGRADED message that names none could miss any.
  template<class Message>
  bool has_enough_sensors(const Message & message) const noexcept
  {
    const auto & missing = message.missing_sensors;
    if (missing.size() > settings_.max_missing || (message.status == DEGRADED && missing.empty())) {
      return false;
    }
    const auto & required = settings_.required_sensors;
    return std::find_first_of(missing.begin(), missing.end(), required.begin(), required.end()) == missing.end();
  }

  const char * find_fault_in_age(double age) const noexcept
  {
    if (age < -settings_.max_ahead) {return "in the future";}
    return age <= settings_.max_age ? "" : "too old";  // so is NaN
  }

  // Take a share away at once; keep a larger one as an offer.
  void deserve(double share) noexcept
  {
    if (share <= share_) {
      share_ = offer_ = share;
      steady_ = 0.0;
    } else {
      offer_ = offer_ > share_ ? std::min(offer_, share) : share;
    }
  }

  // Lose trust as the newest message ages, even while the clock of the messages stands still.
  void watch(double now, double elapsed) noexcept
  {
    silence_ += elapsed;
    if (*fault_) {return;}
    fault_ = find_fault_in_age(now - timestamp_);
    if (!*fault_) {fault_ = find_fault_in_age(silence_);}
    if (*fault_) {deserve(0.0);}
  }

  // Grant an offer that has been steady for long enough.
  void recover(double growth) noexcept
  {
    if (offer_ <= share_) {return;}
    steady_ += growth;
    if (steady_ >= settings_.recovery) {
      share_ = offer_;
      steady_ = 0.0;
    }
  }

  GateSettings settings_;
  std::vector<std::string> muscles_;
  std::vector<double> activation_;  // the last that was trusted
  std::vector<double> assistance_;
  double share_ = 0.0;
  double gain_ = 0.0;
  double timestamp_ = -INFINITE;           // of the last message that was trusted
  double silence_ = 0.0;                   // s since then
  const char * fault_ = "no message yet";  // of the newest message; while there is one, share and offer are 0
  double offer_ = 0.0;   // the smallest share that messages of late have deserved; granted once it is steady
  double steady_ = 0.0;  // s for which it is offered
};

}  // namespace imu_emg_estimator
