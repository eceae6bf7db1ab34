#include "fade.hpp"

#include <cstdio>
#include <limits>

constexpr double PERIOD = 0.01;
constexpr float NOT_A_NUMBER = std::numeric_limits<float>::quiet_NaN();
int failures = 0;

void expect(bool holds, const char * what)
{
  std::printf("%s: %s\n", holds ? "ok" : "FAILED", what);
  failures += !holds;
}

// Runs for some seconds with an estimate of 0.5 at every step. Advances `now`; returns the last assistance.
double run(
  Fade & fade, double & now, double seconds, double trust, float value = 0.5F, double delay = 0.05)
{
  double assistance = 0.0;
  for (int steps = static_cast<int>(std::lround(seconds / PERIOD)); steps > 0; --steps) {
    now += PERIOD;
    fade.receive(now - delay, trust, {value});
    assistance = fade.step(now, PERIOD).at(0);
  }
  return assistance;
}

// As above, while no estimate arrives.
double silence(Fade & fade, double & now, double seconds)
{
  double assistance = 0.0;
  for (int steps = static_cast<int>(std::lround(seconds / PERIOD)); steps > 0; --steps) {
    now += PERIOD;
    assistance = fade.step(now, PERIOD).at(0);
  }
  return assistance;
}

bool near(double a, double b) {return std::abs(a - b) < 1e-6;}

int main()
{
  double now = 1.8e9;
  Fade fade;
  expect(fade.step(now, PERIOD).empty() && fade.gain() == 0.0, "nothing before the first estimate");
  expect(near(run(fade, now, 0.1, 1.0), 0.25), "fades in");
  expect(near(run(fade, now, 0.3, 1.0), 0.5), "follows a good estimate");
  expect(near(run(fade, now, 0.3, 1.0, 7.0F), 1.0), "is limited to 1");
  expect(near(run(fade, now, 0.3, 0.5), 0.25), "is reduced where trust is");
  run(fade, now, 0.3, 1.0);
  expect(near(run(fade, now, 0.1, 0.0, 0.9F), 0.25), "a bad status fades the last good value");
  expect(near(run(fade, now, 0.1, 0.0, 0.9F), 0.0), "... to nothing");
  run(fade, now, 0.3, 1.0);
  expect(near(run(fade, now, 0.1, 1.0, NOT_A_NUMBER), 0.25), "NaN fades the last good value");
  expect(near(run(fade, now, 0.1, 1.0, NOT_A_NUMBER), 0.0), "... to nothing");
  run(fade, now, 0.3, 1.0);
  expect(near(silence(fade, now, 0.05), 0.5), "a short silence changes nothing");
  expect(near(silence(fade, now, 0.3), 0.0), "a long one fades to nothing");
  expect(near(silence(fade, now, 60.0), 0.0), "... and nothing it stays");
  expect(near(run(fade, now, 0.3, 1.0, 0.5F, 0.2), 0.0), "an old instant is not acted on");
  expect(near(run(fade, now, 0.3, 1.0, 0.5F, -0.2), 0.0), "nor one in the future");
  expect(near(run(fade, now, 0.1, 1.0), 0.25), "comes back as a fade");
  return failures;
}
