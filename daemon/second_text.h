// A moment as text, to the second in UTC, for those who print it in every line or answer: it is
// formatted once a second. One thread: keep one in thread_local storage.
#ifndef VARVE_DAEMON_SECOND_TEXT_H_
#define VARVE_DAEMON_SECOND_TEXT_H_

#include <array>
#include <cstddef>
#include <ctime>
#include <string_view>

namespace varve {

class SecondText {
 public:
  // Writes a moment to a buffer of so many bytes, 64, and gives the length, as strftime.
  using Format = size_t(char* buffer, size_t size_bytes, const std::tm& utc);
  explicit SecondText(Format* format) : format_(format) {}

  // Stays until the next call.
  std::string_view At(std::time_t second);

 private:
  Format* const format_;
  std::time_t second_ = -1;
  std::array<char, 64> text_{};
  size_t length_ = 0;
};

}  // namespace varve

#endif  // VARVE_DAEMON_SECOND_TEXT_H_
