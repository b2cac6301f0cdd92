// The few parts of protobuf's wire format that the native load generator needs. It speaks two
// services with a handful of flat messages and must cost next to nothing beside the server, so
// payloads are never copied into message classes.
#ifndef VARVE_BENCHMARKS_NATIVE_WIRE_H_
#define VARVE_BENCHMARKS_NATIVE_WIRE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace varve::load {

void AppendNumber(std::string* message, int field, uint64_t value);
void AppendText(std::string* message, int field, std::string_view value);
// Tag and length of a field whose `size` bytes follow in another buffer.
void AppendDataHead(std::string* message, int field, size_t size);

struct WireField {
  int number = 0;
  uint64_t value = 0;           // of a number; of text, its length
  std::optional<size_t> start;  // where text begins in the message; absent for a number
};

// The fields of a message one after the other, from as much of its front as is in hand.
class WireReader {
 public:
  explicit WireReader(std::string_view front) : front_(front) {}
  // nullopt at the end, also when what comes is malformed or a kind that neither service sends.
  std::optional<WireField> Next();

 private:
  std::optional<uint64_t> Varint();

  const std::string_view front_;
  size_t at_ = 0;
};

}  // namespace varve::load

#endif  // VARVE_BENCHMARKS_NATIVE_WIRE_H_
