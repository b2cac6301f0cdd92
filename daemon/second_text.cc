#include "daemon/second_text.h"

namespace varve {

std::string_view SecondText::At(std::time_t second) {
  if (second_ != second) {
    std::tm utc{};
    gmtime_r(&second, &utc);
    length_ = format_(text_.data(), text_.size(), utc);
    second_ = second;
  }
  return {text_.data(), length_};
}

}  // namespace varve
