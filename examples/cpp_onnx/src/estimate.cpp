// estimate MODEL.onnx ROWS.csv ESTIMATES.csv: muscle activation from a file of IMU rows, by a streaming model.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

#include "streaming_model.hpp"

// Fill a row from the fields of a line; an empty field is not available, like nan.
void parse(const std::string & line, std::vector<float> & row)
{
  size_t field = 0;
  for (size_t start = 0; start <= line.size(); ++field) {
    const size_t stop = std::min(line.find(',', start), line.size());
    const std::string text = line.substr(start, stop - start);
    char * rest = nullptr;
    const float value = text.empty() ? NAN : std::strtof(text.c_str(), &rest);
    if (field == row.size() || (rest && *rest != '\0' && *rest != '\r')) {
      throw std::runtime_error("a line is not " + std::to_string(row.size()) + " numbers: " + line);
    }
    row[field] = value;
    start = stop + 1;
  }
  if (field != row.size()) {
    throw std::runtime_error("a line is not " + std::to_string(row.size()) + " numbers: " + line);
  }
}

// Strings of a JSON list of plain names.
std::vector<std::string> names(const std::string & json)
{
  std::vector<std::string> result;
  for (size_t start = json.find('"'); start != std::string::npos; ) {
    const size_t stop = json.find('"', start + 1);
    result.push_back(json.substr(start + 1, stop - start - 1));
    start = json.find('"', stop + 1);
  }
  return result;
}

void write(std::ostream & out, const std::vector<float> & values)
{
  for (const float value : values) {
    out << ',' << value;
  }
}

void run(const std::string & model_path, const std::string & rows_path, const std::string & estimates_path)
{
  StreamingModel model(model_path);
  std::ifstream rows(rows_path);
  std::ofstream estimates(estimates_path);
  if (!rows || !estimates) {
    throw std::runtime_error("cannot read " + rows_path + " or write " + estimates_path);
  }
  const int64_t look_ahead = std::stoll(model.metadata("look_ahead"));
  const auto muscles = names(model.metadata("muscles"));
  estimates << "row";
  for (const char * suffix : {"", "_std"}) {
    for (const auto & muscle : muscles) {
      estimates << ',' << muscle << suffix;
    }
  }
  estimates << '\n';
  estimates.precision(9);

  std::chrono::steady_clock::duration spent{};
  std::string line;
  std::getline(rows, line);  // names of the columns
  while (std::getline(rows, line)) {
    parse(line, model.imu());
    const auto start = std::chrono::steady_clock::now();
    model.step();
    spent += std::chrono::steady_clock::now() - start;
    const int64_t row = model.steps() - 1 - look_ahead;  // that the estimate is for
    if (row >= 0) {
      estimates << row;
      write(estimates, model.activation());
      write(estimates, model.deviation());
      estimates << '\n';
    }
  }
  const double seconds = std::chrono::duration<double>(spent).count();
  std::cerr << model.metadata("model_id") << ": " << model.steps() << " rows, "
            << 1e6 * seconds / static_cast<double>(std::max<int64_t>(model.steps(), 1)) << " us a step\n";
}

int main(int argc, char ** argv)
{
  if (argc != 4) {
    std::cerr << "usage: " << argv[0] << " MODEL.onnx ROWS.csv ESTIMATES.csv\n";
    return 2;
  }
  try {
    run(argv[1], argv[2], argv[3]);
  } catch (const std::exception & error) {
    std::cerr << argv[0] << ": " << error.what() << '\n';
    return 1;
  }
}
