// Runs a model that `imu-emg export` wrote, one row at a time. Independent of file formats and ROS.

#pragma once

#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

// Arrays are bound once: a step copies and allocates nothing of the model's size. The state is written in place, as
// the model reads each part of it before writing it. For one thread at a time.
class StreamingModel
{
public:
  explicit StreamingModel(const std::string & path)
  : environment_(ORT_LOGGING_LEVEL_WARNING, "imu_emg"),
    session_(environment_, path.c_str(), options()),
    binding_(session_)
  {
    environment_.DisableTelemetryEvents();
    Ort::AllocatorWithDefaultOptions allocator;
    for (size_t index = 0; index < session_.GetInputCount(); ++index) {
      const std::string name = session_.GetInputNameAllocated(index, allocator).get();
      const auto shape = session_.GetInputTypeInfo(index).GetTensorTypeAndShapeInfo().GetShape();
      if (name == "step") {
        binding_.BindInput(name.c_str(), tensor(&step_, 1, shape));
      } else {
        binding_.BindInput(name.c_str(), tensor(array(name, shape), shape));
      }
    }
    for (size_t index = 0; index < session_.GetOutputCount(); ++index) {
      const std::string name = session_.GetOutputNameAllocated(index, allocator).get();
      const auto shape = session_.GetOutputTypeInfo(index).GetTensorTypeAndShapeInfo().GetShape();
      binding_.BindOutput(name.c_str(), tensor(array(without_next(name), shape), shape));
    }
  }

  StreamingModel(const StreamingModel &) = delete;  // the session points to the arrays
  StreamingModel & operator=(const StreamingModel &) = delete;

  // The newest row, to be filled in before each `step`: acceleration x y z [m/s^2] and angular rate x y z [rad/s] of every
  // sensor, in the order and the axes of the rig; NaN where it is not available.
  std::vector<float> & imu() {return arrays_.at("imu");}

  // Take the row. `activation` and `deviation` then hold the estimate for the row `look_ahead` rows earlier.
  void step()
  {
    session_.Run(Ort::RunOptions{nullptr}, binding_);
    ++step_;
  }

  // Fraction of the reference amplitude, and its standard deviation, for every muscle.
  const std::vector<float> & activation() const {return arrays_.at("activation");}
  const std::vector<float> & deviation() const {return arrays_.at("deviation");}

  // Rows taken so far.
  int64_t steps() const {return step_;}

  // Forget all rows, as after a jump of the clock.
  void reset()
  {
    for (auto & [name, values] : arrays_) {
      std::fill(values.begin(), values.end(), 0.0F);
    }
    step_ = 0;
  }

  // Metadata of the file, as JSON: `look_ahead`, `context`, `rate_hz`, `sensors`, `muscles` and more.
  std::string metadata(const std::string & key) const
  {
    Ort::AllocatorWithDefaultOptions allocator;
    const auto value = session_.GetModelMetadata().LookupCustomMetadataMapAllocated(key.c_str(), allocator);
    return value ? value.get() : "null";
  }

private:
  static Ort::SessionOptions options()
  {
    Ort::SessionOptions options;
    options.SetIntraOpNumThreads(1);  // a second thread gains nothing at this size, and makes the worst case worse
    options.SetInterOpNumThreads(1);
    return options;
  }

  static std::string without_next(const std::string & name)
  {
    const auto dot = name.rfind(".next");
    return dot == std::string::npos ? name : name.substr(0, dot);
  }

  // The array of this name; a state and its next one are the same.
  std::vector<float> & array(const std::string & name, const std::vector<int64_t> & shape)
  {
    size_t size = 1;
    for (const int64_t length : shape) {
      size *= static_cast<size_t>(length);
    }
    return arrays_.try_emplace(name, size, 0.0F).first->second;
  }

  static Ort::Value tensor(std::vector<float> & values, const std::vector<int64_t> & shape)
  {
    return tensor(values.data(), values.size(), shape);
  }

  template<typename Element>
  static Ort::Value tensor(Element * values, size_t size, const std::vector<int64_t> & shape)
  {
    const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
    return Ort::Value::CreateTensor<Element>(memory, values, size, shape.data(), shape.size());
  }

  Ort::Env environment_;
  Ort::Session session_;
  Ort::IoBinding binding_;
  std::map<std::string, std::vector<float>> arrays_;
  int64_t step_ = 0;
};
